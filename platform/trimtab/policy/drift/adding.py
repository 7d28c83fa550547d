"""Adding up rows: from a frame to sums, and from sums of stretches to sums of a window."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import reduce
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trimtab.policy.summaries import (
    Codes,
    Floats,
    Numbers,
    Readings,
    Texts,
    count,
    encode,
    read,
    size,
)
from trimtab.records.checks import Check, CheckKind
from trimtab.records.reference import OUTPUTS, REGIONS, ColumnSummary, Reference, Regions
from trimtab.records.schema import ColumnType
from trimtab.records.sums import ColumnSums, WindowSums

from .figures import scoring_of
from .regions import place
from .seasons import PARTS, parts

_HASHES = 256
"""Hashes that are kept: enough to tell a share of repeated rows within a few percent."""
_MIX = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))

Hashes = NDArray[np.uint64]


def readings_of(
    frame: pd.DataFrame,
    reference: Reference,
    types: Mapping[str, ColumnType],
    seconds: Floats | None,
) -> dict[str, Readings]:
    """Read the columns of a frame that the reference knows; nothing raises, however odd it is."""
    ages = seconds if reference.ages else None
    return {
        summary.name: read_column(frame[summary.name], types[summary.name], ages)
        for summary in reference.columns
        if summary.name in frame
    }


def read_column(values: "pd.Series[Any]", type_: ColumnType, seconds: Floats | None) -> Readings:
    """Read a column; a moment is read as its age when the row's own time is known.

    The age, because every live moment is later than all of training.
    """
    readings = read(values, type_)
    if seconds is not None and type_ is ColumnType.DATETIME and isinstance(readings, Numbers):
        return replace(readings, values=seconds - readings.values, are_ages=True)
    return readings


def sum_up(
    readings: Mapping[str, Readings], reference: Reference, rows: int, seconds: Floats | None
) -> WindowSums:
    """Count rows; `seconds` are their times since 1970, which a season asks for."""
    summaries = {s.name: s for s in reference.columns if s.name in readings}
    codes = {name: encode(summary, readings[name]) for name, summary in summaries.items()}
    part = parts(reference.season, seconds, rows)
    columns = {n: _column(summaries[n], readings[n], codes[n]) for n in summaries}
    if reference.regions is not None and rows:
        columns[REGIONS] = _regions(reference.regions, codes, rows)
    return WindowSums(
        rows=rows,
        columns=columns,
        products=_products(summaries, codes, reference.checks, rows),
        seasons=tuple(np.bincount(part, minlength=PARTS[reference.season]).tolist()),
        hashes=_smallest(Counter(hashes(readings, rows).tolist())) if rows else {},
    )


def add(parts_: "list[WindowSums]") -> WindowSums:
    """Add the sums of stretches of rows, in any order; nothing is lost by it."""
    return reduce(_add, parts_, WindowSums())


def _add(left: WindowSums, right: WindowSums) -> WindowSums:
    if not left.rows:
        return right
    if not right.rows:
        return left
    names = [*left.columns, *(name for name in right.columns if name not in left.columns)]
    return WindowSums(
        rows=left.rows + right.rows,
        columns={
            name: _add_columns(
                left.columns.get(name, _absent(right.columns.get(name), left.rows)),
                right.columns.get(name, _absent(left.columns.get(name), right.rows)),
            )
            for name in names
        },
        products=tuple(a + b for a, b in zip(left.products, right.products, strict=True)),
        seasons=tuple(a + b for a, b in zip(left.seasons, right.seasons, strict=True)),
        hashes=_smallest(Counter(left.hashes) + Counter(right.hashes)),
    )


def _add_columns(left: ColumnSums, right: ColumnSums) -> ColumnSums:
    lows = [low for low in (left.low, right.low) if low is not None]
    highs = [high for high in (left.high, right.high) if high is not None]
    return ColumnSums(
        counts=tuple(a + b for a, b in zip(left.counts, right.counts, strict=True)),
        unseen=left.unseen + right.unseen,
        far=left.far + right.far,
        unreadable=left.unreadable + right.unreadable,
        low=min(lows, default=None),
        high=max(highs, default=None),
    )


def _absent(there: ColumnSums | None, rows: int) -> ColumnSums:
    """Stand in for a column that a stretch does not have: rows without a value."""
    bins = len(there.counts) if there else 1
    return ColumnSums(counts=(*(0 for _ in range(bins - 1)), rows))


def _column(summary: ColumnSummary, readings: Readings, codes: Codes) -> ColumnSums:
    counted = count(summary, readings, codes)
    low, high = _range(readings)
    return ColumnSums(
        counts=tuple(counted.counts.tolist()),
        unseen=counted.unseen,
        far=counted.far,
        unreadable=counted.unreadable,
        low=low,
        high=high,
    )


def _regions(regions: Regions, codes: Mapping[str, Codes], rows: int) -> ColumnSums:
    where = place(regions.splits, codes, rows)
    return ColumnSums(counts=tuple(np.bincount(where, minlength=size(regions.summary)).tolist()))


def _range(readings: Readings) -> tuple[float, float] | tuple[str, str] | tuple[None, None]:
    match readings:
        case Numbers(values=values):
            present = np.nan_to_num(values[~np.isnan(values)])  # JSON knows no infinity
            return (float(present.min()), float(present.max())) if present.size else (None, None)
        case Texts(codes=codes, names=names):
            used = [names[code] for code in np.unique(codes[codes >= 0])]
            return (min(used), max(used)) if used else (None, None)


def pairs_of(checks: "tuple[Check, ...]") -> list[Check]:
    """Give the checks of two columns, in their order."""
    return [check for check in checks if check.kind is CheckKind.CORRELATION]


def _products(
    summaries: Mapping[str, ColumnSummary],
    codes: Mapping[str, Codes],
    checks: tuple[Check, ...],
    rows: int,
) -> tuple[float, ...]:
    pairs = pairs_of(checks)
    names = sorted({name for check in pairs for name in (check.column, check.other)})
    if not names or not rows:
        return tuple(0.0 for _ in pairs)
    at = {name: i for i, name in enumerate(names)}
    table = np.zeros((rows, len(names)))
    for name, i in at.items():
        if name in summaries:
            table[:, i] = scoring_of(summaries[name]).rank[codes[name]]
    sums = table.T @ table
    return tuple(float(sums[at[c.column], at[c.other]]) for c in pairs)


def hashes(readings: Mapping[str, Readings], rows: int) -> Hashes:
    """Hash the inputs of each row; equal rows have equal hashes, in every process.

    Ages are left out: the same row has another one each time it comes.
    """
    found = np.zeros(rows, dtype=np.uint64)
    for name in sorted(readings):
        column = readings[name]
        if name not in OUTPUTS and not (isinstance(column, Numbers) and column.are_ages):
            found = _mixed(found ^ _mixed(_bits(column)) + _MIX[0])
    return np.asarray(found >> np.uint64(2))  # a signed number in every database


def _bits(readings: Readings) -> Hashes:
    match readings:
        case Numbers(values=values):
            whole = np.where(np.isnan(values), np.nan, values + 0.0)  # one NaN, and no -0.0
            return whole.view(np.uint64)
        case Texts(codes=codes, names=names):
            known = pd.util.hash_array(np.array([*names, "\0"], dtype=object))
            return np.asarray(known[codes])  # code -1 is the last


def _mixed(bits: Hashes) -> Hashes:
    """Spread bits as SplitMix64 does (Steele, Lea and Flood, 2014)."""
    with np.errstate(over="ignore"):
        bits = (bits ^ (bits >> np.uint64(30))) * _MIX[1]
        bits = (bits ^ (bits >> np.uint64(27))) * _MIX[2]
    return np.asarray(bits ^ (bits >> np.uint64(31)))


def _smallest(tally: "Counter[int]") -> dict[int, int]:
    """Keep the smallest hashes: a uniform sample of distinct rows, with how often each came.

    Bottom-k sketches add up exactly (Cohen and Kaplan, "Summarizing data using bottom-k
    sketches", 2007).
    """
    return {key: tally[key] for key in sorted(tally)[:_HASHES]}


def repeated(sums: WindowSums) -> float:
    """Estimate the share of rows that repeat another row of the window, 0 to 1."""
    rows = sum(sums.hashes.values())
    return 1 - len(sums.hashes) / rows if rows else 0.0
