"""Confidence bounds of means whose rows share their luck: with neighbours in time, or by caller.

A block bootstrap: whole blocks are drawn with replacement, so that neighbouring rows are not
counted as independent (Kuensch 1989, "The jackknife and the bootstrap for general stationary
observations", Annals of Statistics 17). What few blocks, blocks of unlike sizes and blocks that
resemble their neighbours do to it, and how that is put right, is measured in
tests/benchmarks/gate.
"""

from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
_RESAMPLES = 2000
_SUREST = 0.98
"""So far out the resamples can tell a quantile: forty of them lie beyond."""
_MOST_ALIKE = 0.95
_FEWEST = 2.0
_ROUNDING = 1e-9
_FURTHEST = 1e6
_MOST_STRETCH = 3.0
"""Where one block is unlike all others, most draws lack it, and the bootstrap knows no bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A mean over blocks, and how far the truth may be from it."""

    mean: float
    error: float
    """Standard error."""
    freedom: float
    """Degrees of freedom: what the blocks are worth as independent ones, less one."""
    below: float
    above: float
    """How much further out than Student's the bounds lie to each side, as blocks are skewed."""

    def bounds(self, confidence: float) -> tuple[float, float]:
        """Bound the mean from below and from above, each with this confidence."""
        reach = float(stats.t.ppf(confidence, self.freedom)) * self.error
        return self.mean - reach * self.below, self.mean + reach * self.above

    def chance_of(self, floor: float) -> float:
        """Give the p-value of the claim that the true mean is at least this."""
        reach = self.error * self.above
        if reach == 0:
            return float(self.mean >= floor)
        return float(stats.t.cdf((self.mean - floor) / reach, self.freedom))


def spread_of_mean(sums: Floats, sizes: Floats, seed: int) -> Spread | None:
    """Tell how sure a mean is; `sums` and `sizes` are those of the blocks, in their order.

    The blocks are drawn, and each draw is measured by its own standard error: the studentized
    bootstrap (Hall 1988, "Theoretical comparison of bootstrap confidence intervals", Annals of
    Statistics 16; for few blocks Cameron, Gelbach and Miller 2008, "Bootstrap-based improvements
    for inference with clustered errors", Review of Economics and Statistics 90). It is never
    taken to be surer than Student's t. The error is that of the jackknife, which blocks of unlike
    sizes do not deceive (Efron and Stein 1981, Annals of Statistics 9). Blocks that resemble the
    next count for less: as many as are worth as much when independent (Zwiers and von Storch 1995,
    "Taking serial correlation into account in tests of the mean", Journal of Climate 8), with
    their likeness freed from the bias of short series (Marriott and Pope 1954, "Bias in the
    estimation of autocorrelations", Biometrika 41).

    None for a single block: one piece of luck bounds nothing.
    """
    count = len(sizes)
    if count < 2:
        return None
    total = sizes.sum()
    mean = float(sums.sum() / total)
    left = sums - mean * sizes
    if np.abs(left).max() <= _ROUNDING * np.abs(sums).max():  # every block says the same
        return Spread(mean=mean, error=0.0, freedom=count - 1.0, below=1.0, above=1.0)
    worth = count / _repeats(left)
    freedom = max(worth, _FEWEST) - 1
    error = float(np.sqrt((count - 1) / count * ((left / (total - sizes)) ** 2).sum()))
    below, above = _stretch(sums, sizes, seed)
    return Spread(
        mean=mean,
        error=error * float(np.sqrt(count / worth)),
        freedom=freedom,
        below=below,
        above=above,
    )


def bounds_of_mean(
    sums: Floats, sizes: Floats, confidence: float, seed: int
) -> tuple[float, float] | None:
    """Bound a mean from below and from above, each with this confidence (`spread_of_mean`)."""
    spread = spread_of_mean(sums, sizes, seed)
    return spread.bounds(confidence) if spread else None


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


def _repeats(left: Floats) -> float:
    """Tell how many blocks say what one says, as they resemble their neighbours: 1 or more."""
    count = len(left)
    alike = float((left[1:] * left[:-1]).sum() / (left**2).sum())
    alike = min(max(alike + (1 + 4 * alike) / count, 0.0), _MOST_ALIKE)
    apart = np.arange(1, count)
    return float(1 + 2 * ((1 - apart / count) * alike**apart).sum())


def _stretch(sums: Floats, sizes: Floats, seed: int) -> tuple[float, float]:
    """Compare the draws' own t statistics with Student's: how much further out they reach."""
    count = len(sizes)
    draws = _draws(count, seed)
    drawn = draws @ sizes
    means = (draws @ sums) / drawn
    squares = draws @ sums**2 - 2 * means * (draws @ (sums * sizes)) + means**2 * (draws @ sizes**2)
    errors = np.sqrt(count / (count - 1) * np.maximum(squares, 0.0)) / drawn
    off = means - sums.sum() / sizes.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.where(errors > _ROUNDING * np.abs(off), off / errors, np.sign(off) * np.inf)
    found = np.nan_to_num(found, nan=0.0, posinf=_FURTHEST, neginf=-_FURTHEST)
    low, high = np.quantile(found, [1 - _SUREST, _SUREST])
    student = stats.t.ppf(_SUREST, count - 1)
    stretch = np.clip([high / student, -low / student], 1.0, _MOST_STRETCH)
    return float(stretch[0]), float(stretch[1])


@lru_cache(maxsize=8)
def _draws(count: int, seed: int) -> Floats:
    """Tell how often each draw has each block: draws by blocks."""
    random = np.random.default_rng(seed)
    drawn = random.multinomial(count, np.full(count, 1 / count), size=_RESAMPLES)
    return drawn.astype(np.float64)  # whose products are faster than those of whole numbers


def _correction(count: int) -> float:
    """Resampling few blocks shows too little spread; this is the usual correction of a variance."""
    return float(np.sqrt(count / (count - 1)))
