"""The gate: a challenger replaces the champion only when it is proven better on the same rows."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from trimtab.records.gate import Comparison, GateResult

from .resampling import Floats, bounds_of_mean


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
) -> GateResult:
    """Compare the losses of two models, row by row; a lower loss is better.

    `blocks` numbers the stretches of time (days, say) whose rows share their luck, `slices` maps
    a name such as `origin=JFK` to a mask of rows. The gain's one-sided confidence bounds come
    from a block bootstrap (`resampling`), so that neighbouring rows are not counted as
    independent.

    It passes when there are enough rows, every loss is finite, the gain's lower bound is above
    zero and no slice of enough rows is worse with the same confidence.
    """
    champion, challenger = np.asarray(champion, float), np.asarray(challenger, float)
    pair = _Pair(champion, challenger, np.asarray(blocks), confidence, seed)
    overall = pair.on("all rows", np.ones(len(champion), dtype=bool))
    found = tuple(pair.on(name, np.asarray(rows, dtype=bool)) for name, rows in slices.items())
    judged = [part for part in found if part.rows >= min_rows]
    failures = [
        *_not_finite(champion, challenger),
        *_too_few(overall, min_rows),
        *_not_better(overall, metric, confidence),
        *(_worse(part, metric, confidence) for part in judged if part.high < 0),
    ]
    remarks = [_better(overall, metric, confidence)] if not failures else []
    remarks += [
        f"{part.name}: {part.rows} rows, too few to judge (fewer than {min_rows})."
        for part in found
        if part.rows < min_rows
    ]
    return GateResult(
        passed=not failures,
        metric=metric,
        confidence=confidence,
        overall=overall,
        slices=found,
        reasons=(*failures, *remarks),
    )


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two models' losses on the same rows."""

    champion: Floats
    challenger: Floats
    blocks: np.ndarray
    confidence: float
    seed: int

    def on(self, name: str, rows: np.ndarray) -> Comparison:
        """Compare on some of the rows, those without a finite loss left out."""
        rows = rows & np.isfinite(self.champion) & np.isfinite(self.challenger)
        if not rows.any():
            return Comparison(name=name, rows=0, champion=0.0, challenger=0.0, low=0.0, high=0.0)
        gains = self.champion[rows] - self.challenger[rows]
        low, high = _bounds(gains, self.blocks[rows], self.confidence, self.seed)
        return Comparison(
            name=name,
            rows=int(rows.sum()),
            champion=float(self.champion[rows].mean()),
            challenger=float(self.challenger[rows].mean()),
            low=low,
            high=high,
        )


def _bounds(gains: Floats, blocks: np.ndarray, confidence: float, seed: int) -> tuple[float, float]:
    """Bound the mean gain from below and from above, each with this confidence."""
    _, block = np.unique(blocks, return_inverse=True)
    sums = np.bincount(block, weights=gains).astype(np.float64)
    sizes = np.bincount(block).astype(np.float64)
    most = float(np.abs(gains).max())
    return bounds_of_mean(sums, sizes, confidence, seed) or (-most, most)


def _not_finite(champion: Floats, challenger: Floats) -> list[str]:
    counted = {
        "champion": int((~np.isfinite(champion)).sum()),
        "challenger": int((~np.isfinite(challenger)).sum()),
    }
    return [
        f"The {who} has no finite loss on {count} of {len(champion)} rows; that proves nothing."
        for who, count in counted.items()
        if count
    ]


def _too_few(overall: Comparison, min_rows: int) -> list[str]:
    if overall.rows >= min_rows:
        return []
    return [f"{overall.rows} rows are too few to prove anything; gate.min_rows is {min_rows}."]


def _not_better(overall: Comparison, metric: str, confidence: float) -> list[str]:
    if overall.low > 0:
        return []
    return [
        f"Not proven better: {_values(overall, metric)}; with {confidence:.0%} confidence the gain "
        f"may be as low as {overall.low:.4g}."
    ]


def _worse(part: Comparison, metric: str, confidence: float) -> str:
    return (
        f"Worse where {part.name}: {_values(part, metric)}; with {confidence:.0%} confidence the "
        f"gain is below {part.high:.4g}."
    )


def _better(overall: Comparison, metric: str, confidence: float) -> str:
    return (
        f"Better: {_values(overall, metric)}; with {confidence:.0%} confidence the gain is at "
        f"least {overall.low:.4g}."
    )


def _values(part: Comparison, metric: str) -> str:
    return (
        f"{metric} {part.challenger:.4g} against {part.champion:.4g} on {part.rows:,} rows "
        f"(gain {part.champion - part.challenger:.4g})"
    )
