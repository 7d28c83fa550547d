"""The rows to replay, cut into requests, and the labels that follow them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
import pandas as pd

from trimtab.errors import SettingsError
from trimtab.records.labels import Label
from trimtab.settings import ModelSettings

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
    """A model's rows from a moment on, in time order."""

    def __init__(self, settings: ModelSettings, rows: pd.DataFrame) -> None:
        if settings.time is None or settings.key is None:
            raise SettingsError("The demo replays by time: set `time` and `key` of the model.")
        self._settings = settings
        self._time, self._key = settings.time, settings.key
        self._rows = rows
        self._known_at = settings.label_time or settings.time
        self._labels = rows[[self._key, settings.target, self._known_at]].sort_values(
            self._known_at, kind="stable"
        )
        self._delivered = 0

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def end(self) -> datetime:
        """The time of the last row."""
        last: datetime = self._rows[self._time].iloc[-1].to_pydatetime()
        return last

    def batches(self, rows_at_most: int) -> Iterator[Batch]:
        """Give the rows hour by hour; hours without rows are left out."""
        inputs = [c for c in self._rows.columns if c not in self._settings.reserved]
        for hour, group in self._rows.groupby(self._rows[self._time].dt.floor(_STEP), sort=True):
            start: datetime = pd.Timestamp(str(hour)).to_pydatetime()
            pieces = [group.iloc[i : i + rows_at_most] for i in range(0, len(group), rows_at_most)]
            bodies = tuple(self._body(piece, inputs) for piece in pieces)
            yield Batch(start=start, end=start + _STEP, rows=len(group), bodies=bodies)

    def labels_until(self, moment: datetime) -> list[Label]:
        """Give the labels that have become known since the last call."""
        upto = int(self._labels[self._known_at].searchsorted(pd.Timestamp(moment), side="right"))
        fresh = self._labels.iloc[self._delivered : upto]
        self._delivered = max(upto, self._delivered)
        return [
            Label(key=str(key), value=str(value), known_at=known.to_pydatetime())
            for key, value, known in fresh.itertuples(index=False)
        ]

    def _body(self, piece: pd.DataFrame, inputs: list[str]) -> bytes:
        records: Sequence[Mapping[Any, Any]] = piece[inputs].to_dict(orient="records")
        return orjson.dumps(
            {
                "rows": [{str(k): _plain(v) for k, v in record.items()} for record in records],
                "keys": piece[self._key].astype(str).tolist(),
                "times": [moment.isoformat() for moment in piece[self._time]],
                "source": SOURCE,
            }
        )


def _plain(value: Any) -> Any:
    """Write a cell as JSON can hold it; a missing one is null."""
    if pd.isna(value):
        return None
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    return value.item() if hasattr(value, "item") else value
