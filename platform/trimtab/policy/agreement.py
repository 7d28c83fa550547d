"""From what was counted of a trial to the comparison that people read."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np

from trimtab.records.agreement import (
    Agreement,
    Change,
    Groups,
    Served,
    Shift,
    Timing,
    TrialResult,
)
from trimtab.records.gate import GateResult
from trimtab.records.tallies import BlockSums, PairTally, Plan, ServedTally, Tally

from .block_sums import add, doublings
from .distance import jensen_shannon
from .resampling import Floats, bounds_of_difference, bounds_of_mean, variance_of_mean
from .tallying import ALL, STEPS

_BLOCKS = 40
"""Joining neighbours until there are no more leaves 20 to 40: enough to draw from, and long."""
_FEW = 8
_CHANGES = 5
_SEED = 0


def conclude(
    tally: Tally,
    *,
    champion: str,
    challenger: str,
    through: datetime,
    confidence: float,
    min_rows: int,
    quality: GateResult | None = None,
) -> TrialResult:
    """Work out agreement, shifts, errors and latency; `min_rows` is what the gate asks for."""
    pairs = [_agreement(name, pair, tally.plan, confidence) for name, pair in tally.pairs.items()]
    overall = next((found for found in pairs if found.name == ALL), _nothing())
    slices = sorted((p for p in pairs if p.name != ALL), key=lambda found: found.agreed)
    sides = [tally.served.get(version, ServedTally()) for version in (champion, challenger)]
    return TrialResult(
        through=through,
        confidence=confidence,
        tolerance=tally.plan.tolerance,
        overall=overall,
        slices=tuple(slices),
        changes=_changes(tally),
        unanswered=tally.unanswered,
        served=tuple(_served(version, tally.served[version]) for version in tally.served),
        timings=tuple(_timing(version, steps) for version, steps in tally.timings.items()),
        groups=_groups(sides[0], sides[1], tally.plan, confidence),
        quality=quality,
        remarks=(*tally.plan.remarks, *_remarks(tally, overall.rows, min_rows)),
    )


def quantile(steps: Mapping[int, int], level: float) -> float | None:
    """Read a quantile, in milliseconds, off the latency scale; None where nothing was counted.

    It is right to within 5%: the middle of its step.
    """
    total, seen = sum(steps.values()), 0
    for step in sorted(steps):
        seen += steps[step]
        if seen >= level * total:
            return float(2.0 ** ((step + 0.5) / STEPS) / 1000)
    return None


def _agreement(name: str, pair: PairTally, plan: Plan, confidence: float) -> Agreement:
    table = _few_blocks(pair.sums)
    rows, agreed = table[:, 0], table[:, 1]
    width = len(plan.scores)
    sides = table[:, 2 : 2 + width], table[:, 2 + width :]
    shifts = tuple(
        _shift(plan.scores[i], sides[0][:, i], sides[1][:, i], rows, confidence)
        for i in range(width)
    )
    low, high = bounds_of_mean(agreed, rows, confidence, _SEED) or (None, None)
    return Agreement(
        name=name,
        rows=int(rows.sum()),
        agreed=float(agreed.sum() / rows.sum()),
        low=low,
        high=high,
        distance=_distance(pair.champion, pair.challenger),
        shifts=shifts,
    )


def _shift(
    score: str, champion: Floats, challenger: Floats, rows: Floats, confidence: float
) -> Shift:
    low, high = bounds_of_mean(challenger - champion, rows, confidence, _SEED) or (None, None)
    total = rows.sum()
    return Shift(
        score=score,
        champion=float(champion.sum() / total),
        challenger=float(challenger.sum() / total),
        low=low,
        high=high,
    )


def _groups(
    champion: ServedTally, challenger: ServedTally, plan: Plan, confidence: float
) -> Groups | None:
    """Compare callers that met one version with those that met the other.

    A caller who comes back is one piece of luck, however often: so it is callers that are drawn.
    """
    if not (champion.rows and challenger.rows):
        return None
    tables = np.array(champion.callers.sums), np.array(challenger.callers.sums)
    rows, width = tuple(table[:, 0] for table in tables), len(plan.scores)
    shifts = []
    for i, score in enumerate(plan.scores, start=1):
        sides = [(table[:, i], sizes) for table, sizes in zip(tables, rows, strict=True)]
        low, high = bounds_of_difference(sides[0], sides[1], confidence, _SEED) or (None, None)
        means = [float(sums.sum() / sizes.sum()) for sums, sizes in sides]
        shifts.append(
            Shift(score=score, champion=means[0], challenger=means[1], low=low, high=high)
        )
    bins = [table[:, 1 + width :] for table in tables]
    counts = [counted.sum(axis=0) for counted in bins]
    return Groups(
        distance=float(jensen_shannon(counts[0], counts[1])),
        by_chance=_by_chance(bins, rows),
        shifts=tuple(shifts),
    )


def _by_chance(bins: Sequence[Floats], rows: Sequence[Floats]) -> float | None:
    """Expect so large a distance of two groups of such callers, were both answered alike.

    To second order the divergence is the sum of (p - q)^2 / (8 ln 2 m) over the bins, m between p
    and q; the variance of p and of q is that of means over callers (Rao and Scott 1981, "The
    analysis of categorical data from complex sample surveys", Journal of the American Statistical
    Association 76).
    """
    if any(len(sizes) < 2 for sizes in rows):
        return None
    shares = [counted.sum(axis=0) / sizes.sum() for counted, sizes in zip(bins, rows, strict=True)]
    middle = (shares[0] + shares[1]) / 2
    spread = np.sum([variance_of_mean(*side) for side in zip(bins, rows, strict=True)], axis=0)
    is_used = middle > 0
    divergence = (spread[is_used] / middle[is_used]).sum() / (8 * np.log(2))
    return float(np.sqrt(np.clip(divergence, 0.0, 1.0)))


def _served(version: str, tally: ServedTally) -> Served:
    return Served(
        version=version,
        requests=tally.requests,
        rows=tally.rows,
        failed=tally.failed,
        p50_ms=quantile(tally.latencies, 0.5),
        p99_ms=quantile(tally.latencies, 0.99),
    )


def _timing(version: str, steps: Mapping[int, int]) -> Timing:
    return Timing(
        version=version,
        rows=sum(steps.values()),
        p50_ms=quantile(steps, 0.5) or 0.0,
        p99_ms=quantile(steps, 0.99) or 0.0,
    )


def _changes(tally: Tally) -> tuple[Change, ...]:
    classes = tally.plan.classes
    found = sorted(tally.changes.items(), key=lambda item: -item[1])[:_CHANGES]
    pairs = [(name.partition(">"), rows) for name, rows in found]
    return tuple(
        Change(champion=classes[int(old)], challenger=classes[int(new)], rows=rows)
        for (old, _, new), rows in pairs
    )


def _remarks(tally: Tally, rows: int, min_rows: int) -> list[str]:
    found = []
    if rows < min_rows:
        found.append(f"{rows} rows were answered by both, too few to go by (fewer than {min_rows})")
    if tally.unanswered:
        found.append(f"the challenger could not answer {tally.unanswered} rows")
    blocks = len(tally.pairs[ALL].sums.blocks) if ALL in tally.pairs else 0
    if 0 < blocks < _FEW:
        minutes = tally.block_seconds // 60
        found.append(f"bounds rest on {blocks} stretches of {minutes} min: let it run longer")
    callers = [len(served.callers.blocks) for served in tally.served.values() if served.rows]
    if len(callers) > 1 and min(callers) < _FEW:
        found.append(
            f"callers apart: bounds rest on {min(callers)} callers of one version, too few"
        )
    return found


def _few_blocks(sums: BlockSums) -> Floats:
    return np.array(add([sums], [doublings(sums.blocks, _BLOCKS)]).sums)


def _distance(left: tuple[int, ...], right: tuple[int, ...]) -> float:
    return float(jensen_shannon(np.array(left), np.array(right)))


def _nothing() -> Agreement:
    return Agreement(name=ALL, rows=0, agreed=0.0, low=None, high=None, distance=0.0, shifts=())
