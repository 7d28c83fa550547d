"""Counting what there is to learn from: labelled rows that the champion has not seen."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from trimtab.policy.label_lag import (
    LagCurve,
    arrival,
    curve_of,
    lag_of_windows,
    learn,
    shows_lag,
)
from trimtab.ports import Stores
from trimtab.records.promotions import Promotion
from trimtab.records.quality import LabelLag
from trimtab.records.row_counts import RowCount
from trimtab.records.versions import ModelVersion
from trimtab.settings import ModelSettings

from .facts import unseen

_NEWEST, _SAMPLE = 200_000, 20_000
"""The lag is learned from so many of the newest rows, and of those from so many, evenly spaced."""
_WINDOWS = 30
"""Judged windows that are looked at for the lag of labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What a count found, and the rows that may be learned from."""

    count: RowCount
    rows: pd.DataFrame
    """All known rows, but for those that are too young for their labels to be complete."""


def count_rows(
    settings: ModelSettings,
    model: str,
    rows: pd.DataFrame,
    *,
    champion: ModelVersion | None,
    epoch: int,
    lag: LabelLag | None,
    now: datetime,
) -> Counted:
    """Count the labelled rows that the champion has not seen and whose labels are complete.

    `rows` are all that are known, in time order. How late labels come is learned from the source
    where it says when they came (`label_time`); else `lag` is what the monitor measured, and is
    believed where the source shows it, too.
    """
    share, curve = settings.retrain.completeness, _curve(settings, rows, lag, now)
    fresh = unseen(settings, rows, *([champion] if champion else []))
    if curve is None or not share:
        count = RowCount(model=model, epoch=epoch, counted_at=now, new_rows=len(fresh))
        return Counted(count=count, rows=rows)
    needed = settings.retrain.min_new_rows
    found, coming = arrival(_seconds(fresh, settings), now, curve, share=share, needed=needed)
    old_enough = int(
        np.searchsorted(_seconds(rows, settings), (now - coming.after).timestamp(), side="right")
    )
    return Counted(
        count=RowCount(model=model, epoch=epoch, counted_at=now, new_rows=found, arrival=coming),
        rows=rows.iloc[:old_enough],
    )


def measured_lag(stores: Stores, champion: Promotion | None, now: datetime) -> LabelLag | None:
    """Read how late labels come to the monitor."""
    if champion is None:
        return None
    verdicts = stores.verdicts.recent(champion.model, champion.version, limit=_WINDOWS)
    return lag_of_windows(verdicts, now)


def _curve(
    settings: ModelSettings, rows: pd.DataFrame, lag: LabelLag | None, now: datetime
) -> LagCurve | None:
    if settings.time is None or settings.target is None:
        return None
    if settings.label_time is not None:
        newest = rows.iloc[-_NEWEST:]
        chosen = newest.iloc[:: max(1, len(newest) // _SAMPLE)]
        happened = _seconds(chosen, settings)
        came = _as_seconds(chosen[settings.label_time])
        return learn(came - happened, now.timestamp() - happened)
    if lag is None:
        return None
    curve = curve_of(lag)
    times = _seconds(rows, settings)
    return curve if shows_lag(times, now, curve, settings.retrain.completeness) else None


def _seconds(rows: pd.DataFrame, settings: ModelSettings) -> np.ndarray:
    return _as_seconds(rows[str(settings.time)])


def _as_seconds(values: "pd.Series[Any]") -> np.ndarray:
    since = pd.to_datetime(values, utc=True) - pd.Timestamp(0, tz="UTC")
    return np.asarray(since / timedelta(seconds=1), dtype=float)
