"""The changes themselves: what is done to rows, and to nothing but the one column."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd

from trimtab.records.drills import Change

NEW_CATEGORY = "never-seen-before"
USUAL_SIZES = {
    Change.CYCLE: 1.0,
    Change.MEAN_SHIFT: 1.5,
    Change.NEW_CATEGORY: 0.3,
    Change.NULL_BURST: 0.5,
    Change.UNIT_CHANGE: 100.0,
    Change.LABEL_FLIP: 1.0,
}
"""Standard deviations; for categories, nulls and labels shares of the rows; for units a factor."""
SHARES = (Change.NEW_CATEGORY, Change.NULL_BURST, Change.LABEL_FLIP)
"""The changes whose size is a share of the rows."""
_MONDAY = pd.Timestamp("1970-01-05", tz="UTC")


@dataclass(frozen=True, slots=True, kw_only=True)
class Injection:
    """One change, with all that it needs to know."""

    change: Change
    column: str = ""
    """The input, or the target of a label flip, that is changed; empty for the control."""
    size: float = 0.0
    deviation: float = 0.0
    """Standard deviation of the column in the training rows."""
    period: timedelta = timedelta(0)
    """Of a cycle."""

    @property
    def words(self) -> str:
        """Say what is done."""
        column, size = self.column, self.size
        match self.change:
            case Change.NOTHING:
                return "nothing"
            case Change.CYCLE:
                return f"{column} swings by {size:g} sd, as in training"
            case Change.MEAN_SHIFT:
                return f"{column} {size:+g} sd"
            case Change.NEW_CATEGORY:
                return f"{column} new in {size:.0%} of the rows"
            case Change.NULL_BURST:
                return f"{column} null in {size:.0%} of the rows"
            case Change.UNIT_CHANGE:
                return f"{column} times {size:g}"
            case Change.LABEL_FLIP:
                return f"{column} turned round in {size:.0%} of the rows"


def inject(rows: pd.DataFrame, injection: Injection, time: str, seed: int) -> pd.DataFrame:
    """Give the rows with the change in them; `time` is their column of time, in UTC.

    The same seed changes the same rows. A column of integers stays one.
    """
    if injection.change is Change.NOTHING or rows.empty:
        return rows
    values = rows[injection.column]
    return rows.assign(**{injection.column: _changed(values, injection, rows[time], seed)})


def _changed(
    values: "pd.Series[Any]", injection: Injection, times: "pd.Series[Any]", seed: int
) -> "pd.Series[Any]":
    size, deviation = injection.size, injection.deviation
    match injection.change:
        case Change.CYCLE:
            turns = (times - _MONDAY) / pd.Timedelta(injection.period)
            return _like(values, values + size * deviation * np.sin(2 * np.pi * turns))
        case Change.MEAN_SHIFT:
            return _like(values, values + size * deviation)
        case Change.UNIT_CHANGE:
            return _like(values, values * size)
        case Change.NEW_CATEGORY:
            return values.astype(object).mask(_some(values, size, seed), NEW_CATEGORY)
        case Change.NULL_BURST:
            return values.mask(_some(values, size, seed))
        case Change.LABEL_FLIP:
            return _turned(values).where(_some(values, size, seed), values)
    raise ValueError(injection.change)


def _like(before: "pd.Series[Any]", after: "pd.Series[Any]") -> "pd.Series[Any]":
    """Give whole numbers where there were whole numbers: the contract wants them so."""
    if before.dtype.kind in "iu":
        return after.round().astype(before.dtype)
    return after.astype(before.dtype)


def _some(values: "pd.Series[Any]", share: float, seed: int) -> "pd.Series[bool]":
    chosen = np.random.default_rng(seed).random(len(values)) < share
    return pd.Series(chosen, index=values.index)


def _turned(labels: "pd.Series[Any]") -> "pd.Series[Any]":
    """Give each class the place of the next one; numbers are mirrored at their mean."""
    classes = sorted(labels.unique(), key=str)
    if labels.dtype.kind == "f" or len(classes) > _MOST_CLASSES:
        return (2 * labels.mean() - labels).astype(labels.dtype)
    after = dict(zip(classes, [*classes[1:], *classes[:1]], strict=True))
    return labels.map(after).astype(labels.dtype)


_MOST_CLASSES = 100
