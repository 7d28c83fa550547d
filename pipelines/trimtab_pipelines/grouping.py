"""How the rows of a match are grouped: into stretches of time, places, and slices."""

from typing import Any

import numpy as np
import pandas as pd

from trimtab.errors import SettingsError
from trimtab.settings import ModelSettings

OTHER = "(other)"
"""The rows of all values of a slice column that are too rare to be a slice of their own."""
_MOST_SLICES = 25
"""Values of one slice column that are looked at, the most frequent ones."""
_FEW_BLOCKS = 12
"""With fewer days than this, shorter stretches are the blocks; at last, runs of rows."""
_STRETCHES = ("D", "6h", "h")
_QUARTERS = (0.0, 0.25, 0.5, 0.75, 1.0)


def blocks_of(settings: ModelSettings, rows: pd.DataFrame) -> np.ndarray:
    """Number the stretches of time within which rows may share their luck.

    A storm makes all flights of a day late: they are one observation more than they are many.
    """
    if settings.time is not None:
        times = pd.to_datetime(rows[settings.time], utc=True)
        for length in _STRETCHES:
            blocks, found = pd.factorize(times.dt.floor(length))
            if len(found) >= _FEW_BLOCKS:
                return np.asarray(blocks)
    stretch = max(1, round(np.sqrt(len(rows))))
    return np.asarray(np.arange(len(rows)) // stretch)


def places_of(settings: ModelSettings, rows: pd.DataFrame) -> np.ndarray:
    """Give each row's place among all that are known: seconds since 1970, or its number."""
    if settings.time is None:
        return np.arange(len(rows), dtype=float)
    times = pd.to_datetime(rows[settings.time], utc=True).astype("datetime64[us, UTC]")
    return np.asarray(times.astype("int64").to_numpy() / 1e6)


def slices_of(settings: ModelSettings, rows: pd.DataFrame) -> dict[str, np.ndarray]:
    """Give the rows of each slice as masks by name: `origin=JFK`.

    Values of fewer rows than `gate.min_rows` prove nothing one by one, and there may be many of
    them: together they are `origin=(other)`, so that nothing is worse where nobody looks. Numbers
    and times of many values are cut into quarters. Raises SettingsError when a slice is no column.
    """
    masks: dict[str, np.ndarray] = {}
    for column in settings.gate.slices:
        if column not in rows.columns:
            raise SettingsError(f"gate.slices: the data has no column {column!r}")
        values = _spelled(rows[column])
        counts = values.value_counts()
        often = counts[counts >= settings.gate.min_rows].index[:_MOST_SLICES]
        for value in often:
            masks[f"{column}={value}"] = (values == value).to_numpy(dtype=bool)
        rest = (~values.isin(often)).to_numpy(dtype=bool)
        if rest.any():
            masks[f"{column}={OTHER}"] = rest
    return masks


def _spelled(values: "pd.Series[Any]") -> "pd.Series[Any]":
    is_ordered = pd.api.types.is_numeric_dtype(values) or pd.api.types.is_datetime64_any_dtype(
        values
    )
    if is_ordered and values.nunique() > _MOST_SLICES:
        values = pd.qcut(values, list(_QUARTERS), duplicates="drop")
    return values.astype("string").fillna("(missing)")
