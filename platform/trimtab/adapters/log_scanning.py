"""Rows of the log's files in batches of a bounded length, however many rows there are."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from trimtab.records.logged import LoggedRows
from trimtab.records.slices import FIRST_ERROR, evenly, logged_rows

BATCH_ROWS = 20_000
"""About so many rows are in memory at once."""
_READ_BYTES = 1 << 18  # of a column, at once; Arrow would read it to the end of the row group
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME = pa.timestamp("us", tz="UTC")
_ALWAYS = ("time", "status")


def micros(time: datetime) -> int:
    """Give an event time as the log's files are named and filled: microseconds since 1970."""
    return (time - _EPOCH) // timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some files, and what is wanted of them: the rows from one event time up to another."""

    paths: Sequence[str]
    start: datetime
    end: datetime

    def tables(self, columns: Sequence[str] | None) -> Iterator[pa.Table]:
        """Yield the rows in the order of the files, in tables of a bounded length.

        Not by a scan of Arrow's data sets: that holds whole row groups, and several of them.
        """
        for path in self.paths:
            with pq.ParquetFile(path, buffer_size=_READ_BYTES) as file:
                batches = file.iter_batches(
                    BATCH_ROWS, row_groups=self._groups(file), columns=columns, use_threads=False
                )
                for batch in batches:
                    table = self._only(pa.Table.from_batches([batch]))
                    if table.num_rows:
                        yield table

    def _groups(self, file: pq.ParquetFile) -> list[int]:
        """Choose the groups of rows that can hold a wanted one."""
        about = file.metadata
        paths = [about.schema.column(i).path for i in range(about.num_columns)]
        at, found = paths.index("time"), []
        for group in range(about.num_row_groups):
            known = about.row_group(group).column(at).statistics
            is_told = known is not None and known.has_min_max
            if not is_told or (known.min < self.end and known.max >= self.start):
                found.append(group)
        return found

    def _only(self, table: pa.Table) -> pa.Table:
        is_in = pc.and_(
            pc.greater_equal(table["time"], pa.scalar(self.start, _TIME)),
            pc.less(table["time"], pa.scalar(self.end, _TIME)),
        )
        return table.filter(is_in)


def count_rows(paths: Sequence[str], edges: Sequence[datetime]) -> list[int]:
    """Count rows from each event time up to the next; only the times are read."""
    part = Part(paths=paths, start=edges[0], end=edges[-1])
    marks = np.array([micros(edge) for edge in edges])
    found = np.zeros(len(edges) - 1, dtype=np.int64)
    for table in part.tables(["time"]):
        times = pc.cast(table["time"], pa.int64()).to_numpy()
        found += np.bincount(np.searchsorted(marks, times, "right") - 1, minlength=len(found))
    counts: list[int] = found.tolist()
    return counts


def scan_rows(part: Part, columns: Sequence[str] | None = None) -> Iterator[LoggedRows]:
    """Yield the rows of files in batches; with `columns` these alone are read."""
    for table in _whole(part.tables(_named(columns))):
        if (logged := logged_rows(table)) is not None:
            yield logged


def sample_rows(part: Part, most: int, columns: Sequence[str] | None = None) -> LoggedRows | None:
    """Take answered rows, evenly spaced in time: first all times are read, then those rows."""
    chosen = _chosen(part, most)
    taken, seen = [], 0
    for table in part.tables(_named(columns)):
        here = chosen[(chosen >= seen) & (chosen < seen + table.num_rows)] - seen
        taken += [table.take(here)] if here.size else []
        seen += table.num_rows
    return logged_rows(pa.concat_tables(taken)) if taken else None


def _chosen(part: Part, most: int) -> np.ndarray:
    """Give the positions of the chosen rows in the order in which they are read."""
    times, is_answer = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=bool)]
    for table in part.tables(list(_ALWAYS)):
        times.append(pc.cast(table["time"], pa.int64()).to_numpy())
        is_answer.append(pc.less(table["status"], FIRST_ERROR).to_numpy())
    answers = np.flatnonzero(np.concatenate(is_answer))
    in_time = answers[np.argsort(np.concatenate(times)[answers], kind="stable")]
    return np.sort(in_time[evenly(len(in_time), most)])


def _whole(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Put small tables together: each one costs as much to count as a large one."""
    waiting: list[pa.Table] = []
    rows = 0
    for table in tables:
        if rows + table.num_rows > BATCH_ROWS and waiting:
            yield pa.concat_tables(waiting)
            waiting, rows = [], 0
        waiting.append(table)
        rows += table.num_rows
    if waiting:
        yield pa.concat_tables(waiting)


def _named(columns: Sequence[str] | None) -> list[str] | None:
    return None if columns is None else list(dict.fromkeys([*_ALWAYS, *columns]))
