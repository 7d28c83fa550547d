"""An inference log in memory."""

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime
from itertools import chain, pairwise
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from trimtab.records.erasures import Removed, Subject
from trimtab.records.logged import LoggedRows
from trimtab.records.predictions import LoggedPrediction, predictions_of
from trimtab.records.slices import FIRST_ERROR, evenly, logged_rows

Result = TypeVar("Result")


class MemoryLog:
    """Keeps the parts of each model as they came; it is its own upkeep."""

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
        table = self._table(model, version, start, end)
        return None if table is None else logged_rows(table)

    def count(self, model: str, version: str, edges: Sequence[datetime]) -> Sequence[int]:
        """Count the rows, refusals included, from each of these event times up to the next."""
        tables = [self._table(model, version, *pair) for pair in pairwise(edges)]
        return [0 if table is None else table.num_rows for table in tables]

    def scan(
        self,
        model: str,
        version: str,
        start: datetime,
        end: datetime,
        work: Callable[[Iterator[LoggedRows]], Result],
        *,
        columns: Sequence[str] | None = None,
    ) -> Result:
        """Give rows to `work`, those of each part by themselves."""
        table = self._table(model, version, start, end)
        batches = [] if table is None else table.to_batches()
        tables = [pa.Table.from_batches([batch]) for batch in batches]
        found = (logged_rows(_only(t, columns)) for t in tables)
        return work(logged for logged in found if logged is not None)

    def sample(
        self,
        model: str,
        version: str,
        start: datetime,
        end: datetime,
        rows: int,
        *,
        columns: Sequence[str] | None = None,
    ) -> LoggedRows | None:
        """Read so many answered rows, evenly spaced in their order in time; None without any."""
        table = self._table(model, version, start, end)
        if table is None:
            return None
        answered = table.filter(pc.less(table["status"], FIRST_ERROR)).sort_by("time")
        return logged_rows(_only(answered, columns).take(evenly(answered.num_rows, rows)))

    def _table(
        self, model: str, version: str, start: datetime | None, end: datetime | None
    ) -> pa.Table | None:
        tables = [rows for of, rows in self._parts.get(model, {}).values() if of == version]
        if not tables:
            return None
        table = pa.concat_tables(tables)
        if start is not None:
            table = table.filter(pc.greater_equal(table["time"], _moment(start)))
        if end is not None:
            table = table.filter(pc.less(table["time"], _moment(end)))
        return table

    def first_time(self, model: str) -> datetime | None:
        """Give the earliest event time in the log."""
        times = [pc.min(rows["time"]) for _, rows in self._parts.get(model, {}).values()]
        return min((time.as_py() for time in times if time.is_valid), default=None)

    def find(self, model: str, names: Collection[str]) -> set[str]:
        """Tell which of these are the key, or the prediction id, of an answered row."""
        tables = [rows for _, rows in self._parts.get(model, {}).values()]
        known = [rows[name].to_pylist() for rows in tables for name in ("key", "prediction_id")]
        return set(names).intersection(chain.from_iterable(known))

    def versions(self, model: str) -> Sequence[str]:
        """List the versions that have parts, in the order of their numbers."""
        known = {version for version, _ in self._parts.get(model, {}).values()}
        return sorted(known, key=lambda version: (len(version), version))

    def span(self, model: str, version: str) -> tuple[datetime, datetime] | None:
        """Give the earliest and the latest event time of a version; None without a row."""
        table = self._table(model, version, None, None)
        if table is None or table.num_rows == 0:
            return None
        return pc.min(table["time"]).as_py(), pc.max(table["time"]).as_py()

    def get(self, model: str, prediction_id: str) -> LoggedPrediction | None:
        """Find one answered row."""
        for version, rows in self._parts.get(model, {}).values():
            at = pc.index(rows["prediction_id"], prediction_id).as_py()
            if at >= 0:
                return next(predictions_of(model, version, rows.slice(at, 1)))
        return None

    def answered(
        self,
        model: str,
        version: str,
        start: datetime,
        end: datetime,
        keys: Collection[str] | None = None,
    ) -> Sequence[LoggedPrediction]:
        """Read the answered rows of a slice, of some keys alone where they are named."""
        table = self._table(model, version, start, end)
        found = [] if table is None else list(predictions_of(model, version, table.sort_by("time")))
        return [row for row in found if keys is None or row.key in keys]

    def compact(self, model: str) -> int:
        """Do nothing: many parts are no burden here."""
        return 0

    def expire(self, model: str, before: datetime) -> Removed:
        """Remove the rows whose event time is before a moment."""
        limit = _moment(before)
        return self._keep(model, lambda rows: pc.greater_equal(rows["time"], limit))

    def erase(self, model: str, subject: Subject) -> Removed:
        """Remove the rows of a subject."""

        def is_kept(rows: pa.Table) -> pa.Array:
            pairs = zip(rows["key"].to_pylist(), rows["prediction_id"].to_pylist(), strict=True)
            return pa.array([not subject.has(*pair) for pair in pairs], pa.bool_())

        return self._keep(model, is_kept)

    def sweep(self, model: str) -> None:
        """Do nothing: nothing is left."""

    def _keep(self, model: str, is_kept: Callable[[pa.Table], pa.Array]) -> Removed:
        rows = files = 0
        for name, (version, table) in self._parts.get(model, {}).items():
            left = table.filter(is_kept(table))
            self._parts[model][name] = (version, left)
            gone = table.num_rows - left.num_rows
            rows, files = rows + gone, files + bool(gone)
        return Removed(rows=rows, files=files)


def _only(table: pa.Table, columns: Sequence[str] | None) -> pa.Table:
    if columns is None:
        return table
    return table.select(list(dict.fromkeys(["time", "status", *columns])))


def _moment(time: datetime) -> pa.Scalar:
    return pa.scalar(time, pa.timestamp("us", tz="UTC"))
