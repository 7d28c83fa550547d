"""Whether a new champion stays: a few looks, none of which may err for more than its share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom, t

from trimtab.records.bakes import BakeLook, Figure

from .agreement import quantile
from .resampling import Floats

LOOKS = (1 / 64, 1 / 16, 1 / 3, 1.0)
"""When it is looked, in shares of the bake ..."""
SPENT = (1 / 8, 1 / 8, 1 / 4, 1 / 2)
"""... and what each look may spend of the error of the whole bake: most at the end."""
_QUESTIONS = 3  # quality, errors, latency; each may err for a third
_LEVELS = (0.5, 0.99)
_NOTICEABLE_MS = 1.0
"""Nobody waits longer for less than this, however many times as long it is."""
_STRETCHES = 24
"""Of a bake: a day has its hours. Rows within one share their luck."""
_FEWEST = 8
"""Fewer stretches bound nothing, so the early looks have shorter ones ..."""
_EARLY = 2
_DISASTER = 0.5
"""... and go back only from what is this much worse, of the loss that would have been, ..."""
_DISASTROUS_ERRORS = 0.05
"""... or fails this much more of the requests: all that came may be one piece of bad luck."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BakeRules:
    """What the user allows; the fields are those of `[models.NAME.promotion]` and the gate."""

    confidence: float
    min_rows: int
    max_slowdown: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Paired:
    """The losses of both versions on the same rows."""

    seconds: Floats
    """Event times since 1970."""
    champion: Floats
    before: Floats
    """NaN where the version before could not answer."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Estimated:
    """Losses of both versions on the same rows, each told by its own estimator."""

    losses: Paired
    margin: float
    """By so much both estimates together may miss what labels would show."""
    limit: float
    """What the champion promised: below it an estimate says nothing against it."""
    doubt: str = ""
    """Why the estimates are not to be believed; empty where nothing speaks against them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What one version did for its callers."""

    requests: tuple[int, ...] = ()
    """In each of some stretches of time of equal length."""
    failed: tuple[int, ...] = ()
    """Requests that it could not answer, in the same stretches; not among `requests`."""
    latencies: Mapping[int, int]
    """Answered requests by the step of the latency scale (`tallying.STEPS`)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BakeFacts:
    """What is known of a new champion and of the version before it."""

    metric: str
    since: datetime
    """When the bake began."""
    measured: Paired | None
    """On the rows with labels; None without any, or where nobody can be asked."""
    estimated: Estimated | None
    traffic: Traffic
    traffic_before: Traffic
    """Of the version before, while it was champion."""
    timings: tuple[Mapping[int, int], Mapping[int, int]] = ({}, {})
    """How long champion and version before take for the same single rows, side by side."""
    remarks: tuple[str, ...] = ()


def due(since: datetime, until: datetime, through: datetime, taken: Sequence[int]) -> int | None:
    """Give the number of the look to take now; of several that were missed the latest.

    >>> from datetime import timedelta
    >>> noon = datetime(2013, 5, 3, 12)
    >>> due(noon, noon + timedelta(hours=64), noon + timedelta(hours=5), taken=[0])
    1
    """
    passed = [n for n, share in enumerate(LOOKS) if through >= since + share * (until - since)]
    return passed[-1] if passed and passed[-1] > max(taken, default=-1) else None


def stretches(number: int) -> int:
    """Give into how many stretches of time the rows of a look are parted."""
    return _STRETCHES if number < _EARLY else round(_STRETCHES * LOOKS[number])


def confidence_at(number: int, confidence: float) -> float:
    """Give the confidence of each bound at a look, so that all of them together keep theirs.

    By Bonferroni's inequality, which holds however the looks and the questions depend on each
    other (spending as Lan and DeMets, "Discrete sequential boundaries for clinical trials", 1983).

    >>> round(confidence_at(3, 0.94), 4)
    0.99
    """
    return 1 - (1 - confidence) * SPENT[number] / _QUESTIONS


