"""Confidence bounds of means whose rows share their luck: with neighbours in time, or by caller.

A block bootstrap: whole blocks are drawn with replacement, so that neighbouring rows are not
counted as independent (Kuensch 1989, "The jackknife and the bootstrap for general stationary
observations", Annals of Statistics 17; for few blocks Cameron, Gelbach and Miller 2008,
"Bootstrap-based improvements for inference with clustered errors", Review of Economics and
Statistics 90).
"""

from statistics import NormalDist

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
    first: tuple[Floats, Floats], second: tuple[Floats, Floats], confidence: float, seed: int
) -> tuple[float, float] | None:
    """Bound the mean of a second group less that of a first from below and from above.

    A group is the sums and the sizes of its blocks, which are drawn for each group alone: no block
    of one has to do with a block of the other. Few blocks are believed as little as Student's
    distribution believes them, by the degrees of freedom of Welch 1947, "The generalization of
    Student's problem when several different population variances are involved", Biometrika 34.
    None where a group has fewer than two blocks.
    """
    groups = (first, second)
    if any(len(sizes) < 2 for _, sizes in groups):
        return None
    means = [sums.sum() / sizes.sum() for sums, sizes in groups]
    drawn = []
    for i, ((sums, sizes), mean) in enumerate(zip(groups, means, strict=True)):
        draws = _draws(len(sizes), seed + i)
        drawn.append(((draws @ sums) / (draws @ sizes) - mean) * _correction(len(sizes)))
    spread = np.quantile(drawn[1] - drawn[0], [1 - confidence, confidence])
    low, high = means[1] - means[0] + spread * _widening(groups, confidence)
    return float(low), float(high)


def variance_of_mean(sums: Floats, sizes: Floats) -> Floats:
    """Give the variance of means over blocks (blocks, or blocks by figures), to the first order."""
    count, total = len(sizes), sizes.sum()
    table = sums.reshape(count, -1)
    left = table - np.outer(sizes, table.sum(axis=0) / total)
    return np.asarray(count / (count - 1) * (left**2).sum(axis=0) / total**2)


def _widening(groups: tuple[tuple[Floats, Floats], ...], confidence: float) -> float:
    """Tell how much wider Student's bounds are than normal ones."""
    variances = [float(variance_of_mean(*group)[0]) for group in groups]
    parts = [v**2 / (len(sizes) - 1) for v, (_, sizes) in zip(variances, groups, strict=True)]
    if not sum(parts):
        return 1.0
    freedom = sum(variances) ** 2 / sum(parts)
    z = NormalDist().inv_cdf(confidence)
    # Abramowitz and Stegun 1964, "Handbook of Mathematical Functions", 26.7.5, over z.
    return (
        1
        + (z**2 + 1) / (4 * freedom)
        + (5 * z**4 + 16 * z**2 + 3) / (96 * freedom**2)
        + (3 * z**6 + 19 * z**4 + 17 * z**2 - 15) / (384 * freedom**3)
    )


def _draws(count: int, seed: int) -> NDArray[np.int64]:
    random = np.random.default_rng(seed)
    return random.multinomial(count, np.full(count, 1 / count), size=_RESAMPLES)


def _bounds(drawn: Floats, center: float, count: int, confidence: float) -> tuple[float, float]:
    spread = (np.quantile(drawn, [1 - confidence, confidence]) - center) * _correction(count)
    return float(center + spread[0]), float(center + spread[1])


def _correction(count: int) -> float:
    """Resampling few blocks shows too little spread; this is the usual correction of a variance."""
    return float(np.sqrt(count / (count - 1)))
