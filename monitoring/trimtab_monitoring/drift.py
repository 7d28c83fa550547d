"""The only module that knows Evidently: it measures with our statistic, and draws the report."""

import html
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.core.report import Snapshot
from evidently.legacy.calculations.stattests.registry import StatTest, register_stattest
from evidently.legacy.core import ColumnType as EvidentlyType
from evidently.metrics import ValueDrift

from trimtab.policy.distance import distance
from trimtab.policy.summaries import ColumnCounts, Numbers, Readings, Texts, count, read
from trimtab.records.reference import ColumnSummary

from .version_files import WatchedVersion

log = logging.getLogger(__name__)

METHOD = "trimtab"
_SHOWN_ROWS = 1000
"""Rows that the report draws; the distances count all."""
_SHOWN_CATEGORIES = 20  # a picture with more is unreadable, and takes minutes to draw


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Column:
    """One column, read for Evidently."""

    safe_name: str
    summary: ColumnSummary
    counted: ColumnCounts
    limit: float
    here: "pd.Series[float] | pd.Series[str]"
    there: "pd.Series[float] | pd.Series[str]"

    @property
    def has_values(self) -> bool:
        """Tell whether Evidently can take it; it raises where either side has no values."""
        return bool(self.here.notna().any() and self.there.notna().any())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Comparison:
    """A window beside its reference."""

    counted: Mapping[str, ColumnCounts]
    distances: Mapping[str, float | None]
    snapshot: Snapshot | None
    """Evidently's result; None when there was no column that it could take."""

    def write_report(self, path: Path) -> bool:
        """Write the report as one HTML page; False when there is nothing to show."""
        if self.snapshot is None:
            return False
        self.snapshot.save_html(str(path))
        return True


_measured: ContextVar[Mapping[str, _Column]] = ContextVar("measured")


def _distance(
    reference: "pd.Series[float]", current: "pd.Series[float]", _: EvidentlyType, limit: float
) -> tuple[float, bool]:
    """Measure as the limits were calibrated: all rows of both sides, in the reference's bins.

    The two series are only what is drawn; Evidently has dropped the missing values from them.
    """
    column = _measured.get()[str(current.name)]
    found = distance(column.summary, column.counted)
    return (0.0, False) if found is None else (found, found > limit)


register_stattest(
    StatTest(
        name=METHOD,
        display_name="Jensen-Shannon distance to the version's reference",
        allowed_feature_types=[EvidentlyType.Numerical, EvidentlyType.Categorical],
    ),
    _distance,
)


def compare(version: WatchedVersion, frame: pd.DataFrame) -> Comparison:
    """Measure how far every column of a window is from the version's reference.

    A column that Evidently cannot take costs only its picture: its distance comes from the same
    counts. Nothing raises, however odd the values are.
    """
    limits = version.reference.limits_at(len(frame))
    if limits is None:
        return Comparison(counted=_counted(version, frame), distances={}, snapshot=None)
    columns = {
        summary.name: _column(version, summary, frame, limits.by_column.get(summary.name, 1.0))
        for summary in version.reference.columns
        if summary.name in frame
    }
    snapshot = _run([column for column in columns.values() if column.has_values])
    by_safe_name = _values(snapshot)
    return Comparison(
        counted={name: column.counted for name, column in columns.items()},
        distances={
            name: by_safe_name.get(column.safe_name, distance(column.summary, column.counted))
            for name, column in columns.items()
        },
        snapshot=snapshot,
    )


def _counted(version: WatchedVersion, frame: pd.DataFrame) -> dict[str, ColumnCounts]:
    types = version.types
    return {
        summary.name: count(summary, read(frame[summary.name], types[summary.name]))
        for summary in version.reference.columns
        if summary.name in frame
    }


def _column(
    version: WatchedVersion, summary: ColumnSummary, frame: pd.DataFrame, limit: float
) -> _Column:
    type_ = version.types[summary.name]
    readings = read(frame[summary.name], type_)
    sample = version.sample.get(summary.name, pd.Series(dtype=object))
    return _Column(
        safe_name=html.escape(summary.name),
        summary=summary,
        counted=count(summary, readings),
        limit=limit,
        here=_shown(readings, summary, len(frame)),
        there=_shown(read(sample, type_), summary, len(sample)),
    )


def _shown(
    readings: Readings, summary: ColumnSummary, rows: int
) -> "pd.Series[float] | pd.Series[str]":
    """Give what is drawn of a column: some rows, evenly spaced, numbers that a plot can hold.

    Text is escaped, because Evidently writes it into the page as it is.
    """
    rows_shown = np.linspace(0, max(0, rows - 1), min(rows, _SHOWN_ROWS)).astype(int)
    match readings:
        case Numbers(values=values):
            drawn = values[rows_shown]
            return pd.Series(np.where(np.abs(drawn) < 1e300, drawn, np.nan), dtype=float)
        case Texts(codes=codes, names=names):
            drawn_codes = codes[rows_shown]
            labels = np.array([*_labels(names, drawn_codes, summary), None], dtype=object)
            return pd.Series(labels[drawn_codes], dtype=object)


def _labels(names: Sequence[str], codes: np.ndarray, summary: ColumnSummary) -> list[str]:
    """Name the frequent categories and the most frequent of the unknown ones, pool the others."""
    known = set(summary.categories)
    tally = np.bincount(codes[codes >= 0], minlength=len(names))
    strange = [i for i in np.argsort(-tally, kind="stable") if names[i] not in known]
    named = {*summary.categories[:_SHOWN_CATEGORIES], *(names[i] for i in strange[:5])}
    return [html.escape(name) if name in named else "(others)" for name in names]


def _run(columns: Sequence[_Column]) -> Snapshot | None:
    """Run Evidently over all columns at once, or without those that it fails on."""
    with _measuring(columns):
        try:
            return _report(columns)
        except Exception as error:  # odd values raise a dozen kinds, some from deep inside
            log.warning("Evidently cannot take the window as a whole: %s", error)
        return _report([column for column in columns if _is_taken(column)])


def _is_taken(column: _Column) -> bool:
    try:
        _report([column])
    except Exception as error:
        log.warning("Evidently cannot take column %r: %s", column.summary.name, error)
        return False
    return True


def _report(columns: Sequence[_Column]) -> Snapshot | None:
    if not columns:
        return None
    numeric = [c.safe_name for c in columns if c.here.dtype != object]
    definition = DataDefinition(
        numerical_columns=numeric,
        categorical_columns=[c.safe_name for c in columns if c.safe_name not in numeric],
    )
    here = pd.DataFrame({column.safe_name: column.here for column in columns})
    there = pd.DataFrame({column.safe_name: column.there for column in columns})
    metrics = [ValueDrift(column=c.safe_name, method=METHOD, threshold=c.limit) for c in columns]
    return Report(metrics, include_tests=True).run(
        Dataset.from_pandas(here, data_definition=definition),
        Dataset.from_pandas(there, data_definition=definition),
    )


@contextmanager
def _measuring(columns: Sequence[_Column]) -> Iterator[None]:
    token = _measured.set({column.safe_name: column for column in columns})
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # dozens, about constant columns and empty bins
            yield
    finally:
        _measured.reset(token)


def _values(snapshot: Snapshot | None) -> dict[str, float]:
    if snapshot is None:
        return {}
    return {m["config"]["column"]: float(m["value"]) for m in snapshot.dict()["metrics"]}
