"""Streams that do not change, rows that resemble their neighbours, and how windows are judged."""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from trimtab.policy.drift.adding import readings_of, sum_up
from trimtab.policy.drift.broken import Sample
from trimtab.policy.drift.judging import Judged, judge
from trimtab.policy.reference import build_reference
from trimtab.records.evidence import Evidence
from trimtab.records.reference import OUTPUT, Reference
from trimtab.records.schema import Column, ColumnType, Schema
from trimtab.records.sums import WindowSums
from trimtab.records.verdicts import Finding

WEEK = timedelta(days=7)
NUMBERS = 8
COLUMNS = (*(f"x{i}" for i in range(NUMBERS)), "kind")


def schema_of(frame: pd.DataFrame) -> Schema:
    def type_of(name: str) -> ColumnType:
        match frame[name].dtype.kind:
            case "f":
                return ColumnType.DOUBLE
            case "i":
                return ColumnType.LONG
            case "b":
                return ColumnType.BOOLEAN
            case "M":
                return ColumnType.DATETIME
            case _:
                return ColumnType.STRING

    names = [str(name) for name in frame if name != OUTPUT]
    return Schema(columns=tuple(Column(name=n, type=type_of(n), required=False) for n in names))


@dataclass(frozen=True, eq=False)
class Watched:
    """A reference, and the judging of frames by it."""

    reference: Reference
    schema: Schema

    @property
    def types(self) -> dict[str, ColumnType]:
        return {c.name: c.type for c in self.schema.columns} | {OUTPUT: ColumnType.DOUBLE}

    def sums(self, frame: pd.DataFrame, seconds: np.ndarray | None = None) -> WindowSums:
        readings = readings_of(frame, self.reference, self.types, seconds)
        return sum_up(readings, self.reference, len(frame), seconds)

    def judged(
        self,
        frame: pd.DataFrame,
        *,
        before: Evidence | None = None,
        seconds: np.ndarray | None = None,
        sensitivity: dict[str, float] | None = None,
        withheld: dict[str, str] | None = None,
        previous: WindowSums | None = None,
    ) -> Judged:
        readings = readings_of(frame, self.reference, self.types, seconds)
        summaries = {summary.name: summary for summary in self.reference.columns}
        return judge(
            self.reference,
            self.types,
            sum_up(readings, self.reference, len(frame), seconds),
            Sample(readings=readings, summaries=summaries),
            before=before,
            previous=previous,
            sensitivity=sensitivity,
            withheld=withheld,
        )

    def findings(self, frame: pd.DataFrame) -> dict[str, Finding]:
        return {finding.column: finding for finding in self.judged(frame).findings}


class Lab:
    """What the tests here build their worlds with; conftest cannot be imported."""

    week, columns = WEEK, COLUMNS
    schema_of = staticmethod(schema_of)

    @staticmethod
    def stream(rows: int, *, seed: int, memory: float = 0.0) -> pd.DataFrame:
        """Rows that resemble the one before them by `memory`, around a mean that never changes."""
        rng = np.random.default_rng(seed)
        noise = rng.normal(size=(rows, NUMBERS)) * np.sqrt(1 - memory**2)
        values = np.empty_like(noise)
        values[:1] = rng.normal(size=(1, NUMBERS))[:rows]
        for row in range(1, rows):
            values[row] = memory * values[row - 1] + noise[row]
        frame = pd.DataFrame(values, columns=list(COLUMNS[:-1]))
        frame["x7"] = np.exp(frame["x7"]).round(1)
        frame["kind"] = np.select([values[:, 0] > 1, values[:, 1] > 0], ["high", "some"], "none")
        frame[OUTPUT] = 1 / (1 + np.exp(-frame["x0"] - frame["x1"] / 2))
        return frame

    @staticmethod
    def watched(
        frame: pd.DataFrame,
        *,
        rate: float = 0.01,
        min_rows: int = 200,
        times: "pd.Series[pd.Timestamp] | None" = None,
        importance: dict[str, float] | None = None,
        window: timedelta = WEEK,
        losses: np.ndarray | None = None,
        hidden: set[str] | None = None,
    ) -> Watched:
        schema = schema_of(frame)
        reference = build_reference(
            frame.drop(columns=OUTPUT),
            frame[OUTPUT].to_numpy(),
            times,
            schema,
            importance=importance or {},
            window=window,
            false_alarms=rate,
            min_rows=min_rows,
            seed=0,
            losses=losses,
            hidden=hidden or set(),
        )
        return Watched(reference, schema)

    @staticmethod
    def windows(frame: pd.DataFrame, size: int) -> list[pd.DataFrame]:
        cuts = range(0, len(frame) - size + 1, size)
        return [frame[at : at + size].reset_index(drop=True) for at in cuts]


@pytest.fixture(scope="session")
def lab() -> Lab:
    return Lab()


@pytest.fixture(scope="session")
def independent(lab: Lab) -> Watched:
    """Trained on rows that know nothing of each other."""
    return lab.watched(lab.stream(20_000, seed=1))
