"""Cycles of the calendar: which part of one a row belongs to, and whether the rows follow one."""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from trimtab.policy.summaries import Floats
from trimtab.records.reference import Season

PARTS = {Season.NONE: 1, Season.DAY_OF_WEEK: 7, Season.HOUR_OF_DAY: 48}
_DAY, _WEEK = 86_400, 604_800
_MONDAY = 4 * _DAY  # 1970-01-05, the first Monday after the epoch
_CYCLES = 4
"""Weeks that the rows must cover for a cycle to be told from chance."""
_WORTH = 0.8  # of the variance between windows, at most, must be left by a season


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


def left_by(
    season: Season, seconds: Floats, scores: Mapping[str, Floats], window: float
) -> dict[str, float]:
    """Tell for each column what part of the variance between windows a season leaves.

    The means of each part are taken from every other week and tried on the weeks between, so that
    a season that is chance leaves more than there was.
    """
    part = parts(season, seconds, len(seconds))
    week = ((seconds - _MONDAY) // _WEEK).astype(np.int64) % 2
    _, of = np.unique((seconds // window).astype(np.int64), return_inverse=True)
    rows = np.maximum(np.bincount(of), 1)
    left = {}
    for name, values in scores.items():
        fitted = np.zeros(len(values))
        for parity in (0, 1):
            means = _means(values[week != parity], part[week != parity], PARTS[season])
            fitted[week == parity] = means[part[week == parity]]
        raw = float(np.var(np.bincount(of, weights=values) / rows))
        rest = float(np.var(np.bincount(of, weights=values - fitted) / rows))
        left[name] = rest / raw if raw > 0 else 1.0
    return left


def _means(values: Floats, part: NDArray[np.int64], count: int) -> Floats:
    sums = np.bincount(part, weights=values, minlength=count)
    rows = np.bincount(part, minlength=count)
    return np.asarray(np.divide(sums, rows, out=np.zeros_like(sums), where=rows > 0))


def find(
    seconds: Floats | None, scores: Mapping[str, Floats], window_seconds: float
) -> tuple[Season, frozenset[str]]:
    """Choose the cycle that most columns follow, if any does, and tell which columns do."""
    best, following = Season.NONE, frozenset[str]()
    if seconds is None:
        return best, following
    for season in worth_trying(seconds, window_seconds):
        left = left_by(season, seconds, scores, window_seconds)
        found = frozenset(name for name, part in left.items() if part <= _WORTH)
        if len(found) > len(following):
            best, following = season, found
    return best, following
