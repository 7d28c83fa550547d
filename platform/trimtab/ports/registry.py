"""The registry: versions, their files and the aliases that point at them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from trimtab.records.versions import Alias, ModelVersion


class ModelRegistry(Protocol):
    """A registry of versions. Registering is the training run's own business."""

    def versions(self, model: str) -> Sequence[ModelVersion]:
        """List the versions that carry what a version must carry, newest first."""
        ...

    def aliased(self, model: str, alias: Alias) -> str | None:
        """Tell which version an alias points at."""
        ...

    def point(self, model: str, alias: Alias, version: str | None) -> None:
        """Point an alias at a version, or at none."""
        ...

    def download(self, model: str, version: str, to: Path) -> Path:
        """Copy a version's files into the folder `to`, verify them and return it.

        It is an MLflow model folder (`MLmodel`, `model.skops`, `requirements.txt`, ...) with
        `contract.json`, `reference.json`, `reference.parquet`, `golden.parquet` and
        `manifest.json` added.

        Raises UnknownVersionError, and ManifestError when the bytes are not the manifest's.
        """
        ...
