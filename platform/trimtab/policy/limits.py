"""Limits that keep the false-alarm rate of a whole window, over all its columns, to a budget."""

from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from trimtab.records.reference import Limits

from .distance import distances_from_rest
from .pseudo_windows import ENOUGH, PseudoWindows, by_rows, by_time
from .summaries import CodedColumn, Floats, size

SMALLEST = 0.03
"""A smaller distance (a shift of 0.07 standard deviations) is of no consequence."""
_MOST_OFTEN = 0.2  # a budget that allows more than one false alarm in five windows is no budget
_SMALLEST_SPREAD = 0.005  # of a column that hardly varies between windows
_EULER = 0.5772156649


def rate_in_budget(false_alarms: float) -> float:
    """Give the rate of false alarms of one window, from the number expected in it."""
    return min(max(false_alarms, 1e-4), _MOST_OFTEN)


def calibrate(
    columns: Sequence[CodedColumn],
    seconds: Floats | None,
    *,
    window: timedelta,
    rate: float,
    min_rows: int,
    seed: int,
) -> tuple[Limits, ...]:
    """Find the limits for windows of `min_rows` rows and more, up to those that are usual.

    Each size has its own, because small windows differ more by chance. `seconds` are the times of
    the rows, which are in their order.
    """
    rng = np.random.default_rng(seed)
    rows = len(columns[0].codes)
    usual, whole = _usual_windows(seconds, window, min_rows, rng)
    sizes = [min_rows]
    while sizes[-1] * 2 <= (usual / 1.5 if whole else rows // ENOUGH):
        sizes.append(sizes[-1] * 2)
    names = [column.summary.name for column in columns]
    found = [(n, _limits(columns, by_rows(rows, n, rng), rate)) for n in sizes]
    if whole is not None and usual > min_rows:
        found.append((usual, _limits(columns, whole, rate, at_least=usual)))
    by_size = np.array([limits for _, limits in found])
    falling = np.maximum.accumulate(by_size[::-1], axis=0)[::-1]  # never narrower with fewer rows
    return tuple(
        Limits(rows=n, by_column=dict(zip(names, limits.tolist(), strict=True)))
        for (n, _), limits in zip(found, falling, strict=True)
    )


def _usual_windows(
    seconds: Floats | None, window: timedelta, min_rows: int, rng: np.random.Generator
) -> tuple[int, PseudoWindows | None]:
    """Form windows of the real length of time, and tell how many rows they usually have."""
    if seconds is None:
        return 0, None
    windows = by_time(seconds, window, rng)
    here, _ = windows.split(windows.total(np.ones(len(seconds))))
    filled = here[here >= min_rows]
    return (int(np.quantile(filled, 0.1)), windows) if filled.size else (0, None)


def _limits(
    columns: Sequence[CodedColumn], windows: PseudoWindows, rate: float, *, at_least: int = 1
) -> Floats:
    by_column = []
    for column in columns:
        here, rest = windows.split(windows.tally(column.codes, size(column.summary)))
        filled = (here.sum(axis=1) >= at_least) & (rest.sum(axis=1) > 0)
        by_column.append(
            distances_from_rest(
                column.summary, here[filled].astype(np.int64), rest[filled].astype(np.int64)
            )
        )
    distances = np.array(by_column).T
    if len(distances) == 0:
        return np.ones(len(columns))  # nothing is known of how windows differ: nothing is drift
    return family_wise(distances, independent=windows.independent, rate=rate)


def family_wise(distances: Floats, *, independent: int, rate: float) -> Floats:
    """Find one limit a column (across) so that a window (down) seldom exceeds any of them.

    Columns are put on one scale by their median and their upper spread; what limits the rate of
    the whole window is then the largest of them (Westfall and Young, "Resampling-Based Multiple
    Testing", 1993).
    """
    median = np.median(distances, axis=0)
    spread = np.quantile(distances, 0.9, axis=0) - median
    spread = np.maximum(spread, _SMALLEST_SPREAD)
    worst = ((distances - median) / spread).max(axis=1)
    limits = median + upper(worst, independent=independent, rate=rate) * spread
    return np.clip(limits, SMALLEST, 1.0)


def upper(values: Floats, *, independent: int, rate: float) -> float:
    """Find what a new value exceeds at no more than the rate.

    With n exchangeable values a new one exceeds the k-th largest with probability k / (n + 1), as
    in conformal prediction (Vovk, Gammerman and Shafer, 2005). Overlapping windows are many, but
    count as the `independent` ones they hold. Where there are too few for the rate, the tail of a
    Gumbel distribution, that of largest values, is fitted by its moments (Gumbel, "Statistics of
    Extremes", 1958).
    """
    exceeding = np.floor((independent + 1) * rate)
    if exceeding >= 1:
        level = 1 - (exceeding - 1) / independent
        return float(np.quantile(values, min(1.0, level), method="higher"))
    mean, deviation = float(np.mean(values)), float(np.std(values))
    scale = deviation * np.sqrt(6) / np.pi
    tail = max(-_EULER * scale - scale * np.log(-np.log1p(-rate)), float(np.max(values)) - mean)
    return float(mean + tail * _unsureness(independent))


def _unsureness(independent: int) -> float:
    """Widen a fitted tail by what so few windows leave unknown, about as Student's t does.

    Tried on autocorrelated series of 4 to 11 windows: the false alarms of a rate of 1 in 13 fell
    from 9 to 22% to 6 to 11% (an autocorrelation of 0.9 between rows, 500 rows a window).
    """
    return 1 + 1.5 / max(1, independent - 1)
