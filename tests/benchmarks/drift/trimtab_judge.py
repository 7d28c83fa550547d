"""Our monitor as a contender: the one place that knows its functions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trimtab.policy.distance import distance
from trimtab.policy.judge import findings, kind_of
from trimtab.policy.reference import build_reference
from trimtab.policy.summaries import ColumnCounts, count, read, reference_counts, summarise
from trimtab.records.reference import OUTPUT, Reference
from trimtab.records.schema import ColumnType
from trimtab.records.verdicts import FindingKind, VerdictKind

from .opinions import Judge, Kind, Opinion, Stream
from .subjects import Subject

MIN_ROWS = 200
"""As the settings have it."""
_KINDS = {
    VerdictKind.STABLE: Kind.QUIET,
    VerdictKind.DRIFT: Kind.DRIFT,
    VerdictKind.BROKEN_DATA: Kind.BROKEN,
    VerdictKind.NOT_ENOUGH_ROWS: Kind.UNJUDGED,
}
_GUILTY = (FindingKind.DRIFTED, FindingKind.BROKEN)

Summaries = dict[str, ColumnCounts]
Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Judges as the worker does, without the pictures of the report."""

    reference: Reference
    types: dict[str, ColumnType]

    def update(self, frame: pd.DataFrame) -> Summaries:
        """Add a window up."""
        return {
            summary.name: count(summary, read(frame[summary.name], self.types[summary.name]))
            for summary in self.reference.columns
        }

    def check(self, summaries: Summaries, rows: int) -> Opinion:
        """Judge what was added up; the rows themselves are not needed."""
        distances = {
            summary.name: distance(summary, summaries[summary.name])
            for summary in self.reference.columns
        }
        found = findings(self.reference, self.types, summaries, distances, rows=rows)
        return Opinion(
            kind=_KINDS[kind_of(found)] if rows >= self.reference.rows_needed else Kind.UNJUDGED,
            columns=tuple(finding.column for finding in found if finding.kind in _GUILTY),
        )


def watch(subject: Subject, budget: float) -> Watch:
    """Build the reference as training does."""
    reference = build_reference(
        subject.inputs,
        subject.output,
        subject.times,
        subject.schema,
        window=subject.window,
        false_alarms=budget,
        min_rows=min(MIN_ROWS, subject.window_rows),
        seed=0,
    )
    types = {column.name: column.type for column in subject.schema.columns}
    return Watch(reference=reference, types={**types, OUTPUT: ColumnType.DOUBLE})


def prepare(subject: Subject, budget: float) -> Judge:
    """Watch each window by itself."""
    watching = watch(subject, budget)

    def judge(streams: Sequence[Stream]) -> list[list[Opinion]]:
        with np.errstate(all="ignore"):
            return [
                [watching.check(watching.update(w.frame), len(w.frame)) for w in stream]
                for stream in streams
            ]

    return judge


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Binned:
    """What is kept of a numeric column: bin n reaches up to and with `edges[n]`."""

    edges: NDArray[np.float64]
    high: float
    reference: Counts
    window: Counts


def binned(reference: "pd.Series[Any]", window: "pd.Series[Any]") -> Binned | None:
    """Summarise a numeric column on both sides; None where it has no values."""
    summary = summarise("column", read(reference, ColumnType.DOUBLE)).summary
    if summary.high is None:
        return None
    counted = count(summary, read(window, ColumnType.DOUBLE))
    return Binned(
        edges=np.array(summary.edges),
        high=summary.high,
        reference=reference_counts(summary)[:-1],
        window=counted.counts[:-1],
    )
