"""How good the answers of a window were: measured as far as labels have come, and estimated."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from trimtab.policy import measuring
from trimtab.policy.estimating import Answered, estimate, estimated_losses
from trimtab.policy.grading import grade
from trimtab.policy.losses import losses, numbers
from trimtab.policy.slicing import masks
from trimtab.policy.summaries import Floats
from trimtab.policy.time_order import seconds_of
from trimtab.records.contracts import Contract
from trimtab.records.labels import Label
from trimtab.records.quality import Estimate, Quality, QualityPromise
from trimtab.records.reference import Reference

from .version_files import probabilities

_MOST = 50_000
"""Rows of a window that are estimated, evenly spaced: more would cost time and tell nothing."""


def keys_of(rows: pd.DataFrame) -> "pd.Series[str]":
    """Give what each row's label goes by: its key, or the prediction's id where it has none."""
    return rows["key"].fillna(rows["prediction_id"])


def measure(
    contract: Contract,
    reference: Reference,
    rows: pd.DataFrame,
    inputs: pd.DataFrame,
    labels: Mapping[str, Label],
    *,
    withheld: Mapping[str, str] = {},
) -> Quality | None:
    """Measure and estimate the mean loss of the answers; None when the version promised nothing.

    `rows` are the log's, `inputs` what was asked, in the same order; `withheld` names inputs that
    the log does not hold as they came. With fewer labels than a window needs rows there is no
    measured value: it would prove nothing.
    """
    if reference.quality is None:
        return None
    seen = inputs[[name for name in inputs.columns if name not in withheld]]
    answered = _answered(contract, rows, seen)
    found = [labels.get(key) for key in keys_of(rows)]
    per_row = _losses(contract, reference.quality.metric, rows, answered, found)
    measured = _measured(reference, reference.quality, rows, found, per_row)
    parts = masks([promise.rows_in for promise in reference.quality.slices], seen, contract.schema)
    return replace(
        measured,
        slices=measuring.measured_slices(reference.quality.slices, per_row, parts),
        estimate=_estimate(contract, reference, answered, per_row),
    )


def _measured(
    reference: Reference,
    promise: QualityPromise,
    rows: pd.DataFrame,
    labels: Sequence[Label | None],
    per_row: Floats,
) -> Quality:
    """Measure what is labelled; losses are NaN where there is no label, or one that is no truth."""
    is_known, seconds = np.isfinite(per_row), seconds_of(rows["time"])
    labelled = int(is_known.sum())
    is_enough = labelled >= reference.rows_needed
    known_at = [np.nan if label is None else label.known_at.timestamp() for label in labels]
    bounds = measuring.bounds(per_row, seconds) if is_enough else None
    low, high = bounds or (None, None)
    return Quality(
        metric=promise.metric,
        value=float(per_row[is_known].mean()) if is_enough else None,
        limit=measuring.limit_at(promise, labelled),
        labelled=labelled,
        completeness=labelled / len(rows) if len(rows) else 0.0,
        low=low,
        high=high,
        lag=measuring.lag_of((np.array(known_at) - seconds)[is_known]),
    )


def _losses(
    contract: Contract,
    metric: str,
    rows: pd.DataFrame,
    answered: Answered,
    labels: Sequence[Label | None],
) -> Floats:
    known = np.flatnonzero([label is not None for label in labels])
    truth = [label.value for label in labels if label is not None]
    table = answered.probabilities
    found = np.full(len(rows), np.nan)
    found[known] = losses(
        metric,
        contract,
        None if table is None else table[known],
        rows["prediction"].iloc[known].tolist(),
        truth,
    )
    return np.where(np.isfinite(found), found, np.nan)


def _estimate(
    contract: Contract, reference: Reference, answered: Answered, per_row: Floats
) -> Estimate | None:
    """Estimate the window; the grade is given on its rows with labels, once they are enough."""
    estimator, needed = reference.estimator, reference.rows_needed
    if estimator is None:
        return None
    chosen = np.linspace(0, len(per_row) - 1, min(len(per_row), _MOST)).astype(int)
    rows, truth = answered.at(chosen), per_row[chosen]
    expected = estimated_losses(estimator, contract, rows)
    found = estimate(estimator, contract, rows, expected, rows_needed=needed)
    if found is None or np.isfinite(truth).sum() < needed:
        return found
    return replace(found, grade=grade(estimator, expected, truth))


def _answered(contract: Contract, rows: pd.DataFrame, inputs: pd.DataFrame) -> Answered:
    if contract.task.is_classification:
        table = probabilities(rows, len(contract.classes))
        return Answered(inputs=inputs, predictions=np.full(len(rows), np.nan), probabilities=table)
    predicted = numbers(rows["prediction"].tolist())
    return Answered(inputs=inputs, predictions=predicted, probabilities=None)
