"""Rows of the log's files in batches of a bounded length, however many rows there are."""

import functools
import operator
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from trimtab.records.logged import LoggedRows
from trimtab.records.slices import FIRST_ERROR, evenly, logged_rows

BATCH_ROWS = 20_000
"""About so many rows are in memory at once."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME = pa.timestamp("us", tz="UTC")
_ALWAYS = ("time", "status")
# Arrow would read whole files ahead, and several of them.
_FORMAT = ds.ParquetFileFormat(
    default_fragment_scan_options=ds.ParquetFragmentScanOptions(
        pre_buffer=False, use_buffered_stream=True
    )
)


def micros(time: datetime) -> int:
    """Give an event time as the log's files are named and filled: microseconds since 1970."""
    return (time - _EPOCH) // timedelta(microseconds=1)


def between(start: datetime | None, end: datetime | None) -> pc.Expression | None:
    """Ask for rows from one event time up to another."""
    bounds = [pc.field("time") >= pa.scalar(start, _TIME)] if start else []
    bounds += [pc.field("time") < pa.scalar(end, _TIME)] if end else []
    return functools.reduce(operator.and_, bounds) if bounds else None


def count_rows(paths: Sequence[str], edges: Sequence[datetime]) -> list[int]:
    """Count rows from each event time up to the next; only the times are read."""
    marks = np.array([micros(edge) for edge in edges])
    found = np.zeros(len(edges) - 1, dtype=np.int64)
    for table in _tables(paths, between(edges[0], edges[-1]), ["time"]):
        times = pc.cast(table["time"], pa.int64()).to_numpy()
        found += np.bincount(np.searchsorted(marks, times, "right") - 1, minlength=len(found))
    counts: list[int] = found.tolist()
    return counts


def scan_rows(
    paths: Sequence[str], asked: pc.Expression | None, columns: Sequence[str] | None = None
) -> Iterator[LoggedRows]:
    """Yield the rows of files in batches; with `columns` these alone are read."""
    named = None if columns is None else list(dict.fromkeys([*_ALWAYS, *columns]))
    for table in _whole(_tables(paths, asked, named)):
        if (logged := logged_rows(table)) is not None:
            yield logged


def sample_rows(paths: Sequence[str], asked: pc.Expression | None, most: int) -> LoggedRows | None:
    """Take answered rows, evenly spaced in time: first all times are read, then those rows."""
    chosen = _chosen(paths, asked, most)
    taken, seen = [], 0
    for table in _tables(paths, asked, None):
        here = chosen[(chosen >= seen) & (chosen < seen + table.num_rows)] - seen
        taken += [table.take(here)] if here.size else []
        seen += table.num_rows
    return logged_rows(pa.concat_tables(taken)) if taken else None


def _chosen(paths: Sequence[str], asked: pc.Expression | None, most: int) -> np.ndarray:
    """Give the positions of the chosen rows in the order in which they are read."""
    times, is_answer = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=bool)]
    for table in _tables(paths, asked, list(_ALWAYS)):
        times.append(pc.cast(table["time"], pa.int64()).to_numpy())
        is_answer.append(pc.less(table["status"], FIRST_ERROR).to_numpy())
    answers = np.flatnonzero(np.concatenate(is_answer))
    in_time = answers[np.argsort(np.concatenate(times)[answers], kind="stable")]
    return np.sort(in_time[evenly(len(in_time), most)])


def _tables(
    paths: Sequence[str], asked: pc.Expression | None, columns: Sequence[str] | None
) -> Iterator[pa.Table]:
    if not paths:
        return
    scanner = ds.dataset(list(paths), format=_FORMAT).scanner(
        columns=columns,
        filter=asked,
        batch_size=BATCH_ROWS,
        batch_readahead=1,
        fragment_readahead=1,
        use_threads=False,  # the order of rows is that of the files
    )
    for batch in scanner.to_batches():
        if batch.num_rows:
            yield pa.Table.from_batches([batch])


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
