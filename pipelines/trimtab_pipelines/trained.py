"""What a version has seen, among its own files: the registry's tags can be changed by anybody."""

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from pydantic import ValidationError

from trimtab.errors import ManifestError
from trimtab.records.documents import from_json, to_json
from trimtab.records.versions import ModelVersion, Trained

from .facts import TRAINED_ROWS_TAG

FILE = "trained.json"


def write_trained(folder: Path, trained: Trained) -> None:
    """Write it, before the manifest is made."""
    (folder / FILE).write_bytes(to_json(trained, indent=2))


def as_trained(version: ModelVersion, folder: Path) -> ModelVersion:
    """Give a version with what its verified files say it has seen. Raises ManifestError."""
    try:
        trained = from_json(Trained, (folder / FILE).read_bytes())
    except (FileNotFoundError, ValidationError):
        raise ManifestError(
            f"Version {version.version} of {version.model!r} does not say what it has seen "
            f"({FILE}). Train it again: trimtab train {version.model}"
        ) from None
    tags = {**version.tags, TRAINED_ROWS_TAG: str(trained.rows)}
    return replace(version, trained_until=trained.until, tags=MappingProxyType(tags))
