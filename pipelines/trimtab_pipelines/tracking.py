"""The MLflow run of a training: found before it is created, and never left running."""

import os
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import DatasetInput, LoggedModelOutput, Metric, Param, Run, RunTag
from mlflow.entities.model_registry import ModelVersion as MlflowVersion
from mlflow.environment_variables import MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT
from mlflow.exceptions import MlflowException

from trimtab.adapters.mlflow_calls import Patience, connect
from trimtab.settings.loading import Settings

from .errors import TrackingError
from .search_runs import SearchRuns

REQUEST_TAG = "trimtab.request"
"""Ties runs, models and versions to the request they were made for."""
_TAKEN = "RESOURCE_ALREADY_EXISTS"
_LONGEST_PARAM = 500


class TrainingRun:
    """One MLflow run that is under way. Every call may be repeated when its answer is lost."""

    def __init__(self, client: MlflowClient, patiently: Patience, run: Run) -> None:
        self.id = str(run.info.run_id)
        self.experiment = str(run.info.experiment_id)
        self.tags = {REQUEST_TAG: str(run.data.tags[REQUEST_TAG])}
        """What all runs of the request bear."""
        self.search = SearchRuns(client, patiently, self)
        self._client = client
        self._patiently = patiently

    def log(
        self,
        *,
        params: Mapping[str, object] | None = None,
        metrics: Mapping[str, float] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Log parameters, metrics and tags together."""
        at = 0  # one moment for all: what is logged again is then the same, not more
        self._patiently(
            lambda: self._client.log_batch(
                self.id,
                metrics=[Metric(name, value, at, 0) for name, value in (metrics or {}).items()],
                params=[
                    Param(name, str(value)[:_LONGEST_PARAM])
                    for name, value in (params or {}).items()
                ],
                tags=[RunTag(name, value) for name, value in (tags or {}).items()],
            )
        )

    def log_input(self, dataset: DatasetInput) -> None:
        """Log the dataset snapshot."""
        self._patiently(lambda: self._client.log_inputs(self.id, [dataset]))

    def log_folder(self, folder: Path, path: str) -> None:
        """Log the files of a folder among the run's artifacts."""
        self._patiently(lambda: self._client.log_artifacts(self.id, str(folder), path))

    def open_model(self, name: str) -> tuple[str, str]:
        """Find or create the run's logged model; gives its id and where its files belong."""

        def attempt() -> tuple[str, str]:
            found = self._client.search_logged_models(
                [self.experiment], f"source_run_id = '{self.id}'"
            )
            model = (
                found[0]
                if found
                else self._client.create_logged_model(
                    self.experiment, name=name, source_run_id=self.id
                )
            )
            return str(model.model_id), str(model.artifact_location)

        return self._patiently(attempt)

    def upload_model(self, model_id: str, folder: Path) -> None:
        """Upload a version's files; only then is the logged model ready."""
        self._patiently(lambda: self._client.log_model_artifacts(model_id, str(folder)))
        self._patiently(lambda: self._client.finalize_logged_model(model_id, "READY"))
        self._patiently(lambda: self._name_output(model_id))

    def _name_output(self, model_id: str) -> None:
        """Say which model the run made, once: MLflow's database refuses to hear it again."""
        outputs = self._client.get_run(self.id).outputs
        known = outputs.model_outputs if outputs else []
        if all(output.model_id != model_id for output in known):
            self._client.log_outputs(self.id, [LoggedModelOutput(model_id, 0)])

    def register(
        self, model: str, model_id: str, tags: Mapping[str, str], description: str
    ) -> MlflowVersion:
        """Find or create the version of this run."""

        def attempt() -> MlflowVersion:
            _ignoring_taken(lambda: self._client.create_registered_model(model))
            query = f"name = '{model}' and run_id = '{self.id}'"
            found = list(self._client.search_model_versions(query))
            return (
                found[0]
                if found
                else self._client.create_model_version(
                    model,
                    f"models:/{model_id}",
                    run_id=self.id,
                    tags=dict(tags),
                    description=description,
                    model_id=model_id,
                    await_creation_for=0,
                )
            )

        return self._patiently(attempt)


@contextmanager
def training_run(
    settings: Settings, model: str, request_id: str, name: str, tags: Mapping[str, str]
) -> Iterator[TrainingRun]:
    """Open the one run of a request, and end it whatever happens.

    What an earlier attempt at the same request left running is ended first.
    """
    client, patiently = _open(settings)
    experiment = patiently(lambda: _experiment(client, model))
    _end(client, patiently, _running(client, patiently, experiment, request_id))
    run = patiently(lambda: _find_or_create(client, experiment, request_id, name, tags))
    training = TrainingRun(client, patiently, run)
    try:
        yield training
    except BaseException as error:
        reason = "".join(traceback.format_exception_only(error)).strip()[:5000]
        training.log(tags={"trimtab.failure": reason})
        left = _running(client, patiently, experiment, request_id)
        _end(client, patiently, [run for run in left if run.info.run_id != training.id])
        patiently(lambda: client.set_terminated(training.id, "FAILED"))
        raise
    patiently(lambda: client.set_terminated(training.id, "FINISHED"))


def registered_version(settings: Settings, model: str, request_id: str) -> MlflowVersion | None:
    """Find the version that an earlier attempt at a request has registered.

    Where that attempt was killed before it could end its run, the run is ended now.
    """
    client, patiently = _open(settings)
    query = f"name = '{model}' and tags.`{REQUEST_TAG}` = '{request_id}'"
    found = patiently(lambda: client.search_model_versions(query))
    if not found:
        return None
    run_id = str(found[0].run_id)
    if patiently(lambda: client.get_run(run_id)).info.status == "RUNNING":
        patiently(lambda: client.set_terminated(run_id, "FINISHED"))
    return found[0]


def end_stale_runs(settings: Settings, model: str, alive_request: str | None) -> list[str]:
    """End the runs of a model that are left running without anybody at work; give their ids."""
    client, patiently = _open(settings)
    experiment = patiently(lambda: client.get_experiment_by_name(model))
    if experiment is None:
        return []
    running = _running(client, patiently, str(experiment.experiment_id), None)
    stale = [run for run in running if run.data.tags.get(REQUEST_TAG) != alive_request]
    _end(client, patiently, stale)
    return [str(run.info.run_id) for run in stale]


def _open(settings: Settings) -> tuple[MlflowClient, Patience]:
    # MLflow prints two lines with every run that ends; what is said to people is said by us.
    os.environ[MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT.name] = "true"
    return connect(settings.tracking_uri), Patience(settings.tracking_uri)


def _experiment(client: MlflowClient, model: str) -> str:
    _ignoring_taken(lambda: client.create_experiment(model))
    found = client.get_experiment_by_name(model)
    if found is None:
        raise TrackingError(f"MLflow does not find experiment {model!r}, which it has just made.")
    return str(found.experiment_id)


def _ignoring_taken(create: Any) -> None:
    try:
        create()
    except MlflowException as error:
        if error.error_code != _TAKEN:
            raise


def _find_or_create(
    client: MlflowClient, experiment: str, request_id: str, name: str, tags: Mapping[str, str]
) -> Run:
    found = client.search_runs([experiment], _query(request_id))
    if found:
        return found[0]
    return client.create_run(experiment, run_name=name, tags={**tags, REQUEST_TAG: request_id})


def _running(
    client: MlflowClient, patiently: Patience, experiment: str, request_id: str | None
) -> list[Run]:
    return list(patiently(lambda: client.search_runs([experiment], _query(request_id))))


def _query(request_id: str | None) -> str:
    running = "attributes.status = 'RUNNING'"
    if request_id is None:
        return running
    return f"{running} and tags.`{REQUEST_TAG}` = '{request_id}'"


def _end(client: MlflowClient, patiently: Patience, runs: list[Run]) -> None:
    for run in runs:
        run_id = str(run.info.run_id)
        patiently(lambda run_id=run_id: client.set_terminated(run_id, "KILLED"))  # type: ignore[misc]
