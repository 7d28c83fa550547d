"""Sums over blocks of rows, mostly stretches of time: added up as traffic comes, never many."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trimtab.records.tallies import BlockSums

from .resampling import Floats

SHORTEST = 60
"""Seconds of the first blocks."""
MOST = 64
"""With more blocks than this, two neighbours become one."""


def sum_up(seconds: Floats, figures: Floats, block_seconds: int) -> BlockSums:
    """Sum figures (rows by figures) over the blocks that their times, since 1970, fall in."""
    return sum_over((seconds // block_seconds).astype(np.int64), figures)


def sum_over(numbers: NDArray[np.int64], figures: Floats) -> BlockSums:
    """Sum figures (rows by figures) over the blocks of these numbers, one a row."""
    blocks, of = np.unique(numbers, return_inverse=True)
    sums = np.zeros((len(blocks), figures.shape[1]))
    np.add.at(sums, of, figures)
    return _record(blocks, sums)


def add(parts: Sequence[BlockSums], halvings: Sequence[int]) -> BlockSums:
    """Add sums up, after joining the neighbours of each part so many times."""
    known = [(p, n) for p, n in zip(parts, halvings, strict=True) if p.blocks]
    if not known:
        return BlockSums()
    numbers = np.concatenate([np.array(part.blocks) >> n for part, n in known])
    return sum_over(numbers, np.concatenate([np.array(part.sums) for part, _ in known]))


def doublings(blocks: Sequence[int], most: int = MOST) -> int:
    """Tell how often neighbours have to be joined until there are no more than `most` blocks."""
    times, numbers = 0, set(blocks)
    while len(numbers) > most:
        times, numbers = times + 1, {number >> 1 for number in numbers}
    return times


def _record(blocks: NDArray[np.int64], sums: Floats) -> BlockSums:
    rows = tuple(map(tuple, sums.tolist()))
    return BlockSums(blocks=tuple(blocks.tolist()), sums=rows)
