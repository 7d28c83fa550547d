"""Merging files of the inference log: which ones are worth it, and how one is made of many."""

import json
import secrets
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from trimtab.records.places import hulls

from .log_folder import LogFile, file_name, merged_name

MANY_PARTS = 32
"""So many fresh parts are merged at once; fewer when they have lain for `SETTLED_SECONDS`."""
MANY_MERGED = 8
"""So many merged files of one day become one, unless they are full."""
FULL_BYTES = 128 << 20
"""A merged file of this size is left alone."""
SETTLED_SECONDS = 3600.0
_MOST_BYTES = 256 << 20
_MOST_FILES = 2000
_GROUP_ROWS = 50_000
_MOST_DAYS = 64  # rows that claim more days than this stay together
_DAY = 86_400_000_000  # microseconds
_PARTS = b"trimtab.parts"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file with what decides about it."""

    file: LogFile
    size: int
    age: float
    """Seconds since it was written."""


def worth_merging(files: Iterable[Candidate]) -> Sequence[LogFile]:
    """Choose files that become one a day; none when nothing is worth the work."""
    fresh: list[Candidate] = []
    by_day: defaultdict[int, list[Candidate]] = defaultdict(list)
    for candidate in sorted(files, key=lambda c: (c.file.first, c.file.name)):
        if not candidate.file.is_merged:
            fresh.append(candidate)
        elif candidate.size < FULL_BYTES:
            by_day[candidate.file.first // _DAY].append(candidate)
    for group, many in [(fresh, MANY_PARTS), *((group, MANY_MERGED) for group in by_day.values())]:
        is_settled = all(candidate.age > SETTLED_SECONDS for candidate in group)
        if len(group) >= (2 if is_settled else many):
            return _bounded(group)
    return []


def _bounded(group: Sequence[Candidate]) -> list[LogFile]:
    chosen: list[LogFile] = []
    total = 0
    for candidate in group[:_MOST_FILES]:
        total += candidate.size
        if total > _MOST_BYTES and len(chosen) > 1:
            break
        chosen.append(candidate.file)
    return chosen


def merge(files: Sequence[LogFile], folder: Path) -> list[Path]:
    """Write the rows of some files into new ones, one for each day; gives those.

    All must have the same columns. Whatever they were made of is noted in each new one.
    """
    schema = columns_of(files[0])
    names = hulls(name for file in files for name in _names(file))
    making = _Making(folder, schema.with_metadata({_PARTS: json.dumps(names).encode()}))
    with ExitStack() as closing:
        closing.callback(making.close)
        for table in _gathered(files, schema):
            making.add(table)
    return making.named()


def columns_of(file: LogFile) -> pa.Schema:
    """Give the names and types of a file's columns."""
    return pq.read_schema(file.path).remove_metadata()


def parts_of(file: LogFile) -> Sequence[str]:
    """Tell of which parts a merged file was made."""
    metadata = pq.read_schema(file.path).metadata or {}
    found: list[str] = json.loads(metadata.get(_PARTS, b"[]"))
    return found


class _Making:
    """The new files, while they are written."""

    def __init__(self, folder: Path, schema: pa.Schema) -> None:
        self._folder = folder
        self._schema = schema
        self._writers: dict[int, pq.ParquetWriter] = {}
        self._spans: dict[int, tuple[int, int]] = {}

    def add(self, rows: pa.Table) -> None:
        """Write rows into the files of their days."""
        if not self._writers:
            self._writer(0 if rows.num_rows == 0 else _days(rows)[0])
        ordered = rows.sort_by("time")
        days = _days(ordered)
        for day in dict.fromkeys(days):
            start, end = (int(np.searchsorted(days, day, side)) for side in ("left", "right"))
            self._write(int(day), ordered.slice(start, end - start))

    def close(self) -> None:
        """Finish the files."""
        for writer in self._writers.values():
            writer.close()

    def named(self) -> list[Path]:
        """Give the finished files names that say what times they hold."""
        found = []
        for day in self._writers:
            first, last = self._spans.get(day, (1, 0))
            path = self._path(day)
            name = merged_name(f"{time.time_ns():016x}-{secrets.token_hex(4)}")
            found.append(path.rename(path.with_name(file_name(name, first, last))))
        return found

    def _write(self, day: int, rows: pa.Table) -> None:
        if day not in self._writers and len(self._writers) >= _MOST_DAYS:
            day = next(iter(self._writers))
        self._writer(day).write_table(rows)
        first, last = rows["time"][0].value, rows["time"][-1].value
        known = self._spans.get(day, (first, last))
        self._spans[day] = (min(known[0], first), max(known[1], last))

    def _writer(self, day: int) -> pq.ParquetWriter:
        if day not in self._writers:
            self._writers[day] = pq.ParquetWriter(self._path(day), self._schema, compression="zstd")
        return self._writers[day]

    def _path(self, day: int) -> Path:
        return self._folder / f"{day}.new"


def _gathered(files: Sequence[LogFile], schema: pa.Schema) -> Iterator[pa.Table]:
    """Read the rows in tables of a bounded length, however small or large the files are."""
    waiting: list[pa.Table] = []
    for file in files:
        with pq.ParquetFile(file.path) as parquet:
            for batch in parquet.iter_batches(_GROUP_ROWS):
                waiting.append(pa.Table.from_batches([batch]).cast(schema))
                if sum(table.num_rows for table in waiting) >= _GROUP_ROWS:
                    yield pa.concat_tables(waiting)
                    waiting = []
    yield pa.concat_tables(waiting) if waiting else schema.empty_table()


def _days(rows: pa.Table) -> np.ndarray:
    micros = pc.cast(rows["time"], pa.int64()).to_numpy()
    days: np.ndarray = micros // _DAY
    return days


def _names(file: LogFile) -> Sequence[str]:
    return parts_of(file) if file.is_merged else [file.name]
