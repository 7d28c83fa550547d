"""Judging one window of one version: from the rows of the log to a verdict."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import pandas as pd

from trimtab.policy.drift.adding import readings_of, sum_up
from trimtab.policy.drift.broken import Sample
from trimtab.policy.drift.judging import judge
from trimtab.policy.summaries import Floats, Readings
from trimtab.policy.time_order import seconds_of
from trimtab.records.evidence import Evidence
from trimtab.records.labels import Label
from trimtab.records.logged import LoggedRows
from trimtab.records.quality import Quality
from trimtab.records.sums import WindowSums
from trimtab.records.verdicts import Verdict
from trimtab.records.windows import Window

from .quality import measure
from .version_files import WatchedVersion, frame_of


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
    readings: Mapping[str, Readings]
    """The columns of the window's rows, for the pictures of a report."""


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
    reference, types = version.reference, version.types
    seconds = _seconds(rows)
    shown = frame.drop(columns=[name for name in beside.withheld if name in frame])
    readings = readings_of(shown, reference, types, seconds)
    sums = sum_up(readings, reference, len(frame), seconds)
    summaries = {summary.name: summary for summary in reference.columns}
    judged = judge(
        reference,
        types,
        sums,
        Sample(readings=readings, summaries=summaries),
        before=beside.before,
        previous=beside.previous,
        sensitivity=beside.sensitivity,
        withheld=beside.withheld,
    )
    verdict = Verdict(
        model=model,
        version=version.version,
        window=window,
        kind=judged.kind,
        rows=len(frame),
        rows_needed=reference.rows_needed,
        findings=judged.findings,
        quality=_quality(version, rows, frame, beside),
        refused=refused,
        judged_at=now,
        evidence=judged.evidence,
    )
    return Judgement(verdict=verdict, sums=sums, readings=readings)


def _seconds(rows: pd.DataFrame) -> Floats | None:
    """Give the rows' event times in seconds since 1970; None where they are not known."""
    return seconds_of(rows["time"]) if "time" in rows and len(rows) else None


def _quality(
    version: WatchedVersion, rows: pd.DataFrame, frame: pd.DataFrame, beside: Beside
) -> Quality | None:
    if rows.empty:
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
