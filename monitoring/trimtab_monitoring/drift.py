"""The only module that knows Evidently: it carries our verdicts, and draws the report."""

import html
import logging
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import numpy as np
import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.core.report import Snapshot
from evidently.legacy.calculations.stattests.registry import StatTest, register_stattest
from evidently.legacy.core import ColumnType as EvidentlyType
from evidently.metrics import ValueDrift

from trimtab.policy.summaries import Numbers, Readings, Texts
from trimtab.records.reference import ColumnSummary
from trimtab.records.verdicts import Finding, FindingKind

from .version_files import WatchedVersion

log = logging.getLogger(__name__)

METHOD = "trimtab"
_SHOWN_ROWS = 1000
"""Rows that the report draws; the p-values are of all."""
_SHOWN_CATEGORIES = 20  # a picture with more is unreadable, and takes minutes to draw
_ALARMING = (FindingKind.DRIFTED, FindingKind.BROKEN)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Column:
    """One column, read for Evidently."""

    safe_name: str
    finding: Finding
    here: "pd.Series[float] | pd.Series[str]"
    there: "pd.Series[float] | pd.Series[str]"

    @property
    def has_values(self) -> bool:
        """Tell whether Evidently can take it; it raises where either side has no values."""
        return bool(self.here.notna().any() and self.there.notna().any())

    @property
    def surprise(self) -> tuple[float, float]:
        """Give -log10 of the p-value that speaks, and of its limit."""
        finding = self.finding
        at_once = (finding.p_value or 1.0, finding.limit or 1.0)
        over_time = (finding.lasting or 1.0, finding.lasting_limit or 1.0)
        p_value, limit = max(at_once, over_time, key=lambda pair: pair[1] / max(pair[0], 1e-300))
        return -math.log10(max(p_value, 1e-300)), -math.log10(max(limit, 1e-300))


_drawn: ContextVar[Mapping[str, _Column]] = ContextVar("drawn")


def _surprise(
    reference: "pd.Series[float]", current: "pd.Series[float]", _: EvidentlyType, __: float
) -> tuple[float, bool]:
    """Say what was concluded from all rows; the two series are only what is drawn."""
    column = _drawn.get()[str(current.name)]
    return column.surprise[0], column.finding.kind in _ALARMING


register_stattest(
    StatTest(
        name=METHOD,
        display_name="-log10 of the calibrated p-value",
        allowed_feature_types=[EvidentlyType.Numerical, EvidentlyType.Categorical],
    ),
    _surprise,
)


def draw(
    version: WatchedVersion, readings: Mapping[str, Readings], findings: Sequence[Finding]
) -> Snapshot | None:
    """Run Evidently over the columns of a window, with our verdicts and limits in its tests.

    `readings` are those of the window's rows, or of some of them. A column that Evidently cannot
    take costs only its picture. Nothing raises, however odd the values are; None where there is
    no column to draw.
    """
    by_name = {finding.column: finding for finding in findings}
    columns = [
        _column(version, summary, readings[summary.name], by_name[summary.name])
        for summary in version.reference.columns
        if summary.name in readings and by_name[summary.name].kind is not FindingKind.NOT_JUDGED
    ]
    return _run([column for column in columns if column.has_values])


def _column(
    version: WatchedVersion, summary: ColumnSummary, readings: Readings, finding: Finding
) -> _Column:
    there = version.sample_readings.get(summary.name)
    empty = pd.Series(dtype=float if isinstance(readings, Numbers) else object)
    return _Column(
        safe_name=html.escape(summary.name),
        finding=finding,
        here=_shown(readings, summary),
        there=empty if there is None else _shown(there, summary),
    )


def _shown(readings: Readings, summary: ColumnSummary) -> "pd.Series[float] | pd.Series[str]":
    """Give what is drawn of a column: some rows, evenly spaced, numbers that a plot can hold.

    Text is escaped, because Evidently writes it into the page as it is.
    """
    rows = len(readings.values if isinstance(readings, Numbers) else readings.codes)
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
    with _drawing(columns):
        try:
            return _report(columns)
        except Exception as error:  # odd values raise a dozen kinds, some from deep inside
            log.warning("Evidently cannot take the window as a whole: %s", error)
        return _report([column for column in columns if _is_taken(column)])


def _is_taken(column: _Column) -> bool:
    try:
        _report([column])
    except Exception as error:
        log.warning("Evidently cannot take column %r: %s", column.finding.column, error)
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
    metrics = [
        ValueDrift(column=c.safe_name, method=METHOD, threshold=c.surprise[1]) for c in columns
    ]
    return Report(metrics, include_tests=True).run(
        Dataset.from_pandas(here, data_definition=definition),
        Dataset.from_pandas(there, data_definition=definition),
    )


@contextmanager
def _drawing(columns: Sequence[_Column]) -> Iterator[None]:
    token = _drawn.set({column.safe_name: column for column in columns})
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # dozens, about constant columns and empty bins
            yield
    finally:
        _drawn.reset(token)
