"""Promising a loss: what windows of rows showed that a version had not been fitted on."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trimtab.records.quality import QualityPromise, Slice, SlicePromise

from .limits import rate_in_budget, upper
from .pseudo_windows import PseudoWindows, by_rows, by_time
from .summaries import Floats
from .time_order import in_time

FEWEST = 30
"""With fewer rows a slice is neither promised nor measured."""
_WINDOWS_WITHOUT_TIMES = 12  # into which rows are cut whose times are not known


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Deviations:
    """How far the mean of each past window was from the mean of all rows outside of it."""

    values: Floats
    independent: int
    """Windows that do not overlap."""
    rows: int
    """Rows of a small window among them; nine of ten have more."""


def promise_quality(
    losses: Floats,
    times: "pd.Series[pd.Timestamp] | None",
    *,
    metric: str,
    window: timedelta,
    false_alarms: float,
    seed: int,
    slices: Mapping[Slice, NDArray[np.bool_]] = {},
    of_slices: float | None = None,
) -> QualityPromise:
    """Promise a mean loss, and a limit that windows of rows like these seldom exceed.

    `losses` are those of rows that the version was not fitted on; NaN where there is none.
    `slices` are masks of these rows; each with at least `FEWEST` of them has a limit of its own,
    and all of them share one budget: `of_slices`, or one as large as `false_alarms`.
    Raises ValueError when there is no loss at all.
    """
    rate = rate_in_budget(false_alarms)
    whole = _promised(losses, times, window=window, rate=rate, seed=seed)
    counted = [(part, np.where(rows, losses, np.nan)) for part, rows in slices.items()]
    counted = [(part, found) for part, found in counted if np.isfinite(found).sum() >= FEWEST]
    share = rate if of_slices is None else rate_in_budget(of_slices)
    share /= max(1, len(counted))
    parts = []
    for part, found in counted:
        one = _promised(found, times, window=window, rate=share, seed=seed)
        parts.append(
            SlicePromise(rows_in=part, expected=one.expected, limit=one.limit, rows=one.rows)
        )
    return replace(whole, metric=metric, slices=tuple(parts))


def deviations(
    values: Floats, times: "pd.Series[pd.Timestamp] | None", *, window: timedelta, seed: int
) -> Deviations:
    """Compare windows of the real length with the rest; NaN values are left out.

    Windows are stretches of neighbours, because live rows are like their neighbours too. Raises
    ValueError when there is no value at all.
    """
    order, seconds = in_time(times, len(values))
    known = np.isfinite(values[order])
    measured = values[order][known]
    if measured.size == 0:
        raise ValueError("There are no losses to promise anything of.")
    rng = np.random.default_rng(seed)
    if seconds is None:
        windows = by_rows(len(measured), max(1, len(measured) // _WINDOWS_WITHOUT_TIMES), rng)
    else:
        windows = by_time(seconds[known], window, rng)
    found = _from_rest(measured, windows)
    if found.values.size == 0:  # all rows lie in one window
        found = _from_rest(measured, by_rows(len(measured), len(measured), rng))
    return found


def _promised(
    losses: Floats,
    times: "pd.Series[pd.Timestamp] | None",
    *,
    window: timedelta,
    rate: float,
    seed: int,
) -> QualityPromise:
    found = deviations(losses, times, window=window, seed=seed)
    margin = upper(found.values, independent=found.independent, rate=rate)
    expected = float(np.mean(losses[np.isfinite(losses)]))
    return QualityPromise(
        metric="", expected=expected, limit=expected + max(0.0, margin), rows=found.rows
    )


def _from_rest(values: Floats, windows: PseudoWindows) -> Deviations:
    here, rest = windows.split(windows.total(values))
    rows_here, rows_rest = windows.split(windows.total(np.ones(len(values))))
    filled = (rows_here > 0) & (rows_rest > 0)
    if not filled.any():
        return Deviations(values=np.empty(0), independent=1, rows=0)
    usual = np.quantile(rows_here[filled], 0.1, method="lower")
    filled &= rows_here >= usual
    return Deviations(
        values=here[filled] / rows_here[filled] - rest[filled] / rows_rest[filled],
        independent=windows.independent,
        rows=int(usual),
    )
