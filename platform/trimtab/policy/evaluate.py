"""Judging one window of one version: from rows, or from their sums, to a verdict."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, partial

import numpy as np
import pandas as pd

from trimtab.records.evidence import Evidence
from trimtab.records.labels import Label
from trimtab.records.logged import LoggedRows
from trimtab.records.quality import Quality
from trimtab.records.slices import evenly
from trimtab.records.sums import WindowSums
from trimtab.records.verdicts import FindingKind, Verdict
from trimtab.records.windows import Window

from .drift.adding import readings_of, sum_up
from .drift.broken import Sample
from .drift.judging import Judged, judge
from .quality import measure
from .summaries import Floats, Readings
from .time_order import seconds_of
from .watched import WatchedVersion, frame_of

SAMPLED_ROWS = 1000
"""Rows of a window that are read again where its sums show that something has moved."""
_LOOKED_INTO = (FindingKind.DRIFTED, FindingKind.BROKEN)
SampleReader = Callable[[], Mapping[str, Readings]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Asked:
    """What a version was asked and answered in a window."""

    sums: WindowSums = field(default_factory=WindowSums)
    refused: int = 0
    quality: Quality | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Beside:
    """What a window is judged by, beside the version's reference."""

    labels: Mapping[str, Label] = field(default_factory=dict)
    before: Evidence = field(default_factory=Evidence)
    """The evidence of the version's windows before."""
    previous: WindowSums | None = None
    """The sums of the window before."""
    sensitivity: Mapping[str, float] = field(default_factory=dict)
    """Of columns whose alarms people marked as false, the part of their budget that is left."""
    withheld: Mapping[str, str] = field(default_factory=dict)
    """Of inputs that are not in the log, the reason."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judgement:
    """A verdict, and what it rests on."""

    verdict: Verdict
    sums: WindowSums
    sample: SampleReader

    @property
    def readings(self) -> Mapping[str, Readings]:
        """The columns of some of the window's rows, for the pictures of a report."""
        return self.sample()


def judge_window(
    model: str,
    version: WatchedVersion,
    window: Window,
    logged: LoggedRows | None,
    beside: Beside,
    *,
    now: datetime,
) -> Judgement:
    """Judge what a version was asked and answered in a window, against its own reference."""
    rows = logged.rows if logged else _no_rows()
    inputs = logged.inputs if logged else pd.DataFrame(columns=version.contract.schema.names)
    frame = frame_of(version.contract, rows, inputs)
    refused = logged.refused if logged else 0
    return judge_frame(model, version, window, frame, beside, rows=rows, refused=refused, now=now)


def judge_frame(
    model: str,
    version: WatchedVersion,
    window: Window,
    frame: pd.DataFrame,
    beside: Beside,
    *,
    rows: pd.DataFrame,
    refused: int,
    now: datetime,
) -> Judgement:
    """Judge a frame of inputs and `(output)`; `rows` are the answers that it belongs to."""
    asked = Asked(
        sums=sums_of(version, frame, rows, beside.withheld),
        refused=refused,
        quality=_quality(version, rows, frame, beside),
    )
    sample = partial(_sampled, version, frame, rows, beside.withheld)
    return judge_sums(model, version, window, asked, beside, sample=sample, now=now)


def judge_sums(
    model: str,
    version: WatchedVersion,
    window: Window,
    asked: Asked,
    beside: Beside,
    *,
    sample: SampleReader,
    now: datetime,
) -> Judgement:
    """Judge what was added up. `sample` reads rows, which only a column that has moved asks for."""
    sample = cache(sample)
    judged = _judged(version, asked.sums, beside, {})
    if any(finding.kind in _LOOKED_INTO for finding in judged.findings):
        judged = _judged(version, asked.sums, beside, sample())
    verdict = Verdict(
        model=model,
        version=version.version,
        window=window,
        kind=judged.kind,
        rows=asked.sums.rows,
        rows_needed=version.reference.rows_needed,
        findings=judged.findings,
        quality=asked.quality,
        refused=asked.refused,
        judged_at=now,
        evidence=judged.evidence,
    )
    return Judgement(verdict=verdict, sums=asked.sums, sample=sample)


def _judged(
    version: WatchedVersion, sums: WindowSums, beside: Beside, readings: Mapping[str, Readings]
) -> Judged:
    reference = version.reference
    return judge(
        reference,
        version.types,
        sums,
        Sample(readings=readings, summaries={s.name: s for s in reference.columns}),
        before=beside.before,
        previous=beside.previous,
        sensitivity=beside.sensitivity,
        withheld=beside.withheld,
    )


def sums_of(
    version: WatchedVersion, frame: pd.DataFrame, rows: pd.DataFrame, withheld: Mapping[str, str]
) -> WindowSums:
    """Add up rows; the sums of several frames are those of all of their rows."""
    if not len(frame):
        return WindowSums()
    readings = read_frame(version, frame, rows, withheld)
    return sum_up(readings, version.reference, len(frame), _seconds(rows))


def read_frame(
    version: WatchedVersion, frame: pd.DataFrame, rows: pd.DataFrame, withheld: Mapping[str, str]
) -> dict[str, Readings]:
    """Read the columns of a frame that can be judged."""
    shown = frame.drop(columns=[name for name in withheld if name in frame])
    return readings_of(shown, version.reference, version.types, _seconds(rows))


def _sampled(
    version: WatchedVersion, frame: pd.DataFrame, rows: pd.DataFrame, withheld: Mapping[str, str]
) -> dict[str, Readings]:
    """Read rows of a frame, evenly spaced in their order in time."""
    seconds = _seconds(rows)
    in_time = np.arange(len(frame)) if seconds is None else np.argsort(seconds, kind="stable")
    chosen = in_time[evenly(len(frame), SAMPLED_ROWS)]
    return read_frame(version, frame.iloc[chosen], rows.iloc[chosen], withheld)


def _seconds(rows: pd.DataFrame) -> Floats | None:
    """Give the rows' event times in seconds since 1970; None where they are not known."""
    return seconds_of(rows["time"]) if "time" in rows and len(rows) else None


def _quality(
    version: WatchedVersion, rows: pd.DataFrame, frame: pd.DataFrame, beside: Beside
) -> Quality | None:
    if rows.empty or version.reference.quality is None:
        return None
    return measure(
        version.contract,
        version.reference,
        rows,
        frame,
        beside.labels,
        withheld=beside.withheld,
    )


def _no_rows() -> pd.DataFrame:
    return pd.DataFrame(
        {"prediction_id": [], "key": [], "prediction": [], "probabilities": []}, dtype=object
    )
