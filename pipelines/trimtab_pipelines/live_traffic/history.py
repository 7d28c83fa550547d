"""The rows to replay, cut into requests, and the labels that follow them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pandas as pd
import pyarrow.parquet as pq

from trimtab.errors import SettingsError
from trimtab.records.labels import Label
from trimtab.settings import ModelSettings

_HOUR = timedelta(hours=1)
_MONDAY = pd.Timestamp("1970-01-05", tz="UTC")
"""Steps begin where windows do, whatever their length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The rows of one stretch of time, as the bodies of requests."""

    start: datetime
    end: datetime
    rows: int
    bodies: tuple[bytes, ...]


class History:
    """A model's rows from a moment on, in time order; they stay in their file until asked."""

    def __init__(
        self,
        settings: ModelSettings,
        file: Path,
        *,
        source: str,
        step: timedelta = _HOUR,
        at_once: int = 10_000,
    ) -> None:
        """Open a file; `source` is what the requests say of where they come from.

        `step` is the stretch of time that is sent at once. Raises SettingsError.
        """
        self._settings = settings
        self._time, self._key = time_and_key(settings)
        self._source, self._step = source, step
        self._file = pq.ParquetFile(file)
        self._at_once = at_once
        self._labels = _labels_of(self._file, settings, self._time, self._key)
        self._known_at = self._labels[settings.label_time or self._time]
        newest = self._file.read([self._time]).column(0)[-1]
        self.end: datetime = pd.Timestamp(newest.as_py()).to_pydatetime()
        self._delivered = 0

    def __len__(self) -> int:
        rows: int = self._file.metadata.num_rows
        return rows

    def batches(self, rows_at_most: int) -> Iterator[Batch]:
        """Give the rows step by step; stretches without rows are left out."""
        for frame in self._whole_steps():
            asked = _Asked.of(frame, self._settings, self._time, self._key, self._source)
            steps = self._steps(frame).reset_index(drop=True)
            for step, rows in steps.groupby(steps).indices.items():
                start: datetime = pd.Timestamp(str(step)).to_pydatetime()
                first, last = int(rows[0]), int(rows[-1]) + 1
                cuts = range(first, last, rows_at_most)
                bodies = tuple(asked.body(cut, min(cut + rows_at_most, last)) for cut in cuts)
                yield Batch(start=start, end=start + self._step, rows=len(rows), bodies=bodies)

    def labels_until(self, moment: datetime) -> list[Label]:
        """Give the labels that have become known since the last call."""
        upto = int(self._known_at.searchsorted(pd.Timestamp(moment), side="right"))
        fresh = self._labels.iloc[self._delivered : upto]
        self._delivered = max(upto, self._delivered)
        return [
            Label(key=str(key), value=str(value), known_at=known.to_pydatetime())
            for key, value, known in fresh.itertuples(index=False)
        ]

    def _steps(self, frame: pd.DataFrame) -> "pd.Series[pd.Timestamp]":
        """Tell in which step, by its beginning, each row lies."""
        steps = (frame[self._time] - _MONDAY) // pd.Timedelta(self._step)
        return steps * pd.Timedelta(self._step) + _MONDAY

    def _whole_steps(self) -> Iterator[pd.DataFrame]:
        """Read the file piece by piece, each piece cut where a step ends."""
        rest: list[pd.DataFrame] = []
        for piece in self._file.iter_batches(self._at_once):
            frame = pd.concat([*rest, piece.to_pandas()], ignore_index=True)
            steps = self._steps(frame)
            is_last = steps == steps.iloc[-1]
            yield frame[~is_last]
            rest = [frame[is_last]]
        yield from rest


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """Rows as plain values, ready to be put into requests."""

    rows: list[dict[str, Any]]
    keys: list[str]
    times: list[Any]
    source: str

    @classmethod
    def of(
        cls, frame: pd.DataFrame, settings: ModelSettings, time: str, key: str, source: str
    ) -> "_Asked":
        inputs = [c for c in frame.columns if c not in settings.reserved]
        cells = zip(*(_plain(frame[name]) for name in inputs), strict=True)
        return cls(
            rows=[dict(zip(inputs, row, strict=True)) for row in cells],
            keys=frame[key].astype(str).tolist(),
            times=_plain(frame[time]),
            source=source,
        )

    def body(self, first: int, last: int) -> bytes:
        """Write the request for a stretch of rows."""
        cut = slice(first, last)
        content = {
            "rows": self.rows[cut],
            "keys": self.keys[cut],
            "times": self.times[cut],
            "source": self.source,
        }
        return orjson.dumps(content, default=pd.Timestamp.isoformat)  # all else is plain


def moment_of(text: str, setting: str) -> datetime:
    """Read a date of the settings. Raises SettingsError."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise SettingsError(f"{setting}: {text!r} is no date; write 2013-04-01") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def time_and_key(settings: ModelSettings) -> tuple[str, str]:
    """Give the columns of time and key. Raises SettingsError when one is not set."""
    if settings.time is None or settings.key is None:
        raise SettingsError("Rows are replayed by time: set `time` and `key` of the model.")
    return settings.time, settings.key


def _labels_of(file: pq.ParquetFile, settings: ModelSettings, time: str, key: str) -> pd.DataFrame:
    """Give key, label and the moment when each is known, in the order of these moments."""
    known_at = settings.label_time or time
    if settings.target is None:
        return pd.DataFrame({key: [], "": [], known_at: pd.to_datetime([], utc=True)})
    columns = [key, settings.target, known_at]
    known: pd.DataFrame = file.read(columns).to_pandas()
    return known[columns].sort_values(known_at, kind="stable")


def _plain(column: "pd.Series[Any]") -> list[Any]:
    """Give the cells as JSON can hold them; a missing one is null."""
    cells: list[Any] = column.tolist()
    missing = column.isna()
    if missing.any():
        return [None if gone else cell for cell, gone in zip(cells, missing, strict=True)]
    return cells
