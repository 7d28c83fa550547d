"""Upkeep of the inference log: merged, expired and erased, while others read and add.

A file is rewritten by one rename over itself. Several become one by an exchange of the version's
whole folder for another one, which holds the new files and hard links to all that stay. So a
reader finds every row once at any moment, or is told that a file is gone, and looks again. A
process that is killed leaves something in `.trimtab`, which the next one removes.
"""

import logging
import os
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from trimtab.records.erasures import Removed, Subject

from .durable_files import sync_folder
from .exchange import exchange
from .log_folder import LogFile, LogFolder
from .log_merging import Candidate, columns_of, merge, worth_merging

_log = logging.getLogger(__name__)
GRACE_SECONDS = 5.0
"""How long a replaced folder stays, so that whoever is listing it sees all of it."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Mask = Callable[[pa.Table], pa.ChunkedArray]


class ParquetLogUpkeep:
    """One process at a time keeps up a model's log; the others wait for it."""

    def __init__(self, root: Path) -> None:
        self._folder = LogFolder(root)

    def compact(self, model: str) -> int:
        """Merge files of one version; gives how many, 0 when nothing is worth the work.

        Raises OSError, also where the file system cannot exchange folders.
        """
        with self._folder.keeping(model):
            self._sweep(model, GRACE_SECONDS)
            for version in self._folder.versions(model):
                if files := _alike(worth_merging(self._candidates(model, version))):
                    self._merge(model, version, files)
                    return len(files)
        return 0

    def expire(self, model: str, before: datetime) -> Removed:
        """Remove the rows whose event time is before a moment, and the files without any other."""
        limit = (before - _EPOCH) // timedelta(microseconds=1)
        moment = pa.scalar(before, pa.timestamp("us", tz="UTC"))
        rows = files = 0
        with self._folder.keeping(model):
            for file in self._folder.all_files(model):
                if file.first <= file.last < limit:
                    rows += pq.read_metadata(file.path).num_rows
                    files += 1
                    os.unlink(file.path)
                elif file.first < limit <= file.last:
                    gone = self._rewrite(model, file, ["time"], lambda t: _before(t, moment))
                    rows, files = rows + gone, files + bool(gone)
        return Removed(rows=rows, files=files)

    def erase(self, model: str, subject: Subject) -> Removed:
        """Remove the rows of a subject, and what is left of files that had them."""
        rows = files = 0
        with self._folder.keeping(model):
            self._sweep(model, 0.0)
            for file in self._folder.all_files(model):
                gone = self._rewrite(
                    model, file, ["key", "prediction_id"], lambda t: _is_of(t, subject)
                )
                rows, files = rows + gone, files + bool(gone)
        return Removed(rows=rows, files=files)

    def sweep(self, model: str) -> None:
        """Remove what was replaced, once nobody can be listing it any more."""
        with self._folder.keeping(model):
            self._sweep(model, GRACE_SECONDS)

    def _sweep(self, model: str, seconds: float) -> None:
        """Remove what others left: replaced folders after a while, half files at once."""
        for left in self._folder.replaced(model).iterdir():
            if time.time() - left.stat().st_ctime >= seconds:
                shutil.rmtree(left)
        with self._folder.replacing(model):  # so nobody is writing a part
            for half in self._folder.incoming(model).iterdir():
                half.unlink()

    def _candidates(self, model: str, version: str) -> list[Candidate]:
        found, now = [], time.time()
        for file in self._folder.files(model, version):
            status = os.stat(file.path)
            found.append(Candidate(file, status.st_size, now - status.st_mtime))
        return found

    def _merge(self, model: str, version: str, files: Sequence[LogFile]) -> None:
        fresh = Path(tempfile.mkdtemp(dir=self._folder.replaced(model)))
        try:
            fresh.chmod(0o755)
            for path in merge(files, fresh):
                _sync(path)
            self._replace(model, version, {os.path.basename(file.path) for file in files}, fresh)
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise

    def _replace(self, model: str, version: str, merged: set[str], fresh: Path) -> None:
        folder = self._folder.version(model, version)
        with self._folder.replacing(model):
            for entry in os.scandir(folder):
                if entry.name not in merged:
                    os.link(entry.path, fresh / entry.name)
            sync_folder(fresh)
            exchange(fresh, folder)
            sync_folder(folder.parent)
        os.utime(fresh)  # what was replaced is there: from now on it is in nobody's way

    def _rewrite(self, model: str, file: LogFile, columns: Sequence[str], gone: Mask) -> int:
        """Write a file anew without some rows; gives how many."""
        with pq.ParquetFile(file.path) as old:
            if not set(columns) <= set(old.schema_arrow.names):
                return 0
            if not any(pc.any(gone(table)).as_py() for table in _groups(old, columns)):
                return 0
            fresh = self._folder.incoming(model) / f"{os.path.basename(file.path)}.rewritten"
            removed = 0
            with pq.ParquetWriter(fresh, old.schema_arrow, compression="zstd") as new:
                for table in _groups(old):
                    left = table.filter(pc.invert(gone(table)))
                    removed += table.num_rows - left.num_rows
                    new.write_table(left)
        _sync(fresh)
        fresh.replace(file.path)
        sync_folder(Path(file.path).parent)
        return removed


def _alike(files: Sequence[LogFile]) -> Sequence[LogFile]:
    """Give the most files that have the same columns; none when there are not two."""
    groups: defaultdict[str, list[LogFile]] = defaultdict(list)
    for file in files:
        groups[str(columns_of(file))].append(file)
    most = max(groups.values(), key=len, default=[])
    return most if len(most) > 1 else []


def _groups(parquet: pq.ParquetFile, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    for group in range(parquet.num_row_groups):
        yield parquet.read_row_group(group, columns=columns)


def _before(table: pa.Table, moment: pa.Scalar) -> pa.ChunkedArray:
    return pc.less(table["time"], moment)


def _is_of(table: pa.Table, subject: Subject) -> pa.ChunkedArray:
    """Mark the rows of a subject; a null is nobody's."""
    keys = pa.array(sorted(subject.keys), pa.string())
    ids = pa.array(sorted(subject.prediction_ids), pa.string())
    return pc.or_(
        pc.is_in(table["key"], value_set=keys), pc.is_in(table["prediction_id"], value_set=ids)
    )


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
