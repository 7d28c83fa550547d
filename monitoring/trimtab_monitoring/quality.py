"""How good the answers of a window were, as far as their labels have come."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from trimtab.policy.losses import losses
from trimtab.policy.summaries import Floats
from trimtab.records.contracts import Contract
from trimtab.records.labels import Label
from trimtab.records.reference import Reference
from trimtab.records.verdicts import Quality

from .version_files import probabilities


def keys_of(rows: pd.DataFrame) -> "pd.Series[str]":
    """Give what each row's label goes by: its key, or the prediction's id where it has none."""
    return rows["key"].fillna(rows["prediction_id"])


COLUMNS = ("prediction_id", "key", "prediction", "probabilities")
"""What is needed of the log's rows to measure how good they were."""


def measure(
    contract: Contract, reference: Reference, rows: pd.DataFrame, labels: Mapping[str, Label]
) -> Quality | None:
    """Measure the mean loss of the answers; None when the version promised nothing."""
    return quality_of(reference, losses_of(contract, reference, rows, labels))


def losses_of(
    contract: Contract, reference: Reference, rows: pd.DataFrame, labels: Mapping[str, Label]
) -> Floats:
    """Give the loss of each row; NaN where there is no label, or no promise to measure by."""
    per_row = np.full(len(rows), np.nan)
    if reference.quality is None or not labels:
        return per_row
    keys = keys_of(rows)
    known = np.array([key in labels for key in keys], dtype=bool)
    answered = rows[known]
    truth = [labels[key].value for key in keys[known]]
    classes = len(contract.classes)
    table = probabilities(answered, classes) if contract.task.is_classification else None
    said = answered["prediction"].tolist()
    per_row[known] = losses(reference.quality.metric, contract, table, said, truth)
    return per_row


def quality_of(reference: Reference, per_row: Floats) -> Quality | None:
    """Measure by the losses of all answered rows, NaN where none is known.

    With fewer labels than a window needs rows there is no value: it would prove nothing.
    """
    promise = reference.quality
    if promise is None:
        return None
    counted = per_row[~np.isnan(per_row)]
    is_enough = counted.size >= reference.rows_needed
    return Quality(
        metric=promise.metric,
        value=float(counted.mean()) if is_enough else None,
        limit=_limit_at(reference, counted.size),
        labelled=int(counted.size),
        completeness=counted.size / len(per_row) if len(per_row) else 0.0,
    )


def _limit_at(reference: Reference, labelled: int) -> float:
    """Widen the promise, which is for a usual window, for one with fewer labels."""
    promise = reference.quality
    if promise is None or labelled == 0:
        return float(promise.limit) if promise else 0.0
    usual = reference.usual_rows
    margin = promise.limit - promise.expected
    return float(promise.expected + margin * max(1.0, np.sqrt(usual / labelled)))
