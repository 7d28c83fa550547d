"""Windows cut from the training rows themselves: what windows look like when nothing changed."""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from .summaries import Codes, Floats

ENOUGH = 3
"""Whole windows that the rows must cover to be cut from them; with fewer they are resampled."""
_MOST = 400  # more windows cost time and tell nothing new
_OVERLAP = 4  # windows start at every quarter of a window
_RESAMPLED_BLOCKS = 24

Matrix = NDArray[np.float64]
Blocks = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PseudoWindows:
    """How rows form blocks of neighbours, and blocks form windows.

    Blocks, because live rows are like their neighbours too: windows of rows that are drawn one by
    one are far too alike, and limits from them give an alarm in nearly every real window.
    """

    blocks: Blocks
    """The block of each row; -1 for rows of none."""
    size: int
    """Number of blocks."""
    per_window: int
    draws: tuple[Matrix, Matrix] | None = None
    """How often each block is in each window, and in the rows it is compared with: where windows
    are resampled rather than cut."""

    @property
    def independent(self) -> int:
        """Number of windows that do not overlap."""
        if self.draws is not None:
            return len(self.draws[0])
        return max(1, self.size // self.per_window)

    def tally(self, codes: Codes, bins: int) -> Matrix:
        """Count the rows of each bin (across) in each block (down)."""
        cells = self.blocks * bins + codes
        if self.blocks.min() < 0:
            cells = cells[self.blocks >= 0]
        counts = np.bincount(cells, minlength=self.size * bins)
        return counts.reshape(self.size, bins).astype(np.float64)

    def total(self, values: Floats) -> Matrix:
        """Sum a value over each block, as one column."""
        used = self.blocks >= 0
        sums = np.bincount(self.blocks[used], weights=values[used], minlength=self.size)
        return sums[:, None].astype(np.float64)

    def split(self, by_block: Matrix) -> tuple[Matrix, Matrix]:
        """Add blocks up: one row a window, and one of all that the window is compared with."""
        if self.draws is not None:
            return self.draws[0] @ by_block, self.draws[1] @ by_block
        running = np.vstack([np.zeros_like(by_block[:1]), by_block.cumsum(axis=0)])
        windows = running[self.per_window :] - running[: -self.per_window]
        return windows, running[-1] - windows


def by_rows(rows: int, window_rows: int, rng: np.random.Generator) -> PseudoWindows:
    """Form windows of a number of consecutive rows."""
    if rows < ENOUGH * window_rows:
        return _resampled(np.arange(rows, dtype=float), rows, window_rows, rng)
    return _cut(np.arange(rows, dtype=float), rows, window_rows)


def by_time(seconds: Floats, window: timedelta, rng: np.random.Generator) -> PseudoWindows:
    """Form windows of a length of time; `seconds` rise, and count from any moment."""
    since = seconds - seconds[0]
    length, span = window.total_seconds(), float(since[-1])
    if span < ENOUGH * length:
        return _resampled(since, np.nextafter(span, np.inf), length, rng)
    return _cut(since, span, length)


def _cut(positions: Floats, span: float, length: float) -> PseudoWindows:
    """Cut windows out of rows at positions; of very many windows some, evenly spaced."""
    whole = int(span // length)
    overlap = _OVERLAP if whole * _OVERLAP <= _MOST else 1
    size = whole * overlap
    blocks = (positions // (length / overlap)).astype(np.int64)
    blocks[blocks >= size] = -1  # the last window is not full
    if size > _MOST:
        kept = np.full(size, -1)
        kept[np.linspace(0, size - 1, _MOST).astype(int)] = np.arange(_MOST)
        blocks, size = np.where(blocks >= 0, kept[blocks], -1), _MOST
    return PseudoWindows(blocks=blocks, size=size, per_window=overlap)


def _resampled(
    positions: Floats, span: float, length: float, rng: np.random.Generator
) -> PseudoWindows:
    """Draw blocks of neighbours with replacement, for windows and for all rows alike.

    The block bootstrap: Kuensch, "The jackknife and the bootstrap for general stationary
    observations" (1989).
    """
    size = min(_RESAMPLED_BLOCKS, len(positions)) if span > 0 else 1
    blocks = np.minimum((positions * size // max(span, 1e-9)).astype(np.int64), size - 1)
    per_window = max(1, round(size * min(1.0, length / max(span, 1e-9))))
    even = np.full(size, 1 / size)
    return PseudoWindows(
        blocks=blocks,
        size=size,
        per_window=per_window,
        draws=(
            rng.multinomial(per_window, even, size=_MOST).astype(float),
            rng.multinomial(size, even, size=_MOST).astype(float),
        ),
    )
