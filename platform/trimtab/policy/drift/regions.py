"""Regions: a small tree parts the inputs by where the model errs, and rows are counted in each."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from trimtab.policy.summaries import Codes, Floats
from trimtab.records.reference import REGIONS, ColumnSummary, Regions, Split

_MOST = 32
_FEWEST_ROWS = 50
_SMALLEST = 200  # a part of all rows so small has no region of its own
_ENOUGH = 20_000  # rows; more would part the inputs alike
_HIGHEST = 0.99  # of the losses: one row must not have a region to itself

Rows = NDArray[np.intp]


def grow(columns: Mapping[str, tuple[Codes, ColumnSummary]], losses: Floats) -> Regions | None:
    """Part rows by the bins of their columns, so that regions differ most in mean loss.

    A regression tree of at most 32 leaves, the best split of all first (Breiman, Friedman, Olshen
    and Stone, "Classification and Regression Trees", 1984); categories are ordered by their mean
    loss (Fisher, "On grouping for maximum homogeneity", 1958). What changes in the inputs together
    shows in the shares of its leaves, weighed by what it means to the model. `losses` are of rows
    that the model was not fitted on, NaN where that is not known. None where nothing can be told
    apart.
    """
    known = np.flatnonzero(np.isfinite(losses))
    if known.size < 3 * _FEWEST_ROWS:
        return None
    known = known[np.linspace(0, known.size - 1, min(known.size, _ENOUGH)).astype(int)]
    found = np.minimum(losses[known], np.quantile(losses[known], _HIGHEST))
    codes = {name: column[known] for name, (column, _) in columns.items()}
    numeric = {name for name, (_, summary) in columns.items() if summary.is_numeric}
    splits = _splits(codes, numeric, found)
    if len(splits) < 2:
        return None
    where = place(splits, {name: column for name, (column, _) in columns.items()}, len(losses))
    return Regions(splits=splits, summary=_summary(where, losses, len(splits) + 1))


def place(splits: Sequence[Split], codes: Mapping[str, Codes], rows: int) -> NDArray[np.int64]:
    """Give the region of each row; a column that is not there is not among the bins of any."""
    at = np.zeros(rows, dtype=np.int64)
    for number, split in enumerate(splits):
        here = np.flatnonzero(at == number)
        if here.size == 0:
            continue
        column = codes.get(split.column)
        is_inside = np.isin(column[here], split.bins) if column is not None else False
        at[here] = np.where(is_inside, split.inside, split.outside)
    return -1 - at


def _splits(codes: Mapping[str, Codes], numeric: set[str], losses: Floats) -> tuple[Split, ...]:
    """Split the leaf that gains most until there are enough; leaves are numbers below zero."""
    fewest = max(_FEWEST_ROWS, len(losses) // _SMALLEST)
    splits: list[Split] = []
    leaves = {0: np.arange(len(losses))}
    owner: dict[int, tuple[int, bool]] = {}
    best = {0: _best(codes, numeric, losses, leaves[0], fewest)}
    while len(leaves) < _MOST:
        leaf = max(best, key=lambda n: best[n][0])
        gain, name, bins = best.pop(leaf)
        if gain <= 0:
            break
        rows, other = leaves[leaf], len(leaves)
        inside = np.isin(codes[name][rows], bins)
        if leaf in owner:
            parent, is_inside = owner[leaf]
            splits[parent] = _towards(splits[parent], is_inside, len(splits))
        owner[leaf], owner[other] = (len(splits), True), (len(splits), False)
        splits.append(Split(column=name, bins=bins, inside=-1 - leaf, outside=-1 - other))
        for number, part in ((leaf, rows[inside]), (other, rows[~inside])):
            leaves[number] = part
            best[number] = _best(codes, numeric, losses, part, fewest)
    return tuple(splits)


def _towards(split: Split, is_inside: bool, number: int) -> Split:
    inside, outside = (number, split.outside) if is_inside else (split.inside, number)
    return Split(column=split.column, bins=split.bins, inside=inside, outside=outside)


def _best(
    codes: Mapping[str, Codes], numeric: set[str], losses: Floats, rows: Rows, fewest: int
) -> tuple[float, str, tuple[int, ...]]:
    found: tuple[float, str, tuple[int, ...]] = (0.0, "", ())
    for name, column in codes.items():
        gain, bins = _cut(column[rows], losses[rows], fewest, in_order=name in numeric)
        if gain > found[0] * (1 + 1e-9):
            found = (gain, name, bins)
    return found


def _cut(
    codes: Codes, losses: Floats, fewest: int, *, in_order: bool
) -> tuple[float, tuple[int, ...]]:
    """Find the bins that differ most from the others; of numbers, neighbouring ones from below."""
    counts = np.bincount(codes)
    sums = np.bincount(codes, weights=losses)
    used = np.flatnonzero(counts)
    if not in_order:
        used = used[np.argsort(sums[used] / counts[used], kind="stable")]
    rows, below = np.cumsum(counts[used])[:-1], np.cumsum(sums[used])[:-1]
    total, count = float(losses.sum()), len(losses)
    fits = (rows >= fewest) & (count - rows >= fewest)
    if not fits.any():
        return 0.0, ()
    above = total - below
    gains = below**2 / rows + above**2 / np.maximum(count - rows, 1) - total**2 / count
    at = int(np.argmax(np.where(fits, gains, -np.inf)))
    chosen = range(int(used[at]) + 1) if in_order else sorted(used[: at + 1].tolist())
    return float(gains[at]), tuple(chosen)


def _summary(where: NDArray[np.int64], losses: Floats, regions: int) -> ColumnSummary:
    known = np.isfinite(losses)
    rows = np.bincount(where[known], minlength=regions)
    sums = np.bincount(where[known], weights=losses[known], minlength=regions)
    means = tuple(float(s / n) if n else None for s, n in zip(sums, rows, strict=True))
    return ColumnSummary(
        name=REGIONS,
        counts=(*np.bincount(where, minlength=regions).tolist(), 0),
        categories=tuple(str(number) for number in range(regions)),
        output_means=(*means, None),
    )
