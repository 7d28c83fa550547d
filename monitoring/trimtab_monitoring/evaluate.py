"""Judging one window of one version: from the rows of the log to a verdict."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from trimtab.policy.judge import findings, kind_of
from trimtab.records.labels import Label
from trimtab.records.logged import LoggedRows
from trimtab.records.quality import Quality
from trimtab.records.verdicts import Verdict, VerdictKind
from trimtab.records.windows import Window

from .drift import Comparison, compare
from .quality import measure
from .version_files import WatchedVersion, frame_of


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judgement:
    """A verdict, and the comparison that it rests on."""

    verdict: Verdict
    comparison: Comparison


def judge_window(
    model: str,
    version: WatchedVersion,
    window: Window,
    logged: LoggedRows | None,
    labels: Mapping[str, Label],
    *,
    now: datetime,
    withheld: Mapping[str, str] = {},
) -> Judgement:
    """Judge what a version was asked and answered in a window, against its own reference.

    `withheld` says of inputs why they are not in the log.
    """
    rows = logged.rows if logged else _no_rows()
    inputs = logged.inputs if logged else pd.DataFrame(columns=version.contract.schema.names)
    return judge_frame(
        model,
        version,
        window,
        frame_of(version.contract, rows, inputs),
        rows=rows,
        refused=logged.refused if logged else 0,
        labels=labels,
        now=now,
        withheld=withheld,
    )


def judge_frame(
    model: str,
    version: WatchedVersion,
    window: Window,
    frame: pd.DataFrame,
    *,
    rows: pd.DataFrame,
    refused: int,
    labels: Mapping[str, Label],
    now: datetime,
    withheld: Mapping[str, str] = {},
) -> Judgement:
    """Judge a frame of inputs and `(output)`; `rows` are the answers that it belongs to."""
    comparison = compare(version, frame.drop(columns=[n for n in withheld if n in frame]))
    found = findings(
        version.reference,
        version.types,
        comparison.counted,
        comparison.distances,
        rows=len(frame),
        withheld=withheld,
    )
    enough = len(frame) >= version.reference.rows_needed
    verdict = Verdict(
        model=model,
        version=version.version,
        window=window,
        kind=kind_of(found) if enough else VerdictKind.NOT_ENOUGH_ROWS,
        rows=len(frame),
        rows_needed=version.reference.rows_needed,
        findings=found,
        quality=_quality(version, rows, frame, labels, withheld),
        refused=refused,
        judged_at=now,
    )
    return Judgement(verdict=verdict, comparison=comparison)


def _quality(
    version: WatchedVersion,
    rows: pd.DataFrame,
    frame: pd.DataFrame,
    labels: Mapping[str, Label],
    withheld: Mapping[str, str],
) -> Quality | None:
    if rows.empty:
        return None
    return measure(version.contract, version.reference, rows, frame, labels, withheld=withheld)


def _no_rows() -> pd.DataFrame:
    return pd.DataFrame(
        {"prediction_id": [], "key": [], "prediction": [], "probabilities": []}, dtype=object
    )
