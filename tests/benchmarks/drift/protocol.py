"""How rows become references and windows, and how rates are reported; pure functions."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, sqrt

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.intp]
Seconds = NDArray[np.float64]

WEEK = 7 * 86_400.0
LONGER = 1.5
"""Blocks are so much longer than a window, so that most windows lie whole in one block."""
FEWEST_BLOCKS = 8
"""With fewer a half is a handful of blocks, and the two halves differ as any two months do."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Half:
    """Rows in a new order, and the times that they have there."""

    order: Indices
    seconds: Seconds


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Halves:
    """Rows to train on and rows to watch; by construction nothing sets them apart."""

    reference: Half
    watched: Half


def shuffled_blocks(
    seconds: Seconds, window_rows: int, *, has_weeks: bool, rng: np.random.Generator
) -> Halves | None:
    """Shuffle blocks of neighbours and halve them; None where there are too few blocks.

    Rows stay beside their neighbours, as live rows are. With `has_weeks`, blocks are whole weeks,
    so that every row keeps its hour of the day and its day of the week; else they are as many
    rows, and all rows lie as far apart as they do in the mean.
    """
    apart = mean_apart(seconds)
    if has_weeks:
        length = WEEK * ceil(LONGER * window_rows * apart / WEEK)
        block, within = np.divmod(seconds - seconds[0], length)
    else:
        rows = ceil(LONGER * window_rows)
        length = rows * apart
        block, place = np.divmod(np.arange(len(seconds), dtype=np.float64), rows)
        within = place * apart
    blocks = int(block[-1])  # the last one is not full
    if blocks < FEWEST_BLOCKS:
        return None
    drawn = rng.permutation(blocks)
    orders = [np.flatnonzero(block == old) for old in drawn]
    times = [seconds[0] + new * length + within[rows] for new, rows in enumerate(orders)]
    middle = blocks // 2
    return Halves(
        reference=_joined(orders[:middle], times[:middle]),
        watched=_joined(orders[middle:], times[middle:]),
    )


def shuffled_rows(rows: int, rng: np.random.Generator) -> Halves:
    """Shuffle the rows themselves, a second apart, and halve them."""
    order, seconds = rng.permutation(rows), np.arange(rows, dtype=float)
    middle = rows // 2
    return Halves(
        reference=Half(order=order[:middle], seconds=seconds[:middle]),
        watched=Half(order=order[middle:], seconds=seconds[middle:]),
    )


def mean_apart(seconds: Seconds) -> float:
    """Give the mean distance of rows that follow each other."""
    return float(seconds[-1] - seconds[0]) / max(1, len(seconds) - 1)


def windows(rows: int, window_rows: int, most: int | None = None) -> Iterator[slice]:
    """Cut rows into windows that follow each other; what is left over is in none."""
    for n in range(min(rows // window_rows, most or rows)):
        yield slice(n * window_rows, (n + 1) * window_rows)


def wilson(hits: int, trials: int, z: float = 1.96) -> tuple[float, float]:
    """Give the 95% interval of a rate.

    Wilson, "Probable inference, the law of succession, and statistical inference" (1927).

    >>> [round(end, 3) for end in wilson(1, 100)]
    [0.002, 0.054]
    """
    if trials == 0:
        return 0.0, 1.0
    share, square = hits / trials, z * z
    middle = (share + square / (2 * trials)) / (1 + square / trials)
    half = z * sqrt(share * (1 - share) / trials + square / (4 * trials**2))
    half /= 1 + square / trials
    low = 0.0 if hits == 0 else middle - half  # not the last digit of a difference
    return low, 1.0 if hits == trials else middle + half


def _joined(orders: list[Indices], times: list[Seconds]) -> Half:
    return Half(order=np.concatenate(orders), seconds=np.concatenate(times))
