"""The inference log as a folder of Parquet, which any reader of Parquet opens as it is.

`<root>/<model>/version=<version>/<name>.<first>_<last>.parquet`: the version is in the folder's
name, as readers expect it, and the event times of a file (in microseconds since 1970) are in the
file's, so that a reader of one week opens the files of that week alone.
"""

import functools
import operator
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from trimtab.records.logged import LoggedRows
from trimtab.records.places import Place, ends
from trimtab.records.predictions import LoggedPrediction, predictions_of
from trimtab.records.slices import logged_rows

from .durable_files import make_folder, write_durably
from .log_folder import LogFile, LogFolder, file_name
from .log_lookup import answered_rows, nearest_first, row_of
from .log_merging import parts_of
from .log_scanning import Part, count_rows, micros, sample_rows, scan_rows

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME = pa.timestamp("us", tz="UTC")
_MICROSECOND = timedelta(microseconds=1)
_NAMES = pa.schema([("key", pa.string()), ("prediction_id", pa.string())])
_FILES = 32  # looked at in one go
_READS = 20  # a file that was merged away while it was read is found in its new place
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class _Known:
    """The parts that are in the log, by their own names or within what was merged."""

    names: set[str]
    ends: Mapping[str, int]

    @classmethod
    def of(cls, names: Sequence[str]) -> "_Known":
        return cls(set(names), ends(names))

    def has(self, part: str) -> bool:
        place = None if part in self.names else Place.parse(part)
        return part in self.names or (
            place is not None and place.end <= self.ends.get(place.segment, 0)
        )