def look(
    facts: BakeFacts, rules: BakeRules, number: int, *, at: datetime, through: datetime
) -> BakeLook:
    """Ask whether the new champion is proven worse than the one before would have been.

    Where enough labels have come they have the word on quality; else the estimates, which must
    break what the champion promised and differ by more than both may miss.
    """
    remarks = list(facts.remarks)
    asked = _Look(facts, rules, number, confidence_at(number, rules.confidence), through)
    figures = [*_quality(asked, remarks), *_errors(asked, remarks), *_latency(asked, remarks)]
    return BakeLook(
        number=number,
        at=at,
        through=through,
        confidence=asked.confidence,
        figures=tuple(figures),
        remarks=tuple(remarks),
    )


@dataclass(frozen=True, slots=True)
class _Look:
    facts: BakeFacts
    rules: BakeRules
    number: int
    confidence: float
    through: datetime

    @property
    def is_early(self) -> bool:
        return self.number < _EARLY

    def stretch_of(self, seconds: Floats) -> NDArray[np.int64]:
        """Number the stretches of time that moments fall in."""
        since, until = self.facts.since.timestamp(), self.through.timestamp()
        share = (seconds - since) / max(until - since, 1e-9)
        return np.asarray(share * stretches(self.number)).astype(np.int64)


def _quality(asked: _Look, remarks: list[str]) -> list[Figure]:
    facts = asked.facts
    measured = _losses(asked, f"{facts.metric}, measured", facts.measured, 0.0)
    if measured is not None and measured.low is not None:
        return [measured]
    labelled = measured.rows if measured else 0
    remarks.append(f"{labelled:,} rows with labels are too few to measure the quality by")
    told = facts.estimated
    if told is None:
        remarks.append("nothing estimates the quality without labels")
        return []
    found = _losses(asked, f"{facts.metric}, estimated", told.losses, told.margin)
    if found is None or found.low is None:
        remarks.append("too few rows to estimate the quality by")
        return []
    if told.doubt:
        remarks.append(f"the estimates are not believed: {told.doubt}")
        return []
    if found.champion <= told.limit:  # it keeps its word; that the other boasts proves nothing
        return [replace(found, low=min(found.low, found.limit))]
    return [found]


def _losses(asked: _Look, question: str, pair: Paired | None, margin: float) -> Figure | None:
    if pair is None:
        return None
    known = np.isfinite(pair.champion) & np.isfinite(pair.before)
    champion, before = pair.champion[known], pair.before[known]
    if not len(champion):
        return None
    _, of = np.unique(asked.stretch_of(pair.seconds[known]), return_inverse=True)
    sums = np.bincount(of, weights=champion - before).astype(np.float64)
    sizes = np.bincount(of).astype(np.float64)
    is_enough = len(champion) >= asked.rules.min_rows and len(sizes) >= _FEWEST
    disaster = _DISASTER * float(before.mean()) if asked.is_early else 0.0
    return Figure(
        question=question,
        champion=float(champion.mean()),
        before=float(before.mean()),
        rows=len(champion),
        low=_low([(sums, sizes, 1)], asked.confidence) if is_enough else None,
        limit=max(margin, disaster),
    )


def _errors(asked: _Look, remarks: list[str]) -> list[Figure]:
    sides = [_rates(asked.facts.traffic), _rates(asked.facts.traffic_before)]
    sizes = [int(side[1].sum()) for side in sides]
    if min(sizes) < asked.rules.min_rows or min(len(side[1]) for side in sides) < _FEWEST:
        remarks.append(
            f"{sizes[0]:,} requests, and {sizes[1]:,} of the version before, are too few to "
            "compare errors by"
        )
        return []
    return [
        Figure(
            question="failed requests",
            champion=float(sides[0][0].sum() / sizes[0]),
            before=float(sides[1][0].sum() / sizes[1]),
            rows=sizes[0],
            low=_low([(*sides[0], 1), (*sides[1], -1)], asked.confidence),
            limit=_DISASTROUS_ERRORS if asked.is_early else 0.0,
        )
    ]


