"""Confidence bounds of means whose rows share their luck with their neighbours in time.

A block bootstrap: whole blocks are drawn with replacement, so that neighbouring rows are not
counted as independent (Kuensch 1989, "The jackknife and the bootstrap for general stationary
observations", Annals of Statistics 17; for few blocks Cameron, Gelbach and Miller 2008,
"Bootstrap-based improvements for inference with clustered errors", Review of Economics and
Statistics 90).
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_RESAMPLES = 2000


def bounds_of_mean(
    sums: Floats, sizes: Floats, confidence: float, seed: int
) -> tuple[float, float] | None:
    """Bound a mean from below and from above, each with this confidence.

    `sums` and `sizes` are those of the blocks. None for a single block: one piece of luck bounds
    nothing.
    """
    count = len(sizes)
    if count < 2:
        return None
    draws = _draws(count, seed)
    return _bounds((draws @ sums) / (draws @ sizes), sums.sum() / sizes.sum(), count, confidence)


def bounds_of_difference(
    sums: tuple[Floats, Floats], sizes: tuple[Floats, Floats], confidence: float, seed: int
) -> tuple[float, float] | None:
    """Bound the second of two means less the first; both are over the same blocks.

    Blocks are drawn for both at once, as what moves one in a stretch of time moves the other.
    None where nothing can be bounded: fewer than two blocks, or no rows on one side.
    """
    count = len(sizes[0])
    if count < 2 or not (sizes[0].sum() and sizes[1].sum()):
        return None
    draws = _draws(count, seed)
    with np.errstate(divide="ignore", invalid="ignore"):
        first, second = ((draws @ s) / (draws @ n) for s, n in zip(sums, sizes, strict=True))
    drawn = second - first
    center = sums[1].sum() / sizes[1].sum() - sums[0].sum() / sizes[0].sum()
    return _bounds(drawn[np.isfinite(drawn)], center, count, confidence)


def _draws(count: int, seed: int) -> NDArray[np.int64]:
    random = np.random.default_rng(seed)
    return random.multinomial(count, np.full(count, 1 / count), size=_RESAMPLES)


def _bounds(drawn: Floats, center: float, count: int, confidence: float) -> tuple[float, float]:
    # Resampling few blocks shows too little spread; this is the usual correction of a variance.
    spread = (np.quantile(drawn, [1 - confidence, confidence]) - center) * np.sqrt(
        count / (count - 1)
    )
    return float(center + spread[0]), float(center + spread[1])
