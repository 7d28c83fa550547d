"""Fit what tells the version's loss without labels, on rows that it had not been fitted on."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
import pandas as pd

from trimtab.policy.calibration import Learn, fit_curves, isotonic, miscalibration, sigmoid
from trimtab.policy.estimating import Answered, calibrate, estimated_losses
from trimtab.policy.loss_trees import features_of, matrix
from trimtab.policy.time_order import in_time
from trimtab.records.contracts import Contract
from trimtab.records.estimates import Curve, Estimator, Method

from .tree_fitting import fit_trees

_FEWEST = 200
"""With fewer rows whose loss is known nothing can be learned of the loss."""
_FOLDS = 5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KnownRows:
    """Rows that were answered by a model which had not been fitted on them, and their truth."""

    answered: Answered
    truth: np.ndarray
    """The index of the class, or the number."""
    losses: np.ndarray
    times: "pd.Series[pd.Timestamp] | None"

    def at(self, rows: np.ndarray) -> "KnownRows":
        """Give some of the rows."""
        return KnownRows(
            answered=self.answered.at(rows),
            truth=self.truth[rows],
            losses=self.losses[rows],
            times=None if self.times is None else self.times.iloc[rows],
        )


Fit = Callable[[KnownRows], Estimator]
"""Gives an estimator that is not calibrated yet."""


def fit_estimator(
    contract: Contract,
    metric: str,
    rows: KnownRows,
    *,
    window: timedelta,
    false_alarms: float,
    seed: int,
) -> Estimator | None:
    """Fit and calibrate an estimator of the version's loss; None where rows are too few for it.

    Limit and interval come from estimates of blocks of time by fits on the other blocks, so that
    they hold what the estimator itself does not know.
    """
    order, _ = in_time(rows.times, len(rows.losses))
    known = rows.at(order[np.isfinite(rows.losses[order])])
    if len(known.losses) < _FEWEST:
        return None
    blocks = np.array_split(np.arange(len(known.losses)), _FOLDS)
    fit = _way_to_fit(contract, metric, known, blocks, seed)
    estimated = np.concatenate(
        [
            estimated_losses(fit(known.at(rest)), contract, known.at(b).answered)
            for b, rest in _with_rest(blocks)
        ]
    )
    return calibrate(
        fit(known),
        estimated,
        known.losses,
        known.times,
        window=window,
        false_alarms=false_alarms,
        seed=seed,
    )


def _way_to_fit(
    contract: Contract, metric: str, known: KnownRows, blocks: Sequence[np.ndarray], seed: int
) -> Fit:
    if not contract.task.is_classification:
        return lambda rows: _by_trees(contract, metric, rows, seed)
    best = min((None, sigmoid, isotonic), key=lambda learn: _miscalibration(learn, known, blocks))
    return lambda rows: replace(_uncalibrated(Method.CBPE, metric), curves=_curves(best, rows))


def _miscalibration(learn: Learn | None, known: KnownRows, blocks: Sequence[np.ndarray]) -> float:
    """Tell how far probabilities are from the truth, on blocks that their curves do not know."""
    found = [
        miscalibration(_curves(learn, known.at(rest)), _probabilities(rows), rows.truth)
        for rows, rest in ((known.at(block), rest) for block, rest in _with_rest(blocks))
    ]
    return float(np.average(found, weights=[len(block) for block in blocks]))


def _with_rest(blocks: Sequence[np.ndarray]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for i, block in enumerate(blocks):
        yield block, np.concatenate([*blocks[:i], *blocks[i + 1 :]])


def _curves(learn: Learn | None, rows: KnownRows) -> tuple[Curve, ...]:
    return () if learn is None else fit_curves(learn, _probabilities(rows), rows.truth)


def _probabilities(rows: KnownRows) -> np.ndarray:
    table = rows.answered.probabilities
    if table is None:
        raise ValueError("classes without probabilities have no expected loss")
    return table


def _by_trees(contract: Contract, metric: str, rows: KnownRows, seed: int) -> Estimator:
    asked = rows.answered
    features = features_of(asked.inputs, rows.losses, contract.schema)
    values = matrix(features, asked.inputs, asked.predictions, contract.schema)
    trees = fit_trees(features, values, rows.losses, seed)
    return replace(_uncalibrated(Method.DLE, metric), trees=trees)


def _uncalibrated(method: Method, metric: str) -> Estimator:
    return Estimator(method=method, metric=metric, expected=0.0, limit=0.0, margin=0.0, rows=0)
