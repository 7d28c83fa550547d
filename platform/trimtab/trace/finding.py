"""Finding one prediction: in the inference log, or where it waits to get there."""

from collections.abc import Sequence
from datetime import datetime
from importlib.metadata import entry_points

from trimtab.adapters.capture_key import capture_key
from trimtab.adapters.opening import open_clock, open_log
from trimtab.errors import SettingsError
from trimtab.policy.redaction import pseudonym, secret_of
from trimtab.ports import Database, InferenceLog
from trimtab.ports.serving import ServingRecords
from trimtab.records.durations import format_duration
from trimtab.records.ids import asked_at, is_prediction_id
from trimtab.records.traces import Captured, Whereabouts
from trimtab.settings import Settings

from .errors import UnknownPredictionError

SERVING = "trimtab.serving_records"
"""The entry point by which the component that serves brings its records: name = module:class."""
_ERASED = "subject erased"


def find(settings: Settings, database: Database, models: Sequence[str], id: str) -> Captured:
    """Find a prediction in the records of some models.

    Raises SettingsError when it is no prediction's id, and UnknownPredictionError, which says what
    may have become of it.
    """
    if not is_prediction_id(id):
        raise SettingsError(f"{id!r} names no prediction. {_how_ids_look(id)}")
    log = open_log(settings)
    if (found := _logged(log, models, id)) is not None:
        return found
    if (waiting := _waiting(settings, models, id)) is not None:
        return waiting
    if (found := _logged(log, models, id)) is not None:
        return found  # it was shipped in between
    raise UnknownPredictionError(id, _why(settings, database, models, id))


def _logged(log: InferenceLog, models: Sequence[str], id: str) -> Captured | None:
    for model in models:
        if (prediction := log.get(model, id)) is not None:
            return Captured(prediction=prediction, found_in=Whereabouts.LOG)
    return None


def _waiting(settings: Settings, models: Sequence[str], id: str) -> Captured | None:
    serving = open_serving(settings)
    if serving is None:
        return None
    return next(filter(None, (serving.captured(model, id) for model in models)), None)


def open_serving(settings: Settings) -> ServingRecords | None:
    """Open the records of the component that serves; None where it is not installed."""
    for point in entry_points(group=SERVING):
        records: ServingRecords = point.load()(settings)
        return records
    return None


def _how_ids_look(given: str) -> str:
    if is_prediction_id(f"{given}-0"):
        return f"It is the id of a request; its rows are {given}-0, {given}-1 and so on."
    return (
        "A prediction's id stands in the answer: 32 hexadecimal digits, a dash and the number of "
        "the row."
    )


def _why(settings: Settings, database: Database, models: Sequence[str], id: str) -> str:
    """Say what may have become of it, the surest first."""
    at = asked_at(id)
    for model in models:
        if (erased := _erased(settings, database, model, id)) is not None:
            return f"it was erased from the records of {model} at {erased:%Y-%m-%d %H:%M} UTC."
    return " ".join(
        filter(
            None,
            [
                _asked(at),
                *(_expired(settings, model, at) for model in models),
                *(_lost(database, model) for model in models),
                "An erasure by key leaves no trace of single predictions; other projects and "
                "other homes (TRIMTAB_HOME, TRIMTAB_INFERENCE_LOG) have records of their own.",
            ],
        )
    )


def _erased(settings: Settings, database: Database, model: str, id: str) -> datetime | None:
    name = pseudonym(secret_of(capture_key(settings)), id)
    with database.transaction() as stores:
        entries = stores.ledger.concerning(model, name)
    return next((entry.at for entry in entries if entry.event == _ERASED), None)


def _asked(at: datetime | None) -> str:
    if at is None:
        return "its id does not say when it was made."
    return f"by its id it was made at {at:%Y-%m-%d %H:%M:%S} UTC."


def _expired(settings: Settings, model: str, at: datetime | None) -> str:
    kept = settings.model(model).capture.retention
    if kept is None or (at is not None and at >= open_clock(settings).now() - kept):
        return ""
    return f"Rows of {model} are removed after {format_duration(kept)} (capture.retention)."


def _lost(database: Database, model: str) -> str:
    with database.transaction() as stores:
        status = stores.endpoints.get(model)
    if status is None or not status.dropped:
        return ""
    return f"The endpoint of {model} answered {status.dropped} requests that it could not capture."
