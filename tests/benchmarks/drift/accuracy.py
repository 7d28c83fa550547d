"""What is lost by keeping counts in place of rows: binned statistics beside the exact ones."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .changes import on_grid
from .data import DataSet
from .protocol import shuffled_rows
from .trimtab_judge import Binned, binned

Floats = NDArray[np.float64]
_LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """One numeric column of one window, by counts and by rows."""

    data: str
    column: str
    shift: float
    """In standard deviations."""
    ks: float
    ks_exact: float
    ad: float
    ad_exact: float
    quantiles: float
    """Largest distance, in ranks, of a quantile that is read off the bins: 0 to 1."""


def accuracy(
    sets: Sequence[DataSet], *, window_rows: int, shifts: Sequence[float], seed: int
) -> Iterator[Accuracy]:
    """Compare all numeric columns of a window of independent rows, shifted and not."""
    for data in sets:
        rng = np.random.default_rng(seed)
        inputs = data.rows().inputs
        halves = shuffled_rows(len(inputs), rng)
        for name in [str(n) for n in inputs if inputs[n].dtype.kind in "if"]:
            known = inputs[name].iloc[halves.reference.order]
            drawn = inputs[name].iloc[halves.watched.order[:window_rows]]
            for shift in shifts:
                moved = drawn.to_numpy(dtype=np.float64) + shift * float(known.std())
                values = on_grid(moved, known.to_numpy(dtype=np.float64), rng)
                kept = binned(known, pd.Series(values))
                exact = binned_exactly(known.to_numpy(dtype=np.float64), values)
                if kept is None or exact is None:
                    continue
                yield Accuracy(
                    data=data.name,
                    column=name,
                    shift=shift,
                    ks=kolmogorov_smirnov(kept.reference, kept.window),
                    ks_exact=kolmogorov_smirnov(*exact),
                    ad=anderson_darling(kept.reference, kept.window),
                    ad_exact=anderson_darling(*exact),
                    quantiles=_worst_rank(kept, values),
                )


def binned_exactly(reference: Floats, window: Floats) -> tuple[Floats, Floats] | None:
    """Count each value by itself."""
    left, right = reference[~np.isnan(reference)], window[~np.isnan(window)]
    if min(left.size, right.size) == 0:
        return None
    values, codes = np.unique(np.r_[left, right], return_inverse=True)
    count = [
        np.bincount(part, minlength=len(values)).astype(float)
        for part in np.split(codes, [left.size])
    ]
    return count[0], count[1]


def kolmogorov_smirnov(reference: NDArray[np.number], window: NDArray[np.number]) -> float:
    """Give the largest distance of the shares up to each bin.

    >>> kolmogorov_smirnov(np.array([1, 1]), np.array([2, 0]))
    0.5
    """
    distance = np.cumsum(reference) / reference.sum() - np.cumsum(window) / window.sum()
    return float(np.abs(distance).max())


def anderson_darling(reference: NDArray[np.number], window: NDArray[np.number]) -> float:
    """Give the two-sample statistic for values that share bins.

    The version with midranks: Scholz and Stephens, "K-sample Anderson-Darling tests" (1987).
    """
    both = (reference + window).astype(float)
    used = both > 0
    both, left = both[used], reference[used].astype(float)
    n, m = both.sum(), float(reference.sum())
    middle = np.cumsum(both) - both / 2
    weight = middle * (n - middle) - n * both / 4
    inner = both / n * (n * (np.cumsum(left) - left / 2) - middle * m) ** 2
    sides = [inner / m, inner / (n - m)]
    total = sum(float(np.sum(side[weight > 0] / weight[weight > 0])) for side in sides)
    return float(total * (n - 1) / n)


def _worst_rank(kept: Binned, window: Floats) -> float:
    """Read quantiles of the window off its bins, and look up which ranks these really have."""
    present = np.sort(window[~np.isnan(window)])
    shares = np.cumsum(kept.window) / kept.window.sum()
    ends = np.r_[kept.edges, max(kept.high, present[-1])]
    worst = 0.0
    for level in _LEVELS:
        value = ends[min(np.searchsorted(shares, level), len(ends) - 1)]
        low = np.searchsorted(present, value, side="left") / present.size
        high = np.searchsorted(present, value, side="right") / present.size
        worst = max(worst, low - level, level - high)
    return float(worst)
