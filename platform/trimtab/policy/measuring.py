"""Measuring a window's loss: its mean and bounds, how late its labels came, and its slices."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from trimtab.records.quality import LabelLag, QualityPromise, Slice, SlicePromise, SliceQuality

from .promises import FEWEST
from .resampling import bounds_of_mean
from .summaries import Floats

CONFIDENCE = 0.95
"""Of each bound."""
_BLOCKS = 24
"""Stretches of equal time that a window is cut into; its rows share their luck within one."""


def bounds(losses: Floats, seconds: Floats) -> tuple[float, float] | None:
    """Bound the mean loss from below and above; NaN losses are left out.

    By a block bootstrap over stretches of time, as rows are like their neighbours. None when all
    rows lie in one stretch.
    """
    known = np.isfinite(losses) & np.isfinite(seconds)
    if not known.any():
        return None
    since = seconds[known] - seconds[known].min()
    blocks = np.minimum((since * _BLOCKS // max(float(since.max()), 1e-9)), _BLOCKS - 1)
    _, of = np.unique(blocks, return_inverse=True)
    sums = np.bincount(of, weights=losses[known]).astype(np.float64)
    return bounds_of_mean(sums, np.bincount(of).astype(np.float64), CONFIDENCE, seed=0)


def lag_of(seconds: Iterable[float]) -> LabelLag | None:
    """Sum up how long labels took, in whole seconds; None when none has come."""
    waited = np.array(list(seconds), dtype=float)
    waited = waited[np.isfinite(waited)]
    if waited.size == 0:
        return None
    median, most = np.quantile(waited, [0.5, 0.9], method="inverted_cdf").round().tolist()
    return LabelLag(median=timedelta(seconds=median), most=timedelta(seconds=most))


def limit_at(promise: QualityPromise | SlicePromise, labelled: int) -> float:
    """Widen a promise, which is for a usual window, for one with fewer labels."""
    margin = promise.limit - promise.expected
    factor = max(1.0, (promise.rows / labelled) ** 0.5) if labelled else 1.0
    return float(promise.expected + margin * factor)


def measured_slices(
    promises: Sequence[SlicePromise],
    losses: Floats,
    masks: Mapping[Slice, NDArray[np.bool_]],
) -> tuple[SliceQuality, ...]:
    """Measure each promised slice whose rows are known; masks and losses are of the same rows."""
    found = []
    for promise in promises:
        if promise.rows_in in masks:
            known = losses[masks[promise.rows_in] & np.isfinite(losses)]
            is_enough = known.size >= FEWEST
            found.append(
                SliceQuality(
                    name=str(promise.rows_in),
                    rows=int(known.size),
                    value=float(known.mean()) if is_enough else None,
                    limit=limit_at(promise, known.size),
                )
            )
    return tuple(found)
