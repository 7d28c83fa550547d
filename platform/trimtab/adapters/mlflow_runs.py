"""What MLflow keeps of one run, as a trace tells it."""

from datetime import UTC, datetime

from mlflow.exceptions import MlflowException

from trimtab.errors import UnknownVersionError
from trimtab.records.traces import TracedRun
from trimtab.records.versions import ModelVersion

from .mlflow_calls import Patience, connect, is_absent
from .mlflow_links import run_page


def read_run(tracking_uri: str, version: ModelVersion) -> TracedRun:
    """Read the run that made a version.

    Raises RegistryUnreachableError, and UnknownVersionError where the run is gone.
    """
    client, patiently = connect(tracking_uri), Patience(tracking_uri)
    try:
        run = patiently(lambda: client.get_run(version.run_id))
    except MlflowException as error:
        if not is_absent(error):
            raise
        why = f"its run {version.run_id} was deleted from MLflow"
        raise UnknownVersionError(version.model, version.version, why) from None
    tags = run.data.tags
    is_changed = tags.get("trimtab.uncommitted_changes") == "true"
    commit = tags.get("mlflow.source.git.commit", "")
    return TracedRun(
        id=version.run_id,
        page=run_page(tracking_uri, version),
        name=str(run.info.run_name),
        status=str(run.info.status),
        started_at=_moment(run.info.start_time),
        ended_at=_moment(run.info.end_time),
        code=str(tags.get("trimtab.code", "")),
        commit=f"{commit}+changes" if commit and is_changed else commit,
    )


def _moment(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)
