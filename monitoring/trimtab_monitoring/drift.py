"""The only module that knows Evidently: it carries our verdicts, and draws the report."""

import html
import logging
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import islice

import numpy as np
import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.core.metric_types import MetricResult
from evidently.core.report import Snapshot
from evidently.legacy.calculations.stattests.registry import StatTest, register_stattest
from evidently.legacy.core import ColumnType as EvidentlyType
from evidently.metrics import ValueDrift

from trimtab.policy.summaries import Numbers, Readings, Texts
from trimtab.policy.watched import WatchedVersion
from trimtab.records.reference import ColumnSummary
from trimtab.records.verdicts import Finding, FindingKind

log = logging.getLogger(__name__)

METHOD = "trimtab"
SHOWN_ROWS = 1000
"""Rows that the report draws, of the window and of training alike; the p-values are of all."""
SHOWN_COLUMNS = 40
"""Columns that the report draws; each costs a tenth of a second and 60 kB."""
_SHOWN_CATEGORIES = 20  # a picture with more is unreadable, and takes minutes to draw
_SHOWN_NAME = 40  # characters of a category
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
        at_once = (finding.p_value, finding.limit)
        over_time = (finding.lasting, finding.lasting_limit)
        pairs = [(p, limit) for p, limit in (at_once, over_time) if None not in (p, limit)]
        known = [(max(p or 0.0, 1e-300), max(limit or 0.0, 1e-300)) for p, limit in pairs]
        p_value, limit = max(known, key=lambda pair: pair[1] / pair[0], default=(1.0, 1.0))
        return -math.log10(p_value), -math.log10(limit)


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

    `readings` are those of the window's rows, or of some of them. Of many columns the first ones
    are drawn. A column that Evidently cannot take costs only its picture. Nothing raises, however
    odd the values are; None where there is no column to draw.
    """
    of = {summary.name: (i, summary) for i, summary in enumerate(version.reference.columns)}
    columns = (
        _column(version, *of[finding.column], readings[finding.column], finding)
        for finding in findings
        if finding.column in of
        and finding.column in readings
        and finding.kind is not FindingKind.NOT_JUDGED
    )
    return _run(list(islice((c for c in columns if c.has_values), SHOWN_COLUMNS)))


def _column(
    version: WatchedVersion, number: int, summary: ColumnSummary, readings: Readings, of: Finding
) -> _Column:
    there = version.sample_readings.get(summary.name)
    if there is None or isinstance(there, Numbers) is not isinstance(readings, Numbers):
        there = _no_values(readings)
    if isinstance(readings, Numbers) and readings.are_ages:
        there = _as_counted(summary)  # the sample has the moments, the window their ages
    rows = min(SHOWN_ROWS, _size(readings), _size(there))
    return _Column(
        safe_name=_name(summary.name, number),
        finding=of,
        here=_shown(readings, summary, rows),
        there=_shown(there, summary, rows),
    )


def _name(name: str, number: int) -> str:
    """Make a name safe; characters of no width tell those apart that are alike by then."""
    safe = _safe(name)
    return safe if safe == name else safe + "\u200b" * (number + 1)


def _safe(name: str) -> str:
    """Leave nothing in a text that is markup, of a page or of a plot, or that does not print."""
    return _printable(name).translate({ord("<"): "\u2039", ord(">"): "\u203a"})


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _size(readings: Readings) -> int:
    return len(readings.values if isinstance(readings, Numbers) else readings.codes)


def _no_values(like: Readings) -> Readings:
    empty = Texts(np.full(SHOWN_ROWS, -1), [])
    return Numbers(np.full(SHOWN_ROWS, np.nan)) if isinstance(like, Numbers) else empty


def _as_counted(summary: ColumnSummary) -> Numbers:
    """Give numbers that fill the bins of a summary as the training rows did."""
    low, high = summary.low, summary.high
    if low is None or high is None or not sum(summary.counts):
        return Numbers(np.full(SHOWN_ROWS, np.nan))
    bounds = np.array([low, *summary.edges, high])
    ranks = np.concatenate([[0], np.cumsum(summary.counts)])
    spread = np.linspace(0, ranks[-1], SHOWN_ROWS)
    return Numbers(np.random.default_rng(0).permutation(np.interp(spread, ranks, bounds)))


def _shown(
    readings: Readings, summary: ColumnSummary, rows: int
) -> "pd.Series[float] | pd.Series[str]":
    """Give what is drawn of a column: some rows, evenly spaced, numbers that a plot can hold.

    Text is escaped, because Evidently writes it into the page as it is.
    """
    drawn_rows = np.linspace(0, max(0, _size(readings) - 1), rows).astype(int)
    match readings:
        case Numbers(values=values):
            drawn = values[drawn_rows]
            return pd.Series(np.where(np.abs(drawn) < 1e300, drawn, np.nan), dtype=float)
        case Texts(codes=codes, names=names):
            drawn_codes = codes[drawn_rows]
            labels = np.array([*_labels(names, drawn_codes, summary), None], dtype=object)
            return pd.Series(labels[drawn_codes], dtype=object)


def _labels(names: Sequence[str], codes: np.ndarray, summary: ColumnSummary) -> list[str]:
    """Name the frequent categories and the most frequent of the unknown ones, pool the others."""
    known = set(summary.categories)
    tally = np.bincount(codes[codes >= 0], minlength=len(names))
    strange = [i for i in np.argsort(-tally, kind="stable") if names[i] not in known]
    named = {*summary.categories[:_SHOWN_CATEGORIES], *(names[i] for i in strange[:5])}
    return [_label(name, i) if name in named else "(others)" for i, name in enumerate(names)]


def _label(name: str, number: int) -> str:
    """Shorten a category; where two begin alike, their numbers tell them apart."""
    shown = name if len(name) <= _SHOWN_NAME else f"{name[:_SHOWN_NAME]}\u2026 ({number})"
    return html.escape(_printable(shown))


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
    snapshot = Report(metrics, include_tests=True).run(
        Dataset.from_pandas(here, data_definition=definition),
        Dataset.from_pandas(there, data_definition=definition),
    )
    for result, column in zip(snapshot.metric_results.values(), columns, strict=True):
        _say(result, column)
    return snapshot


def _say(result: MetricResult, column: _Column) -> None:
    """Put our words over a picture: Evidently's call broken data drift, and know no limit."""
    finding = column.finding
    for widget in result.widget or []:
        if widget.type == "counter":
            said = {"value": f"{column.safe_name}: {finding.kind}", "label": _safe(finding.words)}
            widget.params = {"counters": [said]}


@contextmanager
def _drawing(columns: Sequence[_Column]) -> Iterator[None]:
    token = _drawn.set({column.safe_name: column for column in columns})
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # dozens, about constant columns and empty bins
            yield
    finally:
        _drawn.reset(token)
