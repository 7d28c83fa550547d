"""What is kept of a column: counts in bins that the training rows fix, and windows add to."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trimtab.records.reference import ColumnSummary
from trimtab.records.schema import ColumnType

BINS = 30
"""Bins of equal mass a numeric column, besides the tails."""
_TAILS = (0.001, 0.01, 0.99, 0.999)
_TRUTH = {"1": "true", "1.0": "true", "0": "false", "0.0": "false"}
_LISTED = 1000  # categories that are told apart; free text would fill the file with the rest

Counts = NDArray[np.int64]
"""Rows in each bin and, behind them, the rows without a value; leading axes are windows."""
Codes = NDArray[np.int16]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Numbers:
    """A numeric column as it was read; NaN where there is no value."""

    values: Floats
    unreadable: int = 0
    """Values that are no numbers; they count as missing."""
    are_ages: bool = False
    """Seconds from a moment to the row's own time, rather than what the row says."""


@dataclass(frozen=True, slots=True, eq=False)
class Texts:
    """A column of categories: `names[code]` of each row, code -1 where there is no value."""

    codes: NDArray[np.intp]
    names: list[str]


Readings = Numbers | Texts


@dataclass(frozen=True, slots=True, eq=False)
class CodedColumn:
    """A column of the training rows: its summary, and the bin of each row."""

    summary: ColumnSummary
    codes: Codes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ColumnCounts:
    """One column of a window, counted as the reference counts."""

    counts: Counts
    unseen: int
    """Rows with a category that the reference does not list, or a number out of its range."""
    far: int
    """Rows with a number beyond the range widened on each side by its own width."""
    unreadable: int

    @property
    def rows(self) -> int:
        """All rows, those without a value included."""
        return int(self.counts.sum())

    @property
    def missing(self) -> int:
        """Rows without a value."""
        return int(self.counts[-1])


def read(values: "pd.Series[Any]", type_: ColumnType) -> Readings:
    """Read a column as its type says; what cannot be read counts as missing, nothing raises."""
    if type_ is ColumnType.DATETIME:
        return Numbers(*_readable(values, _seconds(values)))
    if type_.is_numeric:
        numbers = pd.to_numeric(_without_texts(values), errors="coerce")
        return Numbers(*_readable(values, numbers.to_numpy(dtype=float, na_value=np.nan)))
    codes, uniques = pd.factorize(_comparable(values))
    spelled = [_spelled(unique) for unique in uniques]
    if type_ is ColumnType.BOOLEAN:
        spelled = [_TRUTH.get(name.lower(), name.lower()) for name in spelled]
    positions = {name: i for i, name in enumerate(dict.fromkeys(spelled))}
    merged = np.array([positions[name] for name in spelled] + [-1])  # code -1 stays -1
    return Texts(merged[codes], list(positions))


def _seconds(values: "pd.Series[Any]") -> Floats:
    moments = values
    if values.dtype.kind != "M":  # a bare number is no moment: seconds or nanoseconds?
        known = values.astype(object).map(lambda v: v if isinstance(v, str | date) else None)
        moments = pd.to_datetime(known, utc=True, errors="coerce", format="mixed")
    moments = pd.to_datetime(moments, utc=True).astype("datetime64[ns, UTC]")
    return np.where(moments.isna(), np.nan, moments.astype("int64").to_numpy() / 1e9)


def _comparable(values: "pd.Series[Any]") -> "pd.Series[Any]":
    """Spell lists, dictionaries and the like, which cannot be compared, as text."""
    if values.dtype != object or not pd.api.types.infer_dtype(values, skipna=True).startswith(
        "mix"
    ):
        return values
    spelled = [v if pd.api.types.is_scalar(v) else str(v) for v in values]
    return pd.Series(spelled, index=values.index, dtype=object)


def _spelled(value: object) -> str:
    """Write a category; half of a surrogate pair, which no file can hold, is spelled out."""
    return str(value).encode("utf-8", "backslashreplace").decode("utf-8")


def _without_texts(values: "pd.Series[Any]") -> "pd.Series[Any]":
    """Leave out text: `"7"` where there were numbers is a change of type, and must show."""
    if isinstance(values.dtype, pd.CategoricalDtype | pd.StringDtype):
        return pd.Series(np.nan, index=values.index)
    if values.dtype != object:
        return values
    return pd.Series([_number(value) for value in values], index=values.index, dtype=float)


