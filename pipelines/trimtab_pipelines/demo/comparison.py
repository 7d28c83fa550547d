"""What was served, window by window, beside what the first version would have answered."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from trimtab.adapters.predictor import Predictor
from trimtab.policy.losses import losses
from trimtab.ports import Database, InferenceLog
from trimtab.records.contracts import Contract, Task
from trimtab.records.logged import LoggedRows
from trimtab.records.verdicts import Verdict
from trimtab.records.windows import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowResult:
    """One window of the replay."""

    window: Window
    verdicts: tuple[Verdict, ...]
    """One a version that answered in it."""
    versions: tuple[str, ...]
    rows: int
    loss: float
    first_loss: float
    auc: float | None
    first_auc: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """What the inference log holds of the replay."""

    scored: pd.DataFrame
    """Labelled rows: time, version, loss, first_loss and, for binary tasks, score, first_score
    and positive."""
    prediction_ids: tuple[str, ...]


def gather(
    database: Database,
    log: InferenceLog,
    first: Predictor,
    *,
    model: str,
    metric: str,
    versions: Sequence[str],
) -> Logged:
    """Read the whole log, join the labels and score every row with the first version too."""
    frames: list[pd.DataFrame] = []
    ids: list[str] = []
    for version in versions:
        logged = log.read(model, version)
        if logged is None:
            continue
        ids.extend(logged.rows["prediction_id"])
        frames.append(_score(database, logged, first, model, metric).assign(version=version))
    return Logged(scored=pd.concat(frames, ignore_index=True), prediction_ids=tuple(ids))


def by_window(
    logged: Logged, verdicts: Sequence[Verdict], length: timedelta
) -> Sequence[WindowResult]:
    """Put the rows into the windows that were judged, oldest first."""
    grouped: dict[Window, list[Verdict]] = {}
    for verdict in verdicts:
        grouped.setdefault(verdict.window, []).append(verdict)
    starts = logged.scored["time"].map(lambda moment: Window.around(moment, length).start)
    return [
        _result(window, tuple(grouped[window]), logged.scored[starts == window.start])
        for window in sorted(grouped)
    ]


def _result(window: Window, verdicts: tuple[Verdict, ...], rows: pd.DataFrame) -> WindowResult:
    return WindowResult(
        window=window,
        verdicts=verdicts,
        versions=tuple(rows["version"].drop_duplicates()),
        rows=len(rows),
        loss=float(rows["loss"].mean()),
        first_loss=float(rows["first_loss"].mean()),
        auc=auc(rows, "score"),
        first_auc=auc(rows, "first_score"),
    )


def auc(rows: pd.DataFrame, score: str) -> float | None:
    """Give the area under the ROC curve; None where there is none to give."""
    if score not in rows or rows["positive"].nunique() < 2:
        return None
    return float(roc_auc_score(rows["positive"], rows[score]))


def _score(
    database: Database, logged: LoggedRows, first: Predictor, model: str, metric: str
) -> pd.DataFrame:
    with database.transaction() as stores:
        labels = stores.labels.get(model, logged.rows["key"].tolist())
    known = logged.rows["key"].isin(labels)
    rows, inputs = logged.rows[known], logged.inputs[known]
    truth = [labels[key].value for key in rows["key"]]
    answers = first.predict(inputs)
    probabilities = (
        np.vstack(rows["probabilities"].tolist()) if first.contract.task.is_classification else None
    )
    contract = first.contract
    table = pd.DataFrame(
        {
            "time": rows["time"],
            "loss": losses(metric, contract, probabilities, rows["prediction"].tolist(), truth),
            "first_loss": losses(
                metric, contract, answers.probabilities, answers.predictions, truth
            ),
        }
    )
    if contract.task is Task.BINARY and probabilities is not None:
        table["positive"] = _positive(contract, truth)
        table["score"] = probabilities[:, 1]
        assert answers.probabilities is not None
        table["first_score"] = answers.probabilities[:, 1]
    return table


def _positive(contract: Contract, truth: Sequence[str]) -> list[bool]:
    return [contract.class_of(label) == 1 for label in truth]
