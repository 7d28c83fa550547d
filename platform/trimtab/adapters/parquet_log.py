"""The inference log as a folder of Parquet, which any reader of Parquet opens as it is.

`<root>/<model>/version=<version>/<part>.<first>_<last>.parquet`: the version is in the folder's
name, as readers expect it, and the event times of a part (in microseconds since 1970) are in the
file's, so that a reader of one week opens the files of that week alone.
"""

import functools
import operator
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote, unquote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from trimtab.records.logged import LoggedRows
from trimtab.records.slices import logged_rows

from .durable_files import make_folder, write_durably

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME = pa.timestamp("us", tz="UTC")
_MICROSECOND = timedelta(microseconds=1)
_VERSION, _SUFFIX = "version=", ".parquet"


@dataclass(frozen=True, slots=True)
class _Part:
    path: str
    name: str
    first: int
    last: int

    @classmethod
    def of(cls, path: str) -> "_Part":
        stem = os.path.basename(path).removesuffix(_SUFFIX)
        name, _, times = stem.rpartition(".")
        first, _, last = times.partition("_")
        return cls(path, name, int(first), int(last))


class ParquetLog:
    """One process may write a part while any number of others read."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._known: dict[str, set[str]] = {}
        """The parts of each model that is written here: listing them each time would cost more."""

    def append(self, model: str, version: str, part: str, rows: pa.Table) -> None:
        """Add a part, once; it is on the disk when this returns."""
        known = self._known.get(model)
        if known is None:
            known = self._known[model] = set(self.parts(model))
        if part in known:
            return
        folder = self._folder(model, version)
        make_folder(folder)
        sink = pa.BufferOutputStream()
        pq.write_table(rows.drop_columns(["version"]), sink, compression="zstd")
        try:
            write_durably(folder / f"{part}.{_span(rows)}{_SUFFIX}", memoryview(sink.getvalue()))
        except BaseException:
            del self._known[model]  # it can be there all the same
            raise
        known.add(part)

    def parts(self, model: str) -> Sequence[str]:
        """List the names of the parts."""
        return [part.name for version in self._versions(model) for part in self._in(model, version)]

    def read(
        self, model: str, version: str, start: datetime | None = None, end: datetime | None = None
    ) -> LoggedRows | None:
        """Read rows of one version by event time; None when there are none."""
        low = -(2**63) if start is None else _micros(start)
        high = 2**63 - 1 if end is None else _micros(end)
        parts = [p for p in self._in(model, version) if p.first < high and p.last >= low]
        if not parts:
            return None
        table = ds.dataset(sorted(p.path for p in parts)).to_table(filter=_between(start, end))
        versions = pa.repeat(pa.scalar(version), table.num_rows)
        return logged_rows(table.add_column(2, "version", versions))

    def first_time(self, model: str) -> datetime | None:
        """Give the earliest event time in the log."""
        parts = [part for version in self._versions(model) for part in self._in(model, version)]
        firsts = [part.first for part in parts if part.first <= part.last]
        return _EPOCH + min(firsts) * _MICROSECOND if firsts else None

    def _folder(self, model: str, version: str) -> Path:
        return self._root / model / f"{_VERSION}{quote(version, safe='')}"

    def _versions(self, model: str) -> list[str]:
        try:
            names = os.listdir(self._root / model)
        except FileNotFoundError:
            return []
        return [unquote(n.removeprefix(_VERSION)) for n in names if n.startswith(_VERSION)]

    def _in(self, model: str, version: str) -> Iterator[_Part]:
        try:
            entries = os.scandir(self._folder(model, version))
        except FileNotFoundError:
            return
        with entries:
            for entry in entries:
                if entry.name.endswith(_SUFFIX):
                    yield _Part.of(entry.path)


def _span(rows: pa.Table) -> str:
    times = pc.min_max(rows["time"])
    if not times["min"].is_valid:
        return "1_0"  # no row, and no window overlaps with it
    return f"{times['min'].value}_{times['max'].value}"


def _micros(time: datetime) -> int:
    return (time - _EPOCH) // _MICROSECOND


def _between(start: datetime | None, end: datetime | None) -> pc.Expression | None:
    bounds = [pc.field("time") >= pa.scalar(start, _TIME)] if start else []
    bounds += [pc.field("time") < pa.scalar(end, _TIME)] if end else []
    return functools.reduce(operator.and_, bounds) if bounds else None
