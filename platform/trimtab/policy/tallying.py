"""Counting a trial as its traffic comes: each function gives the tally with something added."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from trimtab.records.tallies import BlockSums, PairTally, Plan, ServedTally, Tally

from .block_sums import SHORTEST, add, doublings, sum_over, sum_up
from .resampling import Floats
from .said import Said, agree, bin_counts, bins_of

ALL = "all rows"
STEPS = 8
"""Of the latency scale, to a doubling: neighbours differ by 9%."""
Mask = NDArray[np.bool_]


def begin(plan: Plan) -> Tally:
    """Give the tally of nothing."""
    return Tally(plan=plan, block_seconds=SHORTEST)


def with_pairs(
    tally: Tally,
    seconds: Floats,
    champion: Said,
    challenger: Said,
    slices: Mapping[str, Mask],
) -> Tally:
    """Add rows that both versions answered; `seconds` are their times since 1970.

    Rows without an answer of the challenger are counted as such, and compared by nobody.
    """
    known = champion.is_answer & challenger.is_answer
    unanswered = tally.unanswered + int((champion.is_answer & ~challenger.is_answer).sum())
    pairs, changes = dict(tally.pairs), dict(tally.changes)
    for name, mask in {ALL: np.ones(len(known), dtype=bool), **slices}.items():
        rows = known & mask
        if rows.any():
            part = _pair(tally, seconds[rows], champion.only(rows), challenger.only(rows))
            pairs[name] = _joined(pairs[name], part) if name in pairs else part
    if tally.plan.classes:
        _count_changes(changes, champion.only(known), challenger.only(known))
    return _bounded(replace(tally, pairs=pairs, changes=changes, unanswered=unanswered))


def with_served(
    tally: Tally,
    version: str,
    *,
    callers: NDArray[np.int64],
    said: Said,
    latencies: Sequence[float] | np.ndarray,
    requests: int,
    failed: int,
) -> Tally:
    """Add what a version answered to callers.

    `callers` are the groups of whoever asked for each row, of `plan.caller_groups`; `latencies` are
    microseconds, one a request; `failed` are requests that it could not answer.
    """
    known, plan = said.is_answer, tally.plan
    answers = said.only(known)
    bins = np.eye(plan.bins)[bins_of(plan, answers)]
    figures = np.column_stack([np.ones(len(bins)), answers.scores(plan), bins])
    old = tally.served.get(version, ServedTally())
    fresh = ServedTally(
        requests=old.requests + requests,
        failed=old.failed + failed,
        latencies=_stepped(old.latencies, latencies),
        callers=add([old.callers, sum_over(callers[known], figures)], [0, 0]),
    )
    return replace(tally, served={**tally.served, version: fresh})


def with_timings(tally: Tally, version: str, micros: Sequence[float]) -> Tally:
    """Add how long single rows took, in microseconds."""
    old = tally.timings.get(version, {})
    return replace(tally, timings={**tally.timings, version: _stepped(old, micros)})


def steps_of(micros: Sequence[float] | np.ndarray) -> dict[int, int]:
    """Count latencies, in microseconds, by the step of the scale that they fall on."""
    scale = np.log2(np.maximum(np.asarray(micros, dtype=float), 1.0)) * STEPS
    steps, counts = np.unique(np.floor(scale).astype(int), return_counts=True)
    return dict(zip(steps.tolist(), counts.tolist(), strict=True))


def _pair(tally: Tally, seconds: Floats, champion: Said, challenger: Said) -> PairTally:
    plan = tally.plan
    figures = np.column_stack(
        [
            np.ones(len(seconds)),
            agree(plan, champion, challenger),
            champion.scores(plan),
            challenger.scores(plan),
        ]
    )
    return PairTally(
        sums=sum_up(seconds, figures, tally.block_seconds),
        champion=tuple(bin_counts(plan, champion).tolist()),
        challenger=tuple(bin_counts(plan, challenger).tolist()),
    )


def _joined(left: PairTally, right: PairTally) -> PairTally:
    return PairTally(
        sums=add([left.sums, right.sums], [0, 0]),
        champion=_plus(left.champion, np.array(right.champion)),
        challenger=_plus(left.challenger, np.array(right.challenger)),
    )


def _bounded(tally: Tally) -> Tally:
    """Join blocks, all alike, when there have come to be too many."""
    times = doublings([block for pair in tally.pairs.values() for block in pair.sums.blocks])
    if not times:
        return tally

    def joined(sums: BlockSums) -> BlockSums:
        return add([sums], [times])

    return replace(
        tally,
        block_seconds=tally.block_seconds << times,
        pairs={n: replace(pair, sums=joined(pair.sums)) for n, pair in tally.pairs.items()},
    )


def _count_changes(changes: dict[str, int], champion: Said, challenger: Said) -> None:
    left, right = champion.classes(), challenger.classes()
    moved = left != right
    pairs, counts = np.unique(
        np.stack([left[moved], right[moved]], axis=1), axis=0, return_counts=True
    )
    for (old, new), rows in zip(pairs.tolist(), counts.tolist(), strict=True):
        changes[f"{old}>{new}"] = changes.get(f"{old}>{new}", 0) + rows


def _stepped(known: Mapping[int, int], micros: Sequence[float] | np.ndarray) -> dict[int, int]:
    found = dict(known)
    for step, count in steps_of(micros).items():
        found[step] = found.get(step, 0) + count
    return found


def _plus(known: tuple[int, ...], more: np.ndarray) -> tuple[int, ...]:
    return tuple((np.array(known, dtype=np.int64) + more if known else more).tolist())
