"""Rows of a window that was judged before: all of them, or some from everywhere in it."""

from collections.abc import Iterator, Mapping
from datetime import datetime

import pandas as pd

from trimtab.policy.drift.adding import readings_of
from trimtab.policy.summaries import Readings
from trimtab.policy.time_order import seconds_of
from trimtab.ports import InferenceLog
from trimtab.records.verdicts import Verdict
from trimtab.records.windows import Window

from .version_files import WatchedVersion, frame_of

MOST_ROWS = 20_000
"""About so many rows of a window are read, however many it has."""
_STRETCHES = 20


def read_past(
    inference_log: InferenceLog, watched: WatchedVersion, verdict: Verdict
) -> Mapping[str, Readings]:
    """Read the columns of a judged window; empty where its rows have left the log."""
    found = [
        logged
        for start, end in stretches(verdict.window, verdict.rows)
        if (logged := inference_log.read(verdict.model, verdict.version, start, end)) is not None
    ]
    rows = [logged.rows for logged in found if len(logged.rows)]
    inputs = [logged.inputs for logged in found if len(logged.rows)]
    if not rows:
        return {}
    answers = pd.concat(rows, ignore_index=True)
    frame = frame_of(watched.contract, answers, pd.concat(inputs, ignore_index=True))
    return readings_of(frame, watched.reference, watched.types, seconds_of(answers["time"]))


def stretches(window: Window, rows: int) -> Iterator[tuple[datetime, datetime]]:
    """Give the whole window, or evenly spaced parts of it that have about as many rows as fit."""
    count = _STRETCHES if rows > MOST_ROWS else 1
    step = (window.end - window.start) / count
    share = min(1.0, MOST_ROWS / max(1, rows))
    for i in range(count):
        start = window.start + i * step
        yield start, start + step * share