def _number(value: object) -> float:
    """Read a number; one that is too large for a float is infinite, not absent."""
    if not pd.api.types.is_number(value):
        return np.nan
    try:
        return float(value)  # type: ignore[arg-type]
    except OverflowError:
        return np.inf if value > 0 else -np.inf  # type: ignore[operator]
    except (TypeError, ValueError):  # a complex number, a signalling NaN
        return np.nan


def _readable(values: "pd.Series[Any]", numbers: Floats) -> tuple[Floats, int]:
    return numbers, int(np.sum(np.isnan(numbers) & values.notna().to_numpy()))


def summarise(name: str, readings: Readings) -> CodedColumn:
    """Fix the bins of a column by its training values, and count those."""
    match readings:
        case Numbers():
            finite = np.sort(readings.values[np.isfinite(readings.values)])
            summary = ColumnSummary(
                name=name,
                counts=(),
                edges=_edges(finite),
                low=float(finite[0]) if finite.size else None,
                high=float(finite[-1]) if finite.size else None,
            )
        case Texts():
            tally = np.bincount(readings.codes[readings.codes >= 0], minlength=len(readings.names))
            frequent = np.argsort(-tally, kind="stable")[:_LISTED]
            names = tuple(readings.names[i] for i in frequent)
            summary = ColumnSummary(name=name, counts=(), categories=names)
    codes = encode(summary, readings)
    *counts, missing = np.bincount(codes, minlength=size(summary)).tolist()
    return CodedColumn(replace(summary, counts=tuple(counts), missing=missing), codes)


def _edges(finite: Floats) -> tuple[float, ...]:
    """Choose inner edges at values that occur, so that a frequent value ends its own bin.

    The first bin and the last are for values below and above all of these.
    """
    if finite.size == 0:
        return ()
    distinct = finite[np.flatnonzero(np.diff(finite, prepend=np.nan) != 0)]
    if distinct.size > BINS:
        levels = np.sort([*np.arange(1, BINS) / BINS, *_TAILS])
        distinct = np.unique(np.quantile(finite, levels, method="inverted_cdf"))
    inner = distinct[distinct < finite[-1]].tolist()
    return (float(np.nextafter(finite[0], -np.inf)), *inner, float(finite[-1]))


def size(summary: ColumnSummary) -> int:
    """Give the number of bins, the one for all unlisted categories and that of missing included."""
    return (len(summary.categories) or len(summary.edges)) + 2


def encode(summary: ColumnSummary, readings: Readings) -> Codes:
    """Give the bin of each row; the last bin is that of the rows without a value."""
    match readings:
        case Numbers(values=values):
            codes = np.searchsorted(np.array(summary.edges, dtype=float), values, side="left")
            codes[np.isnan(values)] = size(summary) - 1
        case Texts(codes=found, names=names):
            listed = {name: i for i, name in enumerate(summary.categories)}
            bins = [listed.get(name, len(listed)) for name in names]
            codes = np.array([*bins, size(summary) - 1])[found]
    return codes.astype(np.int16)


def reference_counts(summary: ColumnSummary) -> Counts:
    """Give the training rows in each bin, in the order in which windows are counted."""
    return np.array([*summary.counts, summary.missing], dtype=np.int64)


def count(summary: ColumnSummary, readings: Readings, codes: Codes | None = None) -> ColumnCounts:
    """Count a window in the reference's bins; `codes` are what `encode` gave, where it is known."""
    bins = encode(summary, readings) if codes is None else codes
    counts = np.bincount(bins, minlength=size(summary))
    match readings:
        case Numbers(values=values):
            present = values[~np.isnan(values)]
            unseen, far = _out_of_range(summary, present)
        case Texts(codes=found):
            used = np.bincount(found[found >= 0], minlength=len(readings.names))
            known = set(summary.categories)
            strange = (
                int(n) for n, name in zip(used, readings.names, strict=True) if name not in known
            )
            unseen, far = sum(strange), 0
    unreadable = readings.unreadable if isinstance(readings, Numbers) else 0
    return ColumnCounts(counts=counts, unseen=unseen, far=far, unreadable=unreadable)


def _out_of_range(summary: ColumnSummary, present: Floats) -> tuple[int, int]:
    if summary.low is None or summary.high is None:
        return present.size, 0
    width = summary.high - summary.low
    outside = (present < summary.low) | (present > summary.high)
    far = (present < summary.low - width) | (present > summary.high + width)
    return int(outside.sum()), int(far.sum()) if width > 0 else 0
