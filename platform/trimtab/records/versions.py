"""A version of a model, as the registry knows it, and the manifest of its files."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType


class Alias(StrEnum):
    """The two names that point at versions."""

    CHAMPION = "champion"
    """The version that endpoints must serve."""
    CHALLENGER = "challenger"
    """The version on trial."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """One registered version; immutable but for its aliases."""

    model: str
    version: str
    run_id: str
    trained_until: datetime
    """The version has seen no row at or after this moment."""
    manifest_sha256: str
    """SHA-256 of `manifest.json`, which lists every file of the version."""
    tags: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What a version has seen; kept with it as `trained.json`, which nobody can write anew."""

    until: datetime
    """It has seen no row at or after this moment."""
    rows: int
    """How many rows, the oldest, it has seen at most: for sources without a column of times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestFile:
    """One file of a version."""

    path: str
    """Relative to the version's folder, with forward slashes."""
    size: int
    """In bytes."""
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Every file of a version but the manifest itself; kept with it as `manifest.json`."""

    files: tuple[ManifestFile, ...]
