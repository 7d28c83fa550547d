"""Blocks of time that search trials are asked about, each after fitting on what was before."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trimtab.policy.training_windows import first_row, weights
from trimtab.records.training_windows import TrainingWindow

from .check import Checked

_FEWEST = 50
"""With fewer rows of a window before a block, nothing is learned about either."""
_OLDEST = 0.3
"""No block begins within this share of the rows, the oldest."""
_PIECES = 8
"""Each block is cut into so many pieces of time, by which trials are compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Rows to ask about."""

    start: int
    """Only rows before this one are fitted on."""
    end: int

    def pieces(self, losses: np.ndarray) -> tuple[float, ...]:
        """Give the mean losses of the block's pieces."""
        count = min(_PIECES, len(losses))
        return tuple(float(piece.mean()) for piece in np.array_split(losses, count))


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchedRows:
    """The rows a search works on, and how they are cut."""

    checked: Checked
    ages: np.ndarray
    """Of each row, as `split.ages` gives them."""
    blocks: tuple[Block, ...]
    """The newest first."""

    def first(self, window: TrainingWindow, block: Block) -> int:
        """Find the first row that a trial with this window is fitted on before a block."""
        return first_row(window, self._before(block))

    def weights(self, window: TrainingWindow, block: Block) -> np.ndarray | None:
        """Give how much each of these rows counts."""
        return weights(window, self._before(block)[self.first(window, block) :])

    def holds(self, window: TrainingWindow) -> bool:
        """Tell whether a window holds enough before every block: each class twice."""
        return all(is_enough(self.checked, self.first(window, b), b.start) for b in self.blocks)

    def _before(self, block: Block) -> np.ndarray:
        since = self.ages[block.start] if block.start < len(self.ages) else 0.0
        return np.asarray(self.ages[: block.start] - since)


def cut(
    checked: Checked, ages: np.ndarray, fitted: int, *, blocks: int, max_rows: int
) -> SearchedRows:
    """Cut blocks as long as the validation rows, which are the newest of them.

    Of more than `max_rows` rows, every second, third ... is taken, up to the newest. Blocks before
    which a class occurs less than twice are left out. Rolling origins, as in Tashman,
    "Out-of-sample tests of forecasting accuracy" (2000).
    """
    rows = len(checked.inputs)
    step = -(-rows // max_rows)
    kept = np.arange((rows - 1) % step, rows, step)
    thin = checked if step == 1 else checked.only(kept)
    start, end = int(np.searchsorted(kept, fitted)), len(kept)
    length, found = end - start, list[Block]()
    for _ in range(blocks):
        if length < 2 or (found and start < _OLDEST * len(kept)) or not is_enough(thin, 0, start):
            break
        found.append(Block(start=start, end=start + length))
        start -= length
    return SearchedRows(checked=thin, ages=ages[kept], blocks=tuple(found))


def offered(rows: SearchedRows, windows: Sequence[TrainingWindow]) -> list[TrainingWindow]:
    """Give the windows that hold enough; the first one always competes."""
    return [windows[0], *(window for window in windows[1:] if rows.holds(window))]


def is_enough(checked: Checked, start: int, end: int) -> bool:
    """Tell whether rows can be fitted on: there are enough of them, and each class twice."""
    if end - start < _FEWEST:
        return False
    if not checked.contract.task.is_classification:
        return True
    counts = np.bincount(checked.truth[start:end], minlength=len(checked.contract.classes))
    return bool(counts.min() >= 2)
