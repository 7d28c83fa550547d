"""The gate: a challenger replaces the champion only when it is proven better on the same rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from trimtab.records.amounts import NO_MARGIN, Margin
from trimtab.records.gate import Comparison, GateCheck, GateResult
from trimtab.records.looks import Asked

from .gate_words import better, few_rows, no_number, not_better, small_slice, worse
from .resampling import Floats, Spread, spread_of_mean

_POWER = 0.8
_NOTHING = Comparison(name="all rows", rows=0, champion=0.0, challenger=0.0, low=0.0, high=0.0)


def compare(
    champion: np.ndarray,
    challenger: np.ndarray,
    *,
    blocks: np.ndarray,
    slices: Mapping[str, np.ndarray],
    metric: str,
    confidence: float,
    min_rows: int,
    seed: int,
    margin: Margin = NO_MARGIN,
    slice_margin: Margin = NO_MARGIN,
    asked: Asked | None = None,
) -> GateResult:
    """Compare the losses of two models, row by row; a lower loss is better.

    `blocks` numbers, in the order of time, the stretches (days, say) whose rows share their luck;
    `slices` maps a name such as `origin=JFK` to a mask of rows. Bounds come from blocks that are
    drawn (`resampling.spread_of_mean`). `asked` is the confidence that is asked of the gain after
    earlier looks at these rows (`looks.asked_of`); without it, `confidence` is.

    It passes when there are enough rows, every loss is finite, the gain's lower bound is above the
    margin, and no slice of enough rows is proven worse than its margin allows (`_find_worse`).
    """
    champion, challenger = np.asarray(champion, float), np.asarray(challenger, float)
    pair = _Pair(champion, challenger, np.asarray(blocks), seed)
    wanted = asked.confidence if asked else confidence
    everywhere = pair.on("all rows", np.ones(len(champion), dtype=bool), margin, wanted)
    allowed = replace(slice_margin, amount=-slice_margin.amount)
    parts = [
        pair.on(name, np.asarray(rows, dtype=bool), allowed, confidence)
        for name, rows in slices.items()
    ]
    found = _find_worse(parts, confidence, min_rows)
    overall = everywhere.comparison
    checks = (
        _finite(champion, challenger),
        _enough(overall, min_rows),
        _better(overall, metric, wanted),
        _no_slice_worse(found, metric, confidence, min_rows),
    )
    failures = _failures(checks)
    remarks = () if failures else (better(overall, metric, wanted),)
    small = tuple(small_slice(part, min_rows) for part in found if part.rows < min_rows)
    return GateResult(
        passed=not failures,
        metric=metric,
        confidence=confidence,
        overall=overall,
        slices=found,
        reasons=(*failures, *remarks, *small),
        asked=asked,
        checks=checks,
    )


def with_checks(
    result: GateResult, checks: Sequence[GateCheck], remarks: Sequence[str] = ()
) -> GateResult:
    """Add conditions to an answer: any that fails turns it into a no, and comes first."""
    failures = _failures(checks)
    return replace(
        result,
        passed=result.passed and not failures,
        checks=(*result.checks, *checks),
        reasons=(*failures, *result.reasons, *remarks),
    )


def refused(metric: str, confidence: float, check: GateCheck) -> GateResult:
    """Answer for a challenger that cannot be compared with anything."""
    nothing = GateResult(
        passed=True, metric=metric, confidence=confidence, overall=_NOTHING, slices=(), reasons=()
    )
    return with_checks(nothing, [check])


@dataclass(frozen=True, slots=True)
class _Part:
    """A comparison on some rows, and how sure it is."""

    comparison: Comparison
    beyond: Spread | None
    """Of the gain beyond its margin; None where the rows are one piece of luck, or none."""


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two models' losses on the same rows."""

    champion: Floats
    challenger: Floats
    blocks: np.ndarray
    seed: int

    def on(self, name: str, rows: np.ndarray, margin: Margin, confidence: float) -> _Part:
        """Compare on some of the rows, those without a finite loss left out."""
        rows = rows & np.isfinite(self.champion) & np.isfinite(self.challenger)
        if not rows.any():
            return _Part(replace(_NOTHING, name=name), None)
        champion, challenger = self.champion[rows], self.challenger[rows]
        sums, sizes = _sums(self._beyond(champion, challenger, margin), self.blocks[rows])
        spread = spread_of_mean(sums, sizes, self.seed)
        most = float(np.abs(champion - challenger).max())
        needed = margin.of(float(champion.mean()))
        low, high = spread.bounds(confidence) if spread else (-most - needed, most - needed)
        comparison = Comparison(
            name=name,
            rows=int(rows.sum()),
            champion=float(champion.mean()),
            challenger=float(challenger.mean()),
            low=low + needed,
            high=high + needed,
            margin=abs(needed),
        )
        return _Part(comparison, spread)

    def _beyond(self, champion: Floats, challenger: Floats, margin: Margin) -> Floats:
        """Give each row's gain beyond the margin: a relative one is as unsure as the loss."""
        needed = margin.amount * champion if margin.is_relative else margin.amount
        return np.asarray(champion - challenger - needed)


