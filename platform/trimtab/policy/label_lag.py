"""How late labels come, learned from those that have, and how far those of new rows have come."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from trimtab.records.quality import LabelLag
from trimtab.records.row_counts import Arrival
from trimtab.records.verdicts import Verdict

from .summaries import Floats

FEWEST = 100
"""Labels from which it is learned how late they come."""
_MOST_WEIGHT = 20.0
"""A labelled row stands for at most so many: the very newest ones would stand for any number."""
_SHARES = np.array([*np.arange(0.01, 1.0, 0.01), 0.995, 0.999])


@dataclass(frozen=True, slots=True, kw_only=True)
class LagCurve:
    """Which share of the labels has come, by the age of a row."""

    lags: Floats
    """Seconds, rising."""
    shares: Floats
    """Come within each of them, 0 to 1, never falling."""

    def share(self, ages: Floats) -> Floats:
        """Give the share for rows of these ages in seconds."""
        at = np.searchsorted(self.lags, ages, side="right")
        return np.concatenate([[0.0], self.shares])[at]

    def within(self, share: float) -> timedelta:
        """Give the age by which this share has come; as far as lags are known."""
        at = int(np.searchsorted(self.shares, min(share, float(self.shares[-1])), side="left"))
        return timedelta(seconds=math.ceil(self.lags[at]))


def learn(waited: Floats, age: Floats) -> LagCurve | None:
    """Learn it from labels that have come: how long each took, and how old its row is (seconds).

    Of young rows only the quick labels can be seen. The product-limit estimator for data that are
    truncated on the right takes that into account (Lynden-Bell 1971, "A method of allowing for
    known observational selection in small samples applied to 3CR quasars", MNRAS 155; Kalbfleisch
    and Lawless 1989, "Inference based on retrospective ascertainment", JASA 84). It says nothing
    of labels that take longer than the oldest row is old. None with fewer than 100 labels.
    """
    usable = np.isfinite(waited) & np.isfinite(age)
    lag = np.clip(np.round(waited[usable]), 0, None)
    if lag.size < FEWEST:
        return None
    could = np.maximum(age[usable], lag)
    lags, came = np.unique(lag, return_counts=True)
    at_risk = np.cumsum(came) - np.searchsorted(np.sort(could), lags, side="left")
    later = np.append((1 - came / at_risk)[1:], 1.0)  # the last lag has all behind it
    shares = np.cumprod(later[::-1])[::-1]
    return LagCurve(lags=lags, shares=shares)


def curve_of(lag: LabelLag) -> LagCurve:
    """Draw it through a median and the time within which nine of ten came.

    Beyond and between both, labels are taken to come ever more rarely, exponentially.
    """
    median, most = lag.median.total_seconds(), lag.most.total_seconds()
    scale = max(0.0, most - median) / math.log(5)
    lags = np.clip(median + scale * np.log(0.5 / (1 - _SHARES)), 0, None)
    return LagCurve(lags=lags, shares=_SHARES.copy())


def lag_of_windows(verdicts: Sequence[Verdict], now: datetime) -> LabelLag | None:
    """Take the lag that the monitor has measured, from a window that is done with (newest first).

    Of a young window only the quick labels are there. So the newest counts that is twice as old as
    nine of ten of its labels took; else the one with the most of its labels.
    """
    known = [
        (v, v.quality) for v in verdicts if v.quality is not None and v.quality.lag is not None
    ]
    for verdict, quality in known:
        if quality.lag is not None and now - verdict.window.end >= 2 * quality.lag.most:
            return quality.lag
    best = max((q for _, q in known), key=lambda quality: quality.completeness, default=None)
    return best.lag if best is not None else None


def shows_lag(times: Floats, now: datetime, curve: LagCurve, share: float) -> bool:
    """Tell whether labelled rows get fewer towards the present, as they must where labels lag.

    `times` are those of all labelled rows, in seconds, rising. What is known of other labels, such
    as those that callers told, says nothing of a source that has them all at once. The newest
    stretch is compared with the one before, so a source that does not reach back so far shows none.
    """
    after, end = curve.within(share).total_seconds(), now.timestamp()
    if not times.size or after <= 0 or times[0] > end - 2 * after:
        return False
    middle, start = np.searchsorted(times, [end - after, end - 2 * after])
    newest, before = len(times) - middle, middle - start
    return bool(newest < share * before)


def arrival(
    times: Floats, now: datetime, curve: LagCurve, *, share: float, needed: int
) -> tuple[int, Arrival]:
    """Tell how many labelled rows are old enough to be complete, and how far all have come.

    `times` are those of the labelled rows, in seconds, rising. A row that is labelled at an age at
    which a third of the labels has come stands for three (Horvitz and Thompson 1952, JASA 47).
    """
    after = curve.within(share)
    ages = now.timestamp() - times
    weights = np.minimum(_MOST_WEIGHT, 1 / np.maximum(curve.share(ages), 1e-9))
    complete = int((ages >= after.total_seconds()).sum())
    reached = np.flatnonzero(np.cumsum(weights) * share >= needed)
    enough_at = None
    if complete < needed and reached.size:
        seconds = float(times[reached[0]]) + after.total_seconds()
        enough_at = datetime.fromtimestamp(max(seconds, now.timestamp()), tz=now.tzinfo)
    return complete, Arrival(
        labelled=len(times),
        expected=round(float(weights.sum())),
        share=share,
        after=after,
        enough_at=enough_at,
    )
