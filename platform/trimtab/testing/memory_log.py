"""An inference log in memory."""

from collections.abc import Sequence
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from trimtab.records.logged import LoggedRows
from trimtab.records.slices import logged_rows


class MemoryLog:
    """Keeps the parts of each model as they came."""

    def __init__(self) -> None:
        self._parts: dict[str, dict[str, tuple[str, pa.Table]]] = {}

    def append(self, model: str, version: str, part: str, rows: pa.Table) -> None:
        """Add a part, once."""
        self._parts.setdefault(model, {}).setdefault(part, (version, rows))

    def parts(self, model: str) -> Sequence[str]:
        """List the names of the parts."""
        return list(self._parts.get(model, {}))

    def read(
        self, model: str, version: str, start: datetime | None = None, end: datetime | None = None
    ) -> LoggedRows | None:
        """Read rows of one version by event time; None when there are none."""
        tables = [rows for of, rows in self._parts.get(model, {}).values() if of == version]
        if not tables:
            return None
        table = pa.concat_tables(tables)
        if start is not None:
            table = table.filter(pc.greater_equal(table["time"], _moment(start)))
        if end is not None:
            table = table.filter(pc.less(table["time"], _moment(end)))
        return logged_rows(table)

    def first_time(self, model: str) -> datetime | None:
        """Give the earliest event time in the log."""
        times = [pc.min(rows["time"]) for _, rows in self._parts.get(model, {}).values()]
        return min((time.as_py() for time in times if time.is_valid), default=None)


def _moment(time: datetime) -> pa.Scalar:
    return pa.scalar(time, pa.timestamp("us", tz="UTC"))