class ParquetLog:
    """Any number of processes may add parts while others read and one merges."""

    def __init__(self, root: Path) -> None:
        self._folder = LogFolder(root)
        self._known: dict[str, _Known] = {}
        """The parts of each model that is written here: listing them each time would cost more."""
        self._merged: dict[str, Sequence[str]] = {}
        """What each merged file was made of; such a file never changes that."""

    def append(self, model: str, version: str, part: str, rows: pa.Table) -> None:
        """Add a part, once; it is on the disk when this returns."""
        known = self._known.get(model)
        if known is None:
            known = self._known[model] = _Known.of(self.parts(model))
        if known.has(part):
            return
        sink = pa.BufferOutputStream()
        pq.write_table(rows.drop_columns(["version"]), sink, compression="zstd")
        content = memoryview(sink.getvalue())
        try:
            with self._folder.adding(model):
                fresh = self._folder.incoming(model) / f"{part}.new"
                folder = self._folder.version(model, version)
                make_folder(folder)
                write_durably(folder / file_name(part, *_span(rows)), content, fresh=fresh)
        except BaseException:
            del self._known[model]  # it can be there all the same
            raise
        known.names.add(part)

    def parts(self, model: str) -> Sequence[str]:
        """List the names of the parts; those that were merged are told as `hulls` tells them."""
        for _ in range(_READS):
            files = self._folder.all_files(model)
            try:
                return list(dict.fromkeys(name for file in files for name in self._names(file)))
            except FileNotFoundError:
                continue
        raise FileNotFoundError(f"{self._folder.model(model)} changes faster than it can be read")

    def read(
        self, model: str, version: str, start: datetime | None = None, end: datetime | None = None
    ) -> LoggedRows | None:
        """Read rows of one version by event time; None when there are none."""

        def work(paths: Sequence[str]) -> LoggedRows | None:
            if not paths:
                return None
            table = ds.dataset(list(paths)).to_table(filter=_between(start, end))
            versions = pa.repeat(pa.scalar(version), table.num_rows)
            return logged_rows(table.add_column(2, "version", versions))

        return self._on_files(model, version, start, end, work)

    def count(self, model: str, version: str, edges: Sequence[datetime]) -> Sequence[int]:
        """Count the rows, refusals included, from each of these event times up to the next."""

        def work(paths: Sequence[str]) -> Sequence[int]:
            return count_rows(paths, edges)

        return self._on_files(model, version, edges[0], edges[-1], work)

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
        """Give rows to `work` in batches; it is called again when files were merged meanwhile."""

        def on_files(paths: Sequence[str]) -> Result:
            return work(scan_rows(Part(paths=paths, start=start, end=end), columns))

        return self._on_files(model, version, start, end, on_files)

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

        def work(paths: Sequence[str]) -> LoggedRows | None:
            return sample_rows(Part(paths=paths, start=start, end=end), rows, columns)

        return self._on_files(model, version, start, end, work)

    def first_time(self, model: str) -> datetime | None:
        """Give the earliest event time in the log."""
        firsts = [f.first for f in self._folder.all_files(model) if f.first <= f.last]
        return _EPOCH + min(firsts) * _MICROSECOND if firsts else None

    def find(self, model: str, names: Collection[str]) -> set[str]:
        """Tell which of these are the key, or the prediction id, of an answered row.

        Two columns are read, of the newest files first, and none once all is found: a name that
        is nowhere costs a look at both columns of the whole log.
        """
        wanted, found, looked = set(names), set[str](), set[str]()
        for _ in range(_READS):
            files = sorted(self._folder.all_files(model), key=lambda f: f.last, reverse=True)
            left = [file.path for file in files if file.path not in looked]
            try:
                for start in range(0, len(left), _FILES):
                    if not wanted - found:
                        return found
                    some = left[start : start + _FILES]
                    found |= _named(some, wanted - found)
                    looked.update(some)
                return found
            except FileNotFoundError:
                continue
        raise FileNotFoundError(f"{self._folder.model(model)} changes faster than it can be read")

    def versions(self, model: str) -> Sequence[str]:
        """List the versions that have files, in the order of their numbers."""
        return sorted(self._folder.versions(model), key=lambda v: (len(v), v))

    def span(self, model: str, version: str) -> tuple[datetime, datetime] | None:
        """Give the earliest and the latest event time of a version; None without a row."""
        files = [f for f in self._folder.files(model, version) if f.first <= f.last]
        if not files:
            return None
        first, last = min(f.first for f in files), max(f.last for f in files)
        return _EPOCH + first * _MICROSECOND, _EPOCH + last * _MICROSECOND

    def get(self, model: str, prediction_id: str) -> LoggedPrediction | None:
        """Find one answered row; files that the id's own time points at are looked at first."""
        looked = set[LogFile]()
        for _ in range(_READS):
            of = {f: v for v in self.versions(model) for f in self._folder.files(model, v)}
            try:
                for file in nearest_first(of.keys() - looked, prediction_id):
                    row = row_of(file.path, prediction_id)
                    if row is not None:
                        return next(predictions_of(model, of[file], row))
                    looked.add(file)
                return None
            except FileNotFoundError:
                continue
        raise FileNotFoundError(f"{self._folder.model(model)} changes faster than it can be read")

    def answered(
        self,
        model: str,
        version: str,
        start: datetime,
        end: datetime,
        keys: Collection[str] | None = None,
    ) -> Sequence[LoggedPrediction]:
        """Read the answered rows of a slice, of some keys alone where they are named."""

        def work(paths: Sequence[str]) -> Sequence[LoggedPrediction]:
            table = answered_rows(paths, start, end, keys)
            return [] if table is None else list(predictions_of(model, version, table))

        return self._on_files(model, version, start, end, work)

    def _on_files(
        self,
        model: str,
        version: str,
        start: datetime | None,
        end: datetime | None,
        work: Callable[[Sequence[str]], Result],
    ) -> Result:
        """Work on the files that overlap with a slice; again from the start when they moved."""
        low = -(2**63) if start is None else micros(start)
        high = 2**63 - 1 if end is None else micros(end)
        for attempt in range(_READS):
            files = self._folder.files(model, version)
            try:
                return work(sorted(f.path for f in files if f.first < high and f.last >= low))
            except FileNotFoundError:
                continue
            except (OSError, pa.ArrowInvalid):  # rewritten between a look and the next, or damaged
                if attempt > 1:
                    raise
        raise FileNotFoundError(f"{self._folder.model(model)} changes faster than it can be read")

    def _names(self, file: LogFile) -> Sequence[str]:
        if not file.is_merged:
            return [file.name]
        if file.name not in self._merged:
            self._merged[file.name] = parts_of(file)
        return self._merged[file.name]


def _named(paths: Sequence[str], wanted: set[str]) -> set[str]:
    """Tell which of these names some files have."""
    names = pa.array(wanted, pa.string())
    # Columns are named one by one: files of different versions have different inputs.
    columns = ds.dataset(paths, schema=_NAMES)
    found: set[str] = set()
    for name in _NAMES.names:
        hit = columns.to_table([name], filter=pc.field(name).isin(names))
        found.update(hit[name].to_pylist())
    return found


def _span(rows: pa.Table) -> tuple[int, int]:
    times = pc.min_max(rows["time"])
    if not times["min"].is_valid:
        return 1, 0  # no row, and no window overlaps with it
    return times["min"].value, times["max"].value


def _between(start: datetime | None, end: datetime | None) -> pc.Expression | None:
    bounds = [pc.field("time") >= pa.scalar(start, _TIME)] if start else []
    bounds += [pc.field("time") < pa.scalar(end, _TIME)] if end else []
    return functools.reduce(operator.and_, bounds) if bounds else None
