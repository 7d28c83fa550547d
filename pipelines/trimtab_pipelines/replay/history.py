"""The past that is replayed: rows in the order of time, and when each label became known."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trimtab.records.windows import Window
from trimtab.settings import ModelSettings, Settings
from trimtab_pipelines.collect import with_moments
from trimtab_pipelines.live_traffic.history import moment_of

from .errors import ReplayError

Moments = NDArray[np.int64]
"""Nanoseconds since 1970."""
NEVER = np.iinfo(np.int64).max
"""When a label became known that never did."""
_FIRST_SHARE = 0.25
"""Of the time that the rows span, for the first version, where nobody says when to begin."""
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, kw_only=True, eq=False)
class History:
    """A model's rows; those from `since` to `until` are asked for, those before train only."""

    model: str
    settings: ModelSettings
    source: str
    """Where the rows come from, for people."""
    rows: pd.DataFrame
    """In the order of time, with an index that counts them; what has no label is there as well."""
    since: datetime
    until: datetime

    @property
    def time(self) -> str:
        """Name the column of time."""
        return str(self.settings.time)

    @cached_property
    def times(self) -> Moments:
        """When each row was asked for; rising."""
        return _nanoseconds(self.rows[self.time])

    @cached_property
    def known_at(self) -> Moments:
        """When each label became known; at the end of time where there is none."""
        has_label = self.rows[str(self.settings.target)].notna().to_numpy()
        name = self.settings.label_time
        known = self.times if name is None else _nanoseconds(self.rows[name])
        return np.where(has_label, known, NEVER)

    def known(self, moment: datetime, start: datetime | None = None) -> pd.DataFrame:
        """Give the rows whose label was known at a moment: what a training then could learn from.

        They are those of `collect.known_rows`, from the time `start` on.
        """
        return self.rows.iloc[self.known_numbers(moment, start)]

    def known_numbers(self, moment: datetime, start: datetime | None = None) -> NDArray[np.intp]:
        """Number those rows."""
        first, end = (0 if start is None else self._at(start)), self._at(moment)
        known = self.known_at[first:end] <= pd.Timestamp(moment).value
        return np.flatnonzero(known) + first

    def numbers(self, start: datetime, end: datetime) -> NDArray[np.intp]:
        """Number the rows that were asked for from a moment up to another."""
        return np.arange(self._at(start), self._at(end))

    def windows(self) -> list[Window]:
        """Cut the time as the monitor does; the first and the last may be cut off."""
        found = [Window.around(self.since, self.settings.monitor.window)]
        while found[-1].end < self.until:
            found.append(Window.around(found[-1].end, self.settings.monitor.window))
        return found

    def _at(self, moment: datetime) -> int:
        return int(np.searchsorted(self.times, pd.Timestamp(moment).value, side="left"))


def make_history(
    settings: Settings,
    model: str,
    rows: pd.DataFrame,
    chosen: ModelSettings,
    *,
    source: str,
    since: datetime | None,
    until: datetime | None,
) -> History:
    """Put rows in order, and find where to begin and to end where that was not said.

    Without `since` it is where the project's demo begins, or else a window's start after the first
    quarter. Raises ReplayError, MissingColumnError and ColumnError.
    """
    require_replayable(model, chosen)
    ordered = with_moments(rows, chosen).drop(columns=_unused(chosen))
    times = ordered[str(chosen.time)]
    first, last = (times.iloc[at].to_pydatetime() for at in (0, -1))
    demo = settings.project.demo
    is_demo = demo is not None and demo.model == model
    if until is None:
        until = (
            moment_of(demo.until, "demo.until")
            if demo and is_demo and demo.until
            else last + _INSTANT
        )
    if since is None and demo is not None and is_demo:
        since = moment_of(demo.start, "demo.start")
    if since is None:
        start = first + (min(until, last) - first) * _FIRST_SHARE
        since = Window.around(start, chosen.monitor.window).end
    if not first < since < min(until, last):
        raise ReplayError(
            f"From {since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} there is nothing to replay: "
            f"the rows are from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M}, and those before "
            "the beginning train the first version. Set --from and --until."
        )
    return History(
        model=model,
        settings=_without_unused(chosen),
        source=source,
        rows=ordered,
        since=since,
        until=min(until, last + _INSTANT),
    )


def require_replayable(model: str, settings: ModelSettings) -> None:
    """Raise ReplayError where policies could not be compared by what came true."""
    if not settings.task.has_labels:
        raise ReplayError(
            f"{model}: a replay compares policies by the losses of their answers, and "
            f"{settings.task} has no labels by which there would be any. What retraining does to "
            "its gate's measure shows in the runs: trimtab train."
        )
    if settings.time is None:
        raise ReplayError(
            f"{model}: a replay needs to know when each row was asked for. Name the column: "
            f'[models.{model}] time = "..."'
        )


def _unused(settings: ModelSettings) -> list[str]:
    """Name excluded columns that nothing asks for: they may be large, and hold anything."""
    kept = {settings.key, settings.time, settings.label_time, *settings.gate.slices}
    return [name for name in settings.exclude if name not in kept]


def _without_unused(settings: ModelSettings) -> ModelSettings:
    unused = _unused(settings)
    exclude = tuple(name for name in settings.exclude if name not in unused)
    return settings.model_copy(update={"exclude": exclude})


def _nanoseconds(moments: "pd.Series[pd.Timestamp]") -> Moments:
    found = moments.astype("datetime64[ns, UTC]")
    return np.where(found.isna(), NEVER, found.astype("int64").to_numpy())
