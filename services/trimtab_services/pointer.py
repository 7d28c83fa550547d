"""Which version an endpoint's process must serve, and the file that remembers the last one."""

from dataclasses import dataclass
from pathlib import Path

from trimtab.records.documents import from_json, to_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointer:
    """What an endpoint's process must serve."""

    epoch: int
    """Rises with every order, so that a version may be pointed at again after it failed."""
    version: str
    manifest_sha256: str
    bento: Path


def read_pointer(path: Path) -> Pointer | None:
    """Read the pointer; None when there is none yet."""
    try:
        return from_json(Pointer, path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None


def write_pointer(path: Path, pointer: Pointer) -> None:
    """Replace the pointer in one step for all readers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_bytes(to_json(pointer))
    fresh.replace(path)
