"""Reports and figures beside a version, as MLflow's pages show them."""

import shutil
import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path, PurePosixPath

from mlflow.entities import Metric
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from trimtab.policy.descriptions import with_block
from trimtab.records.versions import ModelVersion

from .mlflow_calls import Patience, connect
from .mlflow_links import artifact_bytes, artifact_page

_WATCHES = "trimtab.watches"
"""The tag of the run that holds the curves of a version's time in service."""


class MlflowReports:
    """Artifacts and metrics of the version's run; tags and description of the version.

    `pages` is where people open MLflow, if that is not where this process reaches it.
    """

    def __init__(self, tracking_uri: str, *, pages: str | None = None) -> None:
        self._client = connect(tracking_uri)
        self._patiently = Patience(tracking_uri)
        self._pages = pages or tracking_uri
        self._curves: dict[str, str] = {}

    def publish(self, version: ModelVersion, name: str, file: Path) -> str:
        """Add a file to the run's artifacts; gives its artifact path."""
        path = PurePosixPath(name)
        folder = None if path.parent == PurePosixPath(".") else str(path.parent)
        with tempfile.TemporaryDirectory() as scratch:
            named = shutil.copyfile(file, Path(scratch) / path.name)
            self._patiently(lambda: self._client.log_artifact(version.run_id, str(named), folder))
        return str(path)

    def link(self, version: ModelVersion, path: str) -> str:
        """Tell on which of MLflow's pages people open a file that was published."""
        experiment = self._experiment(version)
        return artifact_page(self._pages, experiment, version.run_id, path)

    def image(self, version: ModelVersion, path: str) -> str:
        """Tell where MLflow's pages find a picture, wherever people open them."""
        return artifact_bytes(version.run_id, path)

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

    def describe(self, version: ModelVersion, block: str, text: str) -> None:
        """Put Markdown into the description in the place of the block of that name."""
        client, model, number = self._client, version.model, version.version
        written = self._patiently(lambda: client.get_model_version(model, number)).description or ""
        whole = with_block(written, block, text)
        if whole != written:
            self._patiently(lambda: client.update_model_version(model, number, whole))

    def plot(
        self, version: ModelVersion, figures: Mapping[str, float], *, at: datetime, step: int
    ) -> None:
        """Add a point to each curve of a run of its own, below the one that made the version."""
        moment = int(at.timestamp() * 1000)
        points = [Metric(name, figure, moment, step) for name, figure in figures.items()]
        run_id = self._curves_of(version)
        try:
            self._patiently(lambda: self._client.log_batch(run_id, metrics=points))
        except MlflowException:
            del self._curves[version.run_id]  # somebody may have deleted it: look again next time
            raise

    def _curves_of(self, version: ModelVersion) -> str:
        """Find the run of the curves, or begin it; two that begin at once make two of them."""
        if version.run_id not in self._curves:
            experiment = self._experiment(version)
            found = self._patiently(
                lambda: self._client.search_runs(
                    [experiment],
                    f"tags.`{_WATCHES}` = '{version.run_id}'",
                    max_results=1,
                    order_by=["attributes.start_time ASC"],
                )
            )
            run_id = found[0].info.run_id if found else self._begin_curves(version, experiment)
            self._curves[version.run_id] = run_id
        return self._curves[version.run_id]

    def _begin_curves(self, version: ModelVersion, experiment: str) -> str:
        begun = self._client.create_run(
            experiment,
            run_name=f"monitoring of {version.model} version {version.version}",
            tags={_WATCHES: version.run_id, MLFLOW_PARENT_RUN_ID: version.run_id},
        )
        run_id: str = begun.info.run_id
        self._patiently(lambda: self._client.set_terminated(run_id))  # nobody is at work in it
        return run_id

    def _experiment(self, version: ModelVersion) -> str:
        run = self._patiently(lambda: self._client.get_run(version.run_id))
        experiment: str = run.info.experiment_id
        return experiment
