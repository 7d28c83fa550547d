"""Collect: the rows whose label was known at a moment, in the order of time."""

from datetime import datetime
from typing import Any

import pandas as pd

from trimtab.settings.loading import Settings
from trimtab.settings.project import ModelSettings

from .errors import ColumnError, MissingColumnError, SourceError
from .sources import read


def collect(settings: Settings, model: str, until: datetime) -> pd.DataFrame:
    """Read a model's source and keep what was known at `until`, oldest row first.

    Raises DataRefusedError where there is nothing to train on.
    """
    chosen = settings.model(model)
    return known_rows(read(chosen, settings.folder, until), chosen, until)


def known_rows(rows: pd.DataFrame, model: ModelSettings, until: datetime) -> pd.DataFrame:
    """Keep the rows that happened before `until` and whose label had come by then.

    Without a `time` column the given order is the order of time.
    """
    rows = with_moments(rows, model)
    known = pd.Series(True, index=rows.index)
    if model.target is not None:
        known &= rows[model.target].notna()
    if model.time is not None:
        known &= rows[model.time] < until
    if model.label_time is not None:
        known &= rows[model.label_time] <= until
    kept = rows[known]
    if kept.empty:
        raise SourceError(model.source, f"no row has a label that was known at {until:%Y-%m-%d}.")
    return kept.reset_index(drop=True)


def with_moments(rows: pd.DataFrame, model: ModelSettings) -> pd.DataFrame:
    """Read the columns of time as moments in UTC, and put the rows in their order.

    Raises ColumnError, and MissingColumnError for any column that the settings name.
    """
    _check_columns(rows, model)
    rows = rows.copy()
    for name in filter(None, (model.time, model.label_time)):
        rows[name] = _moments(rows[name], name, may_lack=name == model.label_time)
    if model.time is not None:
        rows = rows.sort_values(model.time, kind="stable")
    return rows.reset_index(drop=True)


def _check_columns(rows: pd.DataFrame, model: ModelSettings) -> None:
    named = [
        ("target", model.target),
        ("time", model.time),
        ("key", model.key),
        ("label_time", model.label_time),
        *(("exclude", name) for name in model.exclude),
        *(("gate.slices", name) for name in model.gate.slices),
    ]
    for setting, column in named:
        if column is not None and column not in rows.columns:
            raise MissingColumnError(setting, column, rows.columns)


def _moments(values: "pd.Series[Any]", name: str, *, may_lack: bool) -> "pd.Series[Any]":
    """Read a column as moments in UTC; naive ones are taken to be UTC already."""
    if values.dtype.kind in "iufb":
        raise ColumnError(name, f"does not parse as time, for example {values.iloc[0]}. {_HOW}")
    parsed = pd.to_datetime(values, utc=True, errors="coerce", format=_format(values))
    unread = parsed.isna() & values.notna()
    if unread.any():
        sample = values[unread].iloc[0]
        raise ColumnError(name, f"does not parse as time, for example {sample!r}. {_HOW}")
    if not may_lack and parsed.isna().any():
        count = int(parsed.isna().sum())
        raise ColumnError(name, f"has no time in {count} rows. Fill them or leave these rows out.")
    return parsed


_HOW = "Write dates as 2013-04-01 or 2013-04-01T12:00:00Z."


def _format(values: "pd.Series[Any]") -> str | None:
    """Dates and times may be mixed where they are text; guessing other forms would be unsafe."""
    return "ISO8601" if pd.api.types.infer_dtype(values, skipna=True) == "string" else None
