"""Cycles of the calendar: which part of one a row belongs to, and whether the rows follow one."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from trimtab.policy.summaries import Floats
from trimtab.records.reference import Season

PARTS = {Season.NONE: 1, Season.DAY_OF_WEEK: 7, Season.HOUR_OF_DAY: 48}
_DAY, _WEEK = 86_400, 604_800
_MONDAY = 4 * _DAY  # 1970-01-05, the first Monday after the epoch
_CYCLES = 4
"""Weeks that the rows must cover for a cycle to be told from chance."""
_WORTH = 0.9  # of the variance between windows, at most, must be left by a season


def parts(season: Season, seconds: Floats | None, rows: int) -> NDArray[np.int64]:
    """Give the part of the cycle that each row belongs to, by its seconds since 1970."""
    if season is Season.NONE or seconds is None:
        return np.zeros(rows, dtype=np.int64)
    since = np.nan_to_num(seconds) - _MONDAY
    day = (since // _DAY % 7).astype(np.int64)
    if season is Season.DAY_OF_WEEK:
        return day
    return np.asarray((since // 3600 % 24).astype(np.int64) + 24 * (day >= 5))


def worth_trying(seconds: Floats | None, window_seconds: float) -> Iterator[Season]:
    """Yield the cycles that windows of this length do not average out, and the rows repeat."""
    if seconds is None or seconds[-1] - seconds[0] < _CYCLES * _WEEK:
        return
    if window_seconds < _WEEK:
        yield Season.DAY_OF_WEEK
    if window_seconds < _DAY:
        yield Season.HOUR_OF_DAY


def left_by(season: Season, seconds: Floats, scores: dict[str, Floats], window: float) -> float:
    """Tell what part of the variance between windows a season leaves, in weeks not used to fit it.

    The means of each part are taken from every other week and tried on the weeks between; the
    median over the columns decides.
    """
    part = parts(season, seconds, len(seconds))
    week = (seconds // _WEEK).astype(np.int64) % 2
    _, of = np.unique((seconds // window).astype(np.int64), return_inverse=True)
    rows = np.maximum(np.bincount(of), 1)
    even = np.bincount(of, weights=week) / rows < 0.5
    left = []
    for values in scores.values():
        fitted = np.zeros(len(values))
        for parity in (0, 1):
            known = week != parity
            sums = np.bincount(part[known], weights=values[known], minlength=PARTS[season])
            counts = np.bincount(part[known], minlength=PARTS[season])
            means = np.divide(sums, counts, out=np.zeros_like(sums), where=counts > 0)
            fitted[week == parity] = means[part[week == parity]]
        raw = np.bincount(of, weights=values) / rows
        rest = np.bincount(of, weights=values - fitted) / rows
        if raw[even].size > 2 and np.var(raw) > 0:
            left.append(float(np.mean((rest - rest.mean()) ** 2) / np.var(raw)))
    return float(np.median(left)) if left else 1.0


def find(seconds: Floats | None, scores: dict[str, Floats], window_seconds: float) -> Season:
    """Choose the cycle that explains most of the variance between windows, if any does."""
    if seconds is None:
        return Season.NONE
    tried = {
        season: left_by(season, seconds, scores, window_seconds)
        for season in worth_trying(seconds, window_seconds)
    }
    best = min(tried, key=lambda season: tried[season], default=Season.NONE)
    return best if best is not Season.NONE and tried[best] <= _WORTH else Season.NONE
