"""Single rows in the log's files: by prediction id or by key, without reading all the rest."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from trimtab.records.ids import asked_at
from trimtab.records.slices import FIRST_ERROR

from .log_folder import LogFile
from .log_scanning import Part, micros

_ID = "prediction_id"


def nearest_first(files: Iterable[LogFile], prediction_id: str) -> Sequence[LogFile]:
    """Order files by how near they lie to the moment that an id tells, then the newest first.

    It is a guess about where to look first and no more: events may bear other times than the
    requests that told of them.
    """
    asked = asked_at(prediction_id)
    newest_first = sorted(files, key=lambda file: file.last, reverse=True)
    if asked is None:
        return newest_first
    at = micros(asked)
    return sorted(newest_first, key=lambda file: max(file.first - at, at - file.last, 0))


def row_of(path: str, prediction_id: str) -> pa.Table | None:
    """Read the row with an id; None where the file has none.

    Groups of rows whose ids all lie before or behind it are passed over, and of the others only
    the ids are read.
    """
    wanted = pa.scalar(prediction_id, pa.string())
    with pq.ParquetFile(path) as file:
        for group in _groups(file, prediction_id):
            ids = file.read_row_group(group, columns=[_ID], use_threads=False)[_ID]
            at = pc.index(ids, wanted).as_py()
            if at >= 0:
                return file.read_row_group(group).slice(at, 1)
    return None


def _groups(file: pq.ParquetFile, prediction_id: str) -> Iterator[int]:
    about = file.metadata
    names = [about.schema.column(i).path for i in range(about.num_columns)]
    column = names.index(_ID)
    for group in range(about.num_row_groups):
        known = about.row_group(group).column(column).statistics
        is_told = known is not None and known.has_min_max
        if not is_told or known.min <= prediction_id <= known.max:
            yield group


def answered_rows(
    paths: Sequence[str], start: datetime, end: datetime, keys: Collection[str] | None
) -> pa.Table | None:
    """Read the answered rows of a slice, perhaps of some keys alone, in their order in time.

    Where keys are given, files without any of them cost a look at one column.
    """
    wanted = None if keys is None else pa.array(sorted(keys), pa.string())
    found = []
    for path in paths:
        part = Part(paths=[path], start=start, end=end)
        if wanted is not None and not any(_has(t, wanted) for t in part.tables(["time", "key"])):
            continue
        for table in part.tables(None):
            is_wanted = pc.less(table["status"], FIRST_ERROR)
            if wanted is not None:
                is_wanted = pc.and_(is_wanted, pc.is_in(table["key"], value_set=wanted))
            found.append(table.filter(is_wanted))
    return pa.concat_tables(found).sort_by("time") if found else None


def _has(table: pa.Table, keys: pa.Array) -> bool:
    found: bool = pc.any(pc.is_in(table["key"], value_set=keys)).as_py()
    return found
