"""What endpoints have captured, with the labels that were told since, as a past to replay."""

from collections.abc import Iterator, Sequence

import pandas as pd

from trimtab.adapters.opening import open_database, open_log
from trimtab.policy.labelling import labels_of_rows, named
from trimtab.ports import Database, InferenceLog
from trimtab.records.contracts import Task
from trimtab.records.labels import Label
from trimtab.records.logged import LoggedRows
from trimtab.settings import ModelSettings, Settings

from .errors import ReplayError

_TIME, _TRUTH, _KNOWN_AT = "(time)", "(truth)", "(known at)"
_AT_ONCE = 5_000  # names that are looked up in one query


def read_log(settings: Settings, model: str) -> tuple[pd.DataFrame, ModelSettings]:
    """Give all answered requests of a model, and the settings that name their columns.

    Labels are as they count now, with the moment at which they became known. Raises ReplayError
    where nothing was captured, or not as it came.
    """
    chosen = settings.model(model)
    database = open_database(settings)
    with database.transaction() as stores:
        promotions = stores.promotions.history(model)
    versions = sorted({promotion.version for promotion in promotions}, key=lambda v: (len(v), v))
    frames = list(_captured(open_log(settings), database, model, chosen, versions))
    if not frames:
        raise ReplayError(f"{model}: the inference log is empty: no endpoint has answered yet.")
    rows = pd.concat(frames, ignore_index=True)
    if chosen.task is Task.REGRESSION:
        rows[_TRUTH] = pd.to_numeric(rows[_TRUTH], errors="coerce")
    known = {"time": _TIME, "target": _TRUTH, "label_time": _KNOWN_AT, "key": None, "exclude": ()}
    slices = tuple(name for name in chosen.gate.slices if name in rows)  # inputs alone are captured
    gate = chosen.gate.model_copy(update={"slices": slices})
    return rows, chosen.model_copy(update={**known, "gate": gate})


def _captured(
    log: InferenceLog,
    database: Database,
    model: str,
    chosen: ModelSettings,
    versions: Sequence[str],
) -> Iterator[pd.DataFrame]:
    for version in versions:
        logged = log.read(model, version)
        if logged is None or logged.rows.empty:
            continue
        if hidden := chosen.capture.redacts(logged.inputs.columns):
            raise ReplayError(
                f"{model}: {', '.join(hidden)} is not captured as it came ([models.{model}."
                "capture]), so no version could be trained on it. Replay the source instead."
            )
        yield _joined(logged, _labels(database, model, logged))


def _labels(database: Database, model: str, logged: LoggedRows) -> list[Label | None]:
    keys, ids = logged.rows["key"].tolist(), logged.rows["prediction_id"].tolist()
    names = sorted(named(keys, ids))
    told: dict[str, Label] = {}
    with database.transaction() as stores:
        for start in range(0, len(names), _AT_ONCE):
            told.update(stores.labels.get(model, names[start : start + _AT_ONCE]))
    return labels_of_rows(keys, ids, told)


def _joined(logged: LoggedRows, labels: Sequence[Label | None]) -> pd.DataFrame:
    rows = logged.inputs.copy()
    rows[_TIME] = logged.rows["time"]
    rows[_TRUTH] = [None if label is None else label.value for label in labels]
    known_at = [None if label is None else label.known_at for label in labels]
    rows[_KNOWN_AT] = pd.to_datetime(pd.Series(known_at, index=rows.index), utc=True)
    return rows
