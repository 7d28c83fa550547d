"""The registry as MLflow keeps it."""

import logging
import re
import tempfile
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

import mlflow.artifacts
from mlflow.entities.model_registry import ModelVersion as MlflowVersion
from mlflow.exceptions import MlflowException

from trimtab.errors import ManifestError, UnknownVersionError
from trimtab.records.versions import Alias, ModelVersion

from .manifest import verify_manifest
from .mlflow_calls import Patience, connect, is_absent

log = logging.getLogger(__name__)

MANIFEST_TAG = "trimtab.manifest_sha256"
TRAINED_UNTIL_TAG = "trimtab.trained_until"
_PAGE = 200
_PLAIN_NAME = re.compile(r"[A-Za-z0-9._-]+")


class MlflowRegistry:
    """Registered models, versions and aliases of an MLflow server."""

    def __init__(self, tracking_uri: str) -> None:
        self.tracking_uri = tracking_uri
        self._client = connect(tracking_uri)
        self._patiently = Patience(tracking_uri)

    def versions(self, model: str) -> Sequence[ModelVersion]:
        """List the versions that carry what a version must carry, newest first."""
        read = (_read(version) for version in self._search(model))
        known = [version for version in read if isinstance(version, ModelVersion)]
        return sorted(known, key=lambda version: int(version.version), reverse=True)

    def aliased(self, model: str, alias: Alias) -> str | None:
        """Tell which version an alias points at."""
        # Searches leave the aliases out (3.17.2); only this call and the next of kin have them.
        try:
            found = self._patiently(
                lambda: self._client.get_model_version_by_alias(model, alias.value)
            )
        except MlflowException as error:
            # A missing alias is a bad parameter to MLflow, not something that is absent.
            if is_absent(error) or error.error_code == "INVALID_PARAMETER_VALUE":
                return None
            raise
        return str(found.version)

    def point(self, model: str, alias: Alias, version: str | None) -> None:
        """Point an alias at a version, or at none. Raises UnknownVersionError."""
        client = self._client
        try:
            if version is None:
                self._patiently(lambda: client.delete_registered_model_alias(model, alias.value))
            else:
                self._patiently(
                    lambda: client.set_registered_model_alias(model, alias.value, version)
                )
        except MlflowException as error:
            if not is_absent(error):
                raise
            if version is not None:
                raise UnknownVersionError(model, version) from None

    def download(self, model: str, version: str, to: Path) -> Path:
        """Copy a version's files into the folder `to`, verify them and return it.

        A copy that is there and verified is left as it is; one that is not is replaced. Raises
        UnknownVersionError, and ManifestError when the bytes are not the manifest's.
        """
        wanted = self._get(model, version)
        if _is_verified(to, wanted.manifest_sha256):
            return to
        to.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{to.name}-", dir=to.parent) as scratch:
            fresh = self._fetch(model, version, Path(scratch) / "new")
            verify_manifest(fresh, wanted.manifest_sha256)
            if to.exists():
                to.rename(Path(scratch) / "old")
            try:
                fresh.rename(to)
            except OSError:  # another process was faster
                verify_manifest(to, wanted.manifest_sha256)
        return to

    def _search(self, model: str) -> Iterator[MlflowVersion]:
        if not _PLAIN_NAME.fullmatch(model):
            return  # a quote would end the filter's string; no declared model has one
        token: str | None = None
        while True:
            page = self._patiently(
                lambda token=token: self._client.search_model_versions(  # type: ignore[misc]
                    f"name = '{model}'", max_results=_PAGE, page_token=token
                )
            )
            yield from page
            token = page.token
            if not token:
                return

    def _get(self, model: str, version: str) -> ModelVersion:
        try:
            found = self._patiently(lambda: self._client.get_model_version(model, version))
        except MlflowException as error:
            # `x` for a version is a bad parameter, `99` is absent; to us both are unknown.
            if is_absent(error) or error.error_code == "INVALID_PARAMETER_VALUE":
                raise UnknownVersionError(model, version) from None
            raise
        read = _read(found)
        if isinstance(read, str):
            raise UnknownVersionError(model, version, read)
        return read

    def _fetch(self, model: str, version: str, to: Path) -> Path:
        """Download the files; what MLflow says it does not have is a broken version."""
        to.mkdir()
        try:
            uri = self._patiently(
                lambda: self._client.get_model_version_download_uri(model, version)
            )
            folder = self._patiently(
                lambda: mlflow.artifacts.download_artifacts(
                    artifact_uri=uri, dst_path=str(to), tracking_uri=self.tracking_uri
                )
            )
        except MlflowException as error:
            raise ManifestError(
                f"The files of version {version} of {model!r} cannot be fetched: {error}"
            ) from error
        return Path(folder)  # `to`, or a folder in it: MLflow keeps the last part of the address


def _is_verified(folder: Path, sha256: str) -> bool:
    if not folder.exists():
        return False
    try:
        verify_manifest(folder, sha256)
    except ManifestError as error:
        log.warning("The local copy is fetched anew: %s", error)
        return False
    return True


def _read(found: MlflowVersion) -> ModelVersion | str:
    """Read a version's tags; gives what is wrong with it when it is none of ours."""
    tags = dict(found.tags or {})
    try:
        trained_until = datetime.fromisoformat(tags[TRAINED_UNTIL_TAG])
        manifest = tags[MANIFEST_TAG]
    except KeyError as missing:
        return f"it lacks the tag {missing}, which training writes"
    except ValueError:
        return f"its tag {TRAINED_UNTIL_TAG!r} is no time"
    return ModelVersion(
        model=found.name,
        version=str(found.version),
        run_id=found.run_id or "",
        trained_until=trained_until,
        manifest_sha256=manifest,
        tags=MappingProxyType(tags),
    )
