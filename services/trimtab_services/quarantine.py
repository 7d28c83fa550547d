"""Quarantine: captured requests that fit no known contract, kept for a person to look at."""

from collections.abc import Sequence
from pathlib import Path

from trimtab.adapters.durable_files import make_folder, write_durably

from .captured import as_line
from .places import Place

_SUFFIX = ".jsonl"


class Quarantine:
    """A folder of files with one captured request a line."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.requests = sum(path.read_bytes().count(b"\n") for path in self._files())
        """How many requests are in it."""

    def names(self) -> list[str]:
        """List the places that were put here."""
        return [path.stem for path in self._files()]

    def put(self, place: Place, payloads: Sequence[bytes]) -> Path:
        """Keep requests, whole or not at all. Raises OSError."""
        make_folder(self._folder)
        path = self._folder / f"{place}{_SUFFIX}"
        write_durably(path, b"".join(as_line(payload) + b"\n" for payload in payloads))
        self.requests += len(payloads)
        return path

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob(f"[!.]*{_SUFFIX}"))
