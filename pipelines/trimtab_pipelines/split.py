"""Split by time: the past to fit on, then validation rows, then the newest rows for the gate."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from trimtab.errors import SettingsError
from trimtab.policy.training_windows import first_row
from trimtab.settings.project import ModelSettings

from .errors import DataRefusedError

_GATE_SHARE = 0.1
"""Share of the rows, the newest, that the gate has when no `gate.window` is set."""
_MOST_FOR_GATE = 0.4
"""Share that the gate may have at most when a tenth would be fewer than `gate.min_rows`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Rows in time order, and where they are cut."""

    rows: pd.DataFrame
    start: int
    """First row within `train.window`, the longest of them."""
    middle: int
    """First row of validation."""
    end: int
    """First row of the gate; no version has seen it or any after it."""
    trained_until: datetime

    @property
    def seen(self) -> pd.DataFrame:
        """The rows that the version is made from: training and validation."""
        return self.rows.iloc[self.start : self.end]

    @property
    def fitted(self) -> int:
        """How many of the seen rows, the oldest, candidates are fitted on."""
        return self.middle - self.start

    @property
    def gate(self) -> pd.DataFrame:
        """The rows that are kept out of training."""
        return self.rows.iloc[self.end :]


def split_by_time(rows: pd.DataFrame, model: ModelSettings, until: datetime) -> Split:
    """Cut rows that are in time order. Raises DataRefusedError when a part would be empty.

    All rows of one moment go to the same side of the gate's cut.
    """
    end = _first_for_gate(rows, model)
    trained_until = until if model.time is None else rows[model.time].iloc[end].to_pydatetime()
    start = _first_in_window(rows.iloc[:end], model, trained_until)
    middle = end - round((end - start) * model.train.validation)
    if not start < middle < end:
        raise DataRefusedError(
            f"{len(rows)} labelled rows cannot be split into training, validation and gate "
            f"({max(0, end - start)} rows lie before the gate's). Get more rows, or set a "
            "shorter gate.window or a longer train.window."
        )
    return Split(rows=rows, start=start, middle=middle, end=end, trained_until=trained_until)


def _first_for_gate(rows: pd.DataFrame, model: ModelSettings) -> int:
    if model.time is None:
        if model.gate.window is not None:
            raise SettingsError("gate.window: a length of time needs `time`, the column it is in")
        return len(rows) - _rows_for_gate(len(rows), model)
    times = rows[model.time]
    if model.gate.window is not None:
        return min(_position(times, times.iloc[-1] - model.gate.window), len(rows) - 1)
    return _position(times, times.iloc[len(rows) - _rows_for_gate(len(rows), model)])


def _rows_for_gate(rows: int, model: ModelSettings) -> int:
    needed = min(model.gate.min_rows, round(rows * _MOST_FOR_GATE))
    return max(1, needed, round(rows * _GATE_SHARE))


def ages(times: "pd.Series[pd.Timestamp] | None", rows: int, until: datetime) -> np.ndarray:
    """Tell how many seconds before `until` each row was; without times, how many rows."""
    if times is None:
        return np.arange(rows, 0, -1, dtype=float)
    return np.asarray((pd.Timestamp(until) - times).dt.total_seconds(), dtype=float)


def _first_in_window(rows: pd.DataFrame, model: ModelSettings, trained_until: datetime) -> int:
    windows, times = model.train.window, None
    if model.time is not None:
        times = rows[model.time]
    elif any(window.length is not None for window in windows):
        raise SettingsError("train.window: a length of time needs `time`, the column it is in")
    known = ages(times, len(rows), trained_until)
    # A share is one of the rows that compete, so that is for the selection to cut off.
    return min(0 if window.length is None else first_row(window, known) for window in windows)


def _position(times: "pd.Series[pd.Timestamp]", moment: pd.Timestamp) -> int:
    """Find the first row at or after a moment."""
    return int(times.searchsorted(moment, side="left"))
