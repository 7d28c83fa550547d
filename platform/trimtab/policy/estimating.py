"""Estimating the loss of a window without its labels, and calibrating how far that can be trusted.

Both methods assume that only the inputs have changed: neither sees a world that answers otherwise.
"""

from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trimtab.records.contracts import Contract
from trimtab.records.estimates import Estimator, Method
from trimtab.records.quality import Estimate

from . import confidence, loss_trees
from .limits import rate_in_budget, upper
from .promises import deviations, promise_quality
from .summaries import Floats

MISSED = 0.1
"""How often a measured loss may lie outside an estimate's interval, though only inputs changed."""
_MOST_CLASSES = 10  # of which the confusions are told; a hundred make ten thousand numbers


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answered:
    """Rows as they were asked and answered."""

    inputs: pd.DataFrame
    predictions: Floats
    """Numbers, for a regression; unused for classes."""
    probabilities: Floats | None
    """Rows by classes."""

    def at(self, rows: NDArray[np.intp]) -> "Answered":
        """Give some of the rows."""
        table = self.probabilities
        return Answered(
            inputs=self.inputs.iloc[rows],
            predictions=self.predictions[rows],
            probabilities=None if table is None else table[rows],
        )


def estimated_losses(estimator: Estimator, contract: Contract, rows: Answered) -> Floats:
    """Give each row's expected loss; NaN where the answer is none."""
    if estimator.trees is not None:
        values = loss_trees.matrix(
            estimator.trees.features, rows.inputs, rows.predictions, contract.schema
        )
        return loss_trees.expected_losses(estimator.trees, values)
    if rows.probabilities is None:
        return np.full(len(rows.inputs), np.nan)
    return confidence.expected_losses(estimator.metric, estimator.curves, rows.probabilities)


def calibrate(
    estimator: Estimator,
    estimated: Floats,
    measured: Floats,
    times: "pd.Series[pd.Timestamp] | None",
    *,
    window: timedelta,
    false_alarms: float,
    seed: int,
) -> Estimator:
    """Set an estimator's limit and margin by windows of rows whose losses are known.

    `estimated` are by fits that had not seen the row. Raises ValueError when no row has both.
    """
    both = np.isfinite(estimated) & np.isfinite(measured)
    known = np.where(both, estimated, np.nan)
    promise = promise_quality(
        known, times, metric=estimator.metric, window=window, false_alarms=false_alarms, seed=seed
    )
    errors = deviations(known - measured, times, window=window, seed=seed)
    rate = rate_in_budget(MISSED)
    margin = upper(np.abs(errors.values), independent=errors.independent, rate=rate)
    return replace(
        estimator,
        expected=promise.expected,
        limit=promise.limit,
        margin=max(0.0, margin),
        rows=errors.rows,
    )


def estimate(
    estimator: Estimator, contract: Contract, rows: Answered, losses: Floats, *, rows_needed: int
) -> Estimate | None:
    """Estimate a window's mean loss; None with too few rows that can be estimated.

    `losses` are the estimated ones of these rows.
    """
    known = losses[np.isfinite(losses)]
    if known.size < max(1, rows_needed):
        return None
    widened, value = estimator.widened(known.size), float(known.mean())
    margin = estimator.margin * widened
    return Estimate(
        method=estimator.method,
        value=value,
        low=max(0.0, value - margin),
        high=value + margin,
        limit=estimator.expected + (estimator.limit - estimator.expected) * widened,
        rows=int(known.size),
        confusion=_confusion(estimator, contract, rows),
    )


def _confusion(
    estimator: Estimator, contract: Contract, rows: Answered
) -> tuple[tuple[float, ...], ...]:
    is_few = len(contract.classes) <= _MOST_CLASSES
    if estimator.method is not Method.CBPE or rows.probabilities is None or not is_few:
        return ()
    found = confidence.expected_confusion(estimator.curves, rows.probabilities)
    return tuple(tuple(round(n, 1) for n in row) for row in found.tolist())
