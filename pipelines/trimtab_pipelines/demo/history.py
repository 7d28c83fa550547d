"""The rows to replay, cut into requests, and the labels that follow them."""

import multiprocessing
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
from trimtab.settings import DemoSettings, ModelSettings, Settings

_STEP = timedelta(hours=1)
SOURCE = "demo"
"""What the requests say of where they come from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The rows of one hour, as the bodies of requests."""

    start: datetime
    end: datetime
    rows: int
    bodies: tuple[bytes, ...]


class History:
    """A model's rows from a moment on, in time order; they stay in their file until asked."""

    def __init__(self, settings: ModelSettings, file: Path, *, at_once: int = 10_000) -> None:
        self._settings = settings
        self._time, self._key = _names(settings)
        self._file = pq.ParquetFile(file)
        self._at_once = at_once
        known_at = settings.label_time or self._time
        columns = list(dict.fromkeys([self._key, settings.target, known_at, self._time]))
        outcome = self._file.read(columns).to_pandas()
        self.end: datetime = outcome[self._time].iloc[-1].to_pydatetime()
        self._labels = outcome[[self._key, settings.target, known_at]].sort_values(
            known_at, kind="stable"
        )
        self._known_at = self._labels[known_at]
        self._delivered = 0

    def __len__(self) -> int:
        rows: int = self._file.metadata.num_rows
        return rows

    def batches(self, rows_at_most: int) -> Iterator[Batch]:
        """Give the rows hour by hour; hours without rows are left out."""
        for frame in self._whole_hours():
            asked = _Asked.of(frame, self._settings, self._time, self._key)
            hours = frame[self._time].dt.floor(_STEP).reset_index(drop=True)
            for hour, rows in hours.groupby(hours).indices.items():
                start: datetime = pd.Timestamp(str(hour)).to_pydatetime()
                first, last = int(rows[0]), int(rows[-1]) + 1
                cuts = range(first, last, rows_at_most)
                bodies = tuple(asked.body(cut, min(cut + rows_at_most, last)) for cut in cuts)
                yield Batch(start=start, end=start + _STEP, rows=len(rows), bodies=bodies)

    def labels_until(self, moment: datetime) -> list[Label]:
        """Give the labels that have become known since the last call."""
        upto = int(self._known_at.searchsorted(pd.Timestamp(moment), side="right"))
        fresh = self._labels.iloc[self._delivered : upto]
        self._delivered = max(upto, self._delivered)
        return [
            Label(key=str(key), value=str(value), known_at=known.to_pydatetime())
            for key, value, known in fresh.itertuples(index=False)
        ]

    def _whole_hours(self) -> Iterator[pd.DataFrame]:
        """Read the file piece by piece, each piece cut where an hour ends."""
        rest: list[pd.DataFrame] = []
        for piece in self._file.iter_batches(self._at_once):
            frame = pd.concat([*rest, piece.to_pandas()], ignore_index=True)
            hours = frame[self._time].dt.floor(_STEP)
            is_last = hours == hours.iloc[-1]
            yield frame[~is_last]
            rest = [frame[is_last]]
        yield from rest


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """Rows as plain values, ready to be put into requests."""

    rows: list[dict[str, Any]]
    keys: list[str]
    times: list[Any]

    @classmethod
    def of(cls, frame: pd.DataFrame, settings: ModelSettings, time: str, key: str) -> "_Asked":
        inputs = [c for c in frame.columns if c not in settings.reserved]
        cells = zip(*(_plain(frame[name]) for name in inputs), strict=True)
        return cls(
            rows=[dict(zip(inputs, row, strict=True)) for row in cells],
            keys=frame[key].astype(str).tolist(),
            times=_plain(frame[time]),
        )

    def body(self, first: int, last: int) -> bytes:
        """Write the request for a stretch of rows."""
        cut = slice(first, last)
        content = {
            "rows": self.rows[cut],
            "keys": self.keys[cut],
            "times": self.times[cut],
            "source": SOURCE,
        }
        return orjson.dumps(content, default=pd.Timestamp.isoformat)  # all else is plain


def prepare(settings: Settings, demo: DemoSettings, file: Path) -> None:
    """Write the rows to replay into a Parquet file, in a process whose memory ends with it.

    Raises SettingsError when there is nothing to replay.
    """
    _names(settings.model(demo.model))
    process = multiprocessing.get_context("spawn").Process(
        target=_write, args=(settings, demo, file), daemon=True
    )
    process.start()
    process.join()
    if process.exitcode != 0 or pq.ParquetFile(file).metadata.num_rows == 0:
        raise SettingsError(f"demo.start: the source gives no rows to replay after {demo.start}")


def moment_of(text: str, setting: str) -> datetime:
    """Read a date of the settings. Raises SettingsError."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise SettingsError(f"{setting}: {text!r} is no date; write 2013-04-01") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _write(settings: Settings, demo: DemoSettings, file: Path) -> None:
    from trimtab_pipelines.collect import collect  # with its frameworks, in this process alone

    time, _ = _names(settings.model(demo.model))
    end = moment_of(demo.until, "demo.until") if demo.until else datetime.max.replace(tzinfo=UTC)
    rows = collect(settings, demo.model, end)
    rows[rows[time] >= moment_of(demo.start, "demo.start")].to_parquet(file, index=False)


def _names(settings: ModelSettings) -> tuple[str, str]:
    """Give the columns of time and key. Raises SettingsError when one is not set."""
    if settings.time is None or settings.key is None:
        raise SettingsError("The demo replays by time: set `time` and `key` of the model.")
    return settings.time, settings.key


def _plain(column: "pd.Series[Any]") -> list[Any]:
    """Give the cells as JSON can hold them; a missing one is null."""
    cells: list[Any] = column.tolist()
    missing = column.isna()
    if missing.any():
        return [None if gone else cell for cell, gone in zip(cells, missing, strict=True)]
    return cells