def _rates(traffic: Traffic) -> tuple[Floats, Floats]:
    """Give failures and all requests of the stretches that had any."""
    failed = np.array(traffic.failed, dtype=np.float64)
    sizes = failed + np.array(traffic.requests, dtype=np.float64)
    return failed[sizes > 0], sizes[sizes > 0]


def _latency(asked: _Look, remarks: list[str]) -> list[Figure]:
    """Compare what callers waited, as far as the version itself is to blame.

    A busy machine makes callers wait whatever the version; so it must also be slower side by side.
    """
    facts = asked.facts
    counts = [sum(side.latencies.values()) for side in (facts.traffic, facts.traffic_before)]
    if min(counts) < asked.rules.min_rows:
        remarks.append("too few requests to compare latency by")
        return []
    if not all(sum(steps.values()) for steps in facts.timings):
        remarks.append("the versions were not timed side by side: latency is not compared")
        return []
    each = 1 - (1 - asked.confidence) / (2 * len(_LEVELS))  # two ends, at each level
    return [_waiting(facts, asked.rules, level, each) for level in _LEVELS]


def _waiting(facts: BakeFacts, rules: BakeRules, level: float, confidence: float) -> Figure:
    steps, steps_before = facts.traffic.latencies, facts.traffic_before.latencies
    now, before = (quantile(side, level) or 0.0 for side in (steps, steps_before))
    low, high = (
        _quantile_bound(steps, level, 1 - confidence),
        _quantile_bound(steps_before, level, confidence),
    )
    own = [quantile(side, level) or 0.0 for side in facts.timings]
    is_known = low is not None and high is not None and own[1] > 0
    ratio = min(low / high, own[0] / own[1]) if is_known and low and high else None
    if ratio is not None and now - before < _NOTICEABLE_MS:
        ratio = min(ratio, rules.max_slowdown)
    return Figure(
        question=f"latency at p{level * 100:g}, ms",
        champion=now,
        before=before,
        rows=sum(steps.values()),
        low=ratio,
        limit=rules.max_slowdown,
    )


def _quantile_bound(steps: Mapping[int, int], level: float, share: float) -> float | None:
    """Give the order statistic below which the quantile lies with a probability of `share`.

    Free of any distribution: David and Nagaraja, "Order Statistics" (2003), 7.1. None where there
    are too few values for it.
    """
    count = sum(steps.values())
    place = binom.ppf(share, count, level) + (share > 0.5)
    return quantile(steps, float(place) / count) if 0 < place <= count else None


def _low(groups: Sequence[tuple[Floats, Floats, int]], confidence: float) -> float:
    """Bound a mean, or the difference of two, from below; groups are sums, sizes and a sign.

    Student's distribution over stretches of time, which is honest also far out where few resamples
    lie: Cameron and Miller, "A practitioner's guide to cluster-robust inference" (2015); for two
    groups with the degrees of freedom of Welch (1947).
    """
    middle = sum(sign * sums.sum() / sizes.sum() for sums, sizes, sign in groups)
    spreads = [_variance(sums, sizes) for sums, sizes, _ in groups]
    total = sum(spreads)
    if total == 0:
        return float(middle)
    parts = [v**2 / (len(sizes) - 1) for v, (_, sizes, _) in zip(spreads, groups, strict=True)]
    return float(middle - t.ppf(confidence, total**2 / sum(parts)) * np.sqrt(total))


def _variance(sums: Floats, sizes: Floats) -> float:
    """Give the variance of a mean over stretches, where neighbours are alike too.

    Newey and West, "A simple, positive semi-definite, heteroskedasticity and autocorrelation
    consistent covariance matrix" (1987), with one lag; never less than without.
    """
    left = sums - sizes * sums.sum() / sizes.sum()
    alone = float((left**2).sum())
    together = alone + float((left[1:] * left[:-1]).sum())
    count = len(sizes)
    return max(alone, together) * count / (count - 1) / float(sizes.sum()) ** 2
