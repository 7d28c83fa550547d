"""Our monitor as a contender: the one place that knows its functions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trimtab.policy.drift.adding import readings_of, sum_up
from trimtab.policy.drift.broken import Sample
from trimtab.policy.drift.judging import judge
from trimtab.policy.reference import build_reference
from trimtab.policy.summaries import Readings, count, read, reference_counts, summarise
from trimtab.records.evidence import Evidence
from trimtab.records.reference import OUTPUT, Reference
from trimtab.records.schema import ColumnType
from trimtab.records.sums import WindowSums
from trimtab.records.verdicts import FindingKind, VerdictKind

from .learner import losses
from .opinions import Judge, Kind, Opinion, Stream
from .subjects import Subject, seconds_of

MIN_ROWS = 200
"""As the settings have it."""
_KINDS = {
    VerdictKind.STABLE: Kind.QUIET,
    VerdictKind.DRIFT: Kind.DRIFT,
    VerdictKind.BROKEN_DATA: Kind.BROKEN,
    VerdictKind.NOT_ENOUGH_ROWS: Kind.UNJUDGED,
}
_GUILTY = (FindingKind.DRIFTED, FindingKind.BROKEN)

Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Summed:
    """A window added up, and the rows in which faults are looked for."""

    sums: WindowSums
    sample: Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Judges as the worker does, without the pictures of the report."""

    reference: Reference
    types: dict[str, ColumnType]

    def update(self, frame: pd.DataFrame, times: "pd.Series[pd.Timestamp]") -> Summed:
        """Add a window up."""
        seconds = seconds_of(times)
        readings = readings_of(frame, self.reference, self.types, seconds)
        sums = sum_up(readings, self.reference, len(frame), seconds)
        return Summed(sums=sums, sample=self._sample(readings))

    def check(self, summed: Summed, before: Evidence) -> tuple[Opinion, Evidence]:
        """Judge what was added up, after the windows before it."""
        judged = judge(self.reference, self.types, summed.sums, summed.sample, before=before)
        columns = tuple(f.column for f in judged.findings if f.kind in _GUILTY)
        return Opinion(kind=_KINDS[judged.kind], columns=columns), judged.evidence

    def _sample(self, readings: dict[str, Readings]) -> Sample:
        summaries = {summary.name: summary for summary in self.reference.columns}
        return Sample(readings=readings, summaries=summaries)


def watch(subject: Subject, budget: float) -> Watch:
    """Build the reference as training does."""
    reference = build_reference(
        subject.inputs,
        subject.output,
        subject.times,
        subject.schema,
        importance=subject.importance,
        window=subject.window,
        false_alarms=budget,
        min_rows=min(MIN_ROWS, subject.window_rows),
        seed=0,
        losses=losses(subject.output, subject.target),
    )
    types = {column.name: column.type for column in subject.schema.columns}
    return Watch(reference=reference, types={**types, OUTPUT: ColumnType.DOUBLE})


def prepare(subject: Subject, budget: float) -> Judge:
    """Watch windows that follow each other: what one of them is too small to show adds up."""
    watching = watch(subject, budget)

    def judge_stream(stream: Stream) -> list[Opinion]:
        said, evidence = [], Evidence()
        for window in stream:
            summed = watching.update(window.frame, window.times)
            opinion, evidence = watching.check(summed, evidence)
            said.append(opinion)
        return said

    def judge_all(streams: Sequence[Stream]) -> list[list[Opinion]]:
        with np.errstate(all="ignore"):
            return [judge_stream(stream) for stream in streams]

    return judge_all


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
