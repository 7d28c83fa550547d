"""Our monitor as a contender: the one place that knows its functions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from trimtab.policy.distance import distance
from trimtab.policy.judge import findings, kind_of
from trimtab.policy.reference import build_reference
from trimtab.policy.summaries import count, read
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


def prepare(subject: Subject, budget: float) -> Judge:
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
    watch = _Watch(reference=reference, types={**types, OUTPUT: ColumnType.DOUBLE})

    def judge(streams: Sequence[Stream]) -> list[list[Opinion]]:
        with np.errstate(all="ignore"):
            return [[watch.say(window.frame) for window in stream] for stream in streams]

    return judge


@dataclass(frozen=True, slots=True, kw_only=True)
class _Watch:
    """Judges as the worker does, without the pictures of the report."""

    reference: Reference
    types: dict[str, ColumnType]

    def say(self, frame: pd.DataFrame) -> Opinion:
        counted = {
            summary.name: count(summary, read(frame[summary.name], self.types[summary.name]))
            for summary in self.reference.columns
        }
        distances = {
            summary.name: distance(summary, counted[summary.name])
            for summary in self.reference.columns
        }
        found = findings(self.reference, self.types, counted, distances, rows=len(frame))
        enough = len(frame) >= self.reference.rows_needed
        guilty = (FindingKind.DRIFTED, FindingKind.BROKEN)
        return Opinion(
            kind=_KINDS[kind_of(found)] if enough else Kind.UNJUDGED,
            columns=tuple(finding.column for finding in found if finding.kind in guilty),
        )
