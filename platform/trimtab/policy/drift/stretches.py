"""Windows cut from the training rows themselves: what windows look like when nothing changed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from trimtab.policy.summaries import Codes, Floats, size
from trimtab.records.checks import Check, CheckKind
from trimtab.records.reference import ColumnSummary

from .observing import Counted

ENOUGH = 8
"""Fewer windows than this do not tell how windows differ."""
_EXTREMES = 2000  # rows at either end of a column among which unseen values are looked for
_KEPT = 4000  # windows; more cost time and tell nothing new

Blocks = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainedColumn:
    """A column of the training rows, in their order in time."""

    summary: ColumnSummary
    codes: Codes
    """The bin of each row."""
    values: Floats | None
    """Of a numeric column, NaN where there is no value."""
    is_calendar: bool = False
    """Moments of rows whose own times are not known: later ones are no drift."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trained:
    """All training rows."""

    columns: Sequence[TrainedColumn]
    seasons: NDArray[np.int64]
    """The season of each row."""
    season_count: int
    scores: dict[str, Floats]
    """The location score of each row, of the columns whose correlations are checked."""

    @property
    def rows(self) -> int:
        """Number of training rows."""
        return len(self.seasons)


def by_rows(rows: int, min_rows: int) -> Iterator[tuple[int, Blocks]]:
    """Cut rows into windows of consecutive ones: the smallest, then twice as many rows each.

    Yields the rows of a window, and the window of each row, -1 for rows of none (the oldest).
    Windows with the real number of rows may be too few; then shorter ones stand in.
    """
    length = max(1, min(min_rows, rows // ENOUGH))
    while rows // length >= ENOUGH:
        whole = rows // length
        blocks = (np.arange(rows) - (rows - whole * length)) // length
        yield length, _thinned(blocks, whole)
        length *= 2


def by_time(seconds: Floats, window: timedelta, min_rows: int) -> tuple[int, Blocks] | None:
    """Cut rows into windows of a length of time; None where there are too few that are filled.

    Gives the rows that nine of ten windows have, and the window of each row.
    """
    blocks = ((seconds - seconds[0]) // window.total_seconds()).astype(np.int64)
    _, of, rows = np.unique(blocks, return_inverse=True, return_counts=True)
    usable = rows >= min_rows
    usable[-1] = usable[0] = False  # they may not be whole
    if usable.sum() < ENOUGH:
        return None
    numbers = np.where(usable, np.cumsum(usable) - 1, -1)
    return int(np.quantile(rows[usable], 0.1)), _thinned(numbers[of], int(usable.sum()))


def _thinned(blocks: Blocks, count: int) -> Blocks:
    """Keep some windows of very many: pairs of neighbours, evenly spaced."""
    if count <= _KEPT:
        return np.maximum(blocks, -1)
    pairs = np.unique(np.linspace(0, count // 2 - 1, _KEPT // 2).astype(int))
    kept = np.full(count + 1, -1)
    kept[np.sort([*(2 * pairs), *(2 * pairs + 1)])] = np.arange(2 * len(pairs))
    return kept[np.maximum(blocks, -1)]


def counted(trained: Trained, blocks: Blocks, checks: Sequence[Check]) -> Counted:
    """Count every window as a live one is counted, unseen values beside the other windows."""
    count = int(blocks.max()) + 1
    used = blocks >= 0
    rows = np.bincount(blocks[used], minlength=count).astype(float)
    columns, unseen = {}, {}
    for column in trained.columns:
        bins = size(column.summary)
        columns[column.summary.name] = _tally(blocks, column.codes, count, bins)
        unseen[column.summary.name] = _alone(column, blocks, columns[column.summary.name])
    seasons = _tally(blocks, trained.seasons, count, trained.season_count)
    products, squares = _products(trained, blocks, checks, rows)
    return Counted(
        columns=columns,
        unseen=unseen,
        mixes=seasons / np.maximum(rows, 1.0)[:, None],
        products=products,
        squares=squares,
        rows=rows,
    )


def _tally(blocks: Blocks, codes: Codes | NDArray[np.int64], count: int, bins: int) -> Floats:
    used = blocks >= 0
    cells = blocks[used] * bins + codes[used]
    table = np.bincount(cells, minlength=count * bins).reshape(count, bins)
    return table.astype(float)


def _alone(column: TrainedColumn, blocks: Blocks, counts: Floats) -> Floats:
    """Count the rows with a value that no other window has (a category), or reaches (a number)."""
    if column.values is None:
        alone = np.where(counts.sum(axis=0) - counts == 0, counts, 0.0)
        alone[:, -2:] = 0  # neither what is unlisted nor what is missing is a category
        return np.asarray(alone.sum(axis=1))
    found = np.zeros(len(counts))
    known = np.flatnonzero(np.isfinite(column.values) & (blocks >= 0))
    if known.size == 0:
        return found
    for sign in (1, -1):
        values = sign * column.values[known]
        few = min(_EXTREMES, known.size)
        top = np.argpartition(-values, few - 1)[:few]
        top = top[np.argsort(-values[top], kind="stable")]
        windows = blocks[known[top]]
        others = np.flatnonzero(windows != windows[0])
        reached = values[top[others[0]]] if others.size else -np.inf
        beyond = (values[top] > reached) & (windows == windows[0])
        found[windows[0]] += int(beyond.sum())
    return found


def _products(
    trained: Trained, blocks: Blocks, checks: Sequence[Check], rows: Floats
) -> tuple[Floats, Floats]:
    """Sum the standardised products of pairs, and their squares, window by window."""
    pairs = [check for check in checks if check.kind is CheckKind.CORRELATION]
    if not pairs:
        return np.zeros((len(rows), 0)), np.zeros((len(rows), 0))
    at = {name: i for i, name in enumerate(trained.scores)}
    table = np.column_stack(list(trained.scores.values()))
    left = np.array([at[check.column] for check in pairs])
    right = np.array([at[check.other] for check in pairs])
    order = np.argsort(blocks, kind="stable")
    ends = np.searchsorted(blocks[order], np.arange(len(rows) + 1))
    sums, squares = np.empty((2, len(rows), len(pairs)))
    for window in range(len(rows)):
        part = table[order[ends[window] : ends[window + 1]]]
        sums[window] = (part.T @ part)[left, right]
        squares[window] = (part.T**2 @ part**2)[left, right]
    expected = np.array([check.expected for check in pairs])
    scale = np.array([check.scale for check in pairs])
    return np.asarray((sums - rows[:, None] * expected) / scale), squares / scale**2
