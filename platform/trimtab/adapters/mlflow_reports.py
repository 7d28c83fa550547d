"""Reports and figures beside a version, as MLflow's pages show them."""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from trimtab.records.versions import ModelVersion

from .mlflow_calls import Patience, connect


class MlflowReports:
    """Artifacts and metrics of the version's run; tags and description of the version."""

    def __init__(self, tracking_uri: str) -> None:
        self._client = connect(tracking_uri)
        self._patiently = Patience(tracking_uri)

    def publish(self, version: ModelVersion, name: str, file: Path) -> str:
        """Add a file to the run's artifacts; gives its artifact path."""
        path = PurePosixPath(name)
        folder = None if path.parent == PurePosixPath(".") else str(path.parent)
        with tempfile.TemporaryDirectory() as scratch:
            named = shutil.copyfile(file, Path(scratch) / path.name)
            self._patiently(lambda: self._client.log_artifact(version.run_id, str(named), folder))
        return str(path)

    def annotate(
        self,
        version: ModelVersion,
        *,
        text: str = "",
        tags: Mapping[str, str] | None = None,
        metrics: Mapping[str, float] | None = None,
    ) -> None:
        """Add Markdown to the version's description (once), tags to it, metrics to its run."""
        client, model, number = self._client, version.model, version.version
        for key, value in (tags or {}).items():
            self._patiently(
                lambda k=key, v=value: client.set_model_version_tag(model, number, k, v)  # type: ignore[misc]
            )
        for key, figure in (metrics or {}).items():
            self._patiently(lambda k=key, f=figure: client.log_metric(version.run_id, k, f))  # type: ignore[misc]
        if text:
            self._patiently(lambda: self._describe(version, text))

    def _describe(self, version: ModelVersion, text: str) -> None:
        written = self._client.get_model_version(version.model, version.version).description or ""
        if text not in written:
            whole = f"{written}\n\n{text}".lstrip()
            self._client.update_model_version(version.model, version.version, whole)