def _sums(values: Floats, blocks: np.ndarray) -> tuple[Floats, Floats]:
    """Sum values up by block; gives the sums and the rows of the blocks, in their order."""
    _, block = np.unique(blocks, return_inverse=True)
    sums = np.bincount(block, weights=values).astype(np.float64)
    return sums, np.bincount(block).astype(np.float64)


def _find_worse(parts: Sequence[_Part], confidence: float, min_rows: int) -> tuple[Comparison, ...]:
    """Mark the slices that are proven worse than their margin allows.

    By the step-up rule over the slices' p-values (Simes 1986, "An improved Bonferroni procedure
    for multiple tests of significance", Biometrika 73; Benjamini and Hochberg 1995, "Controlling
    the false discovery rate", Journal of the Royal Statistical Society B 57). Where no slice is
    worse, one is marked with probability 1 - `confidence` at most, however many slices there are
    (for slices that have their luck apart or in common: Benjamini and Yekutieli 2001, Annals of
    Statistics 29); and several that are a little worse are found together where none of them is
    found alone. Slices of fewer rows than `min_rows` are not judged.
    """
    judged = [i for i, part in enumerate(parts) if part.beyond and part.comparison.rows >= min_rows]
    chances = {i: spread.chance_of(0.0) for i in judged if (spread := parts[i].beyond)}
    line = _step_up(list(chances.values()), 1 - confidence)
    strictest = (1 - confidence) / max(1, len(judged))
    return tuple(
        replace(
            part.comparison,
            is_worse=i in chances and chances[i] <= line,
            noticed=_noticed(part, strictest) if i in chances else None,
        )
        for i, part in enumerate(parts)
    )


def _step_up(chances: Sequence[float], error: float) -> float:
    """Give the largest p-value that is marked; below zero where none is."""
    ranked = sorted(chances)
    marked = [p for rank, p in enumerate(ranked, start=1) if p <= error * rank / len(ranked)]
    return marked[-1] if marked else -1.0


def _noticed(part: _Part, error: float) -> float:
    """Give the loss that would be noticed with 80% power, were it on this slice alone."""
    if part.beyond is None or part.beyond.error == 0:
        return part.comparison.margin
    reach = stats.t.ppf([1 - error, _POWER], part.beyond.freedom).sum()
    return part.comparison.margin + float(reach) * part.beyond.error * part.beyond.above


def _finite(champion: Floats, challenger: Floats) -> GateCheck:
    missing = [int((~np.isfinite(side)).sum()) for side in (champion, challenger)]
    return GateCheck(
        name="every loss a number",
        passed=not any(missing),
        champion=missing[0],
        challenger=missing[1],
        limit=0,
        unit="rows without",
        why=no_number(missing, len(champion)),
    )


def _enough(overall: Comparison, min_rows: int) -> GateCheck:
    return GateCheck(
        name="enough rows",
        passed=overall.rows >= min_rows,
        challenger=overall.rows,
        limit=min_rows,
        unit="rows",
        why=few_rows(overall, min_rows),
    )


def _better(overall: Comparison, metric: str, confidence: float) -> GateCheck:
    return GateCheck(
        name="better",
        passed=overall.low > overall.margin,
        champion=overall.champion,
        challenger=overall.challenger,
        limit=overall.margin,
        unit="loss",
        why=not_better(overall, metric, confidence),
    )


def _no_slice_worse(
    slices: Sequence[Comparison], metric: str, confidence: float, min_rows: int
) -> GateCheck:
    found = [part for part in slices if part.is_worse]
    judged = sum(part.rows >= min_rows for part in slices)
    return GateCheck(
        name="no slice worse",
        passed=not found if judged else None,
        challenger=len(found),
        limit=0,
        unit="worse",
        why="\n".join(worse(part, metric, confidence) for part in found),
    )


def _failures(checks: Sequence[GateCheck]) -> tuple[str, ...]:
    return tuple(
        line for check in checks if check.passed is False for line in check.why.splitlines()
    )
