"""Labels as they lie in files and databases, row by row, however many there are."""

import csv
import gzip
import io
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trimtab.errors import SettingsError
from trimtab.records.urls import without_userinfo

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

    from trimtab.settings.project import ModelSettings

Row = tuple[int, Mapping[str, object] | str]
"""The number of a line or a row, and its columns, or why it has none."""
_NOTHING = frozenset({"", "NaN", "nan", "NA", "N/A", "null", "NULL"})
"""How files of text write that there is no value."""
_BATCH = 10_000
_STDIN = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Which column is what."""

    id: str | None
    key: str | None
    value: str
    time: str | None

    @classmethod
    def choose(
        cls, there: Sequence[str], model: "ModelSettings", asked: Mapping[str, str | None]
    ) -> "Columns":
        """Choose among the columns that are there; `asked` are those that a person named.

        Raises SettingsError.
        """
        for name in filter(None, asked.values()):
            _require(name, there)
        id = "prediction_id" if "prediction_id" in there else None
        key = asked["key"] or _first(there, model.key, "key")
        if id is None and key is None:
            _require(model.key or "key", there)
        value = asked["value"] or _first(there, model.target, "value")
        if value is None:
            _require(model.target or "value", there)
        time = asked["time"] or _first(there, model.label_time, "known_at")
        return cls(id=id, key=key, value=value or "", time=time)

    def label(self, row: Mapping[str, object]) -> dict[str, object] | None:
        """Give a row as a label; None where nothing is known of it yet."""
        value = _plain(row.get(self.value))
        if value is None:
            return None
        given = {"value": value}
        id = _name(row.get(self.id)) if self.id else None
        key = _name(row.get(self.key)) if self.key else None
        if id:
            given["prediction_id"] = id
        elif key:
            given["key"] = key
        if self.time and (time := _plain(row.get(self.time))) is not None:
            given["known_at"] = time if isinstance(time, date) else str(time)
        return given


def rows_of_file(file: str, form: str | None) -> Iterator[Row]:
    """Read a file, or the standard input (`-`); raises SettingsError where it cannot be read."""
    form = form or _form_of(file)
    if file != _STDIN and not Path(file).is_file():
        raise SettingsError(f"{file} is no file")
    try:
        if form == "parquet":
            yield from _parquet(file)
            return
        with _opened(file) as lines:
            yield from (_csv(lines) if form == "csv" else _jsonl(lines))
    except (csv.Error, ValueError, OSError, EOFError) as error:  # Arrow's are ValueErrors
        raise SettingsError(f"{file} cannot be read: {error}") from None


def rows_of_query(url: str, query: str) -> Iterator[Row]:
    """Read what a query gives; raises SettingsError, which shows no password."""
    import sqlalchemy
    from sqlalchemy.exc import SQLAlchemyError

    parsed = _database(url)
    try:
        engine = sqlalchemy.create_engine(parsed)
        with engine.connect().execution_options(yield_per=_BATCH) as connection:
            found = connection.execute(sqlalchemy.text(query))
            for number, row in enumerate(found.mappings(), 1):
                yield number, dict(row)
    except (SQLAlchemyError, ImportError) as error:
        why = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
        raise SettingsError(f"the query failed: {_without_password(why, parsed)}") from None


def shown(url: str) -> str:
    """Name a database without user, password and options."""
    parsed = _database(url)
    return without_userinfo(parsed.set(query={}).render_as_string(hide_password=True))


def _database(url: str) -> "URL":
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    if url.startswith("env:"):
        name = url.removeprefix("env:")
        if name not in os.environ:
            raise SettingsError(f"--sql {url}: {name} is not set")
        url = os.environ[name]
    try:
        parsed = make_url(url)
    except ArgumentError:  # its message would show the password
        raise SettingsError(
            "--sql is no URL of a database; postgresql://user@host/name is"
        ) from None
    if parsed.drivername in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    is_file = parsed.get_backend_name() == "sqlite" and parsed.database
    if is_file and not Path(str(parsed.database)).is_file():  # SQLite would make an empty one
        raise SettingsError(f"there is no database {parsed.database}")
    return parsed


def _without_password(text: str, url: "URL") -> str:
    password = str(url.password) if url.password else None
    return text.replace(password, "***") if password else text


def _form_of(file: str) -> str:
    name = file.removesuffix(".gz").lower()
    if name.endswith((".jsonl", ".ndjson")):
        return "jsonl"
    return "parquet" if name.endswith(".parquet") else "csv"


@contextmanager
def _opened(file: str) -> Iterator[io.TextIOBase]:
    if file == _STDIN:
        yield io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8-sig", newline="")
        return
    raw: Any = gzip.open(file, "rb") if file.endswith(".gz") else open(file, "rb")  # noqa: SIM115
    with raw:
        yield io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")


def _csv(lines: Iterable[str]) -> Iterator[Row]:
    reader = csv.reader(lines, strict=True)
    header = next(reader, [])
    for cells in reader:
        if not cells:
            continue  # an empty line
        if len(cells) != len(header):
            yield reader.line_num, f"it has {len(cells)} columns and should have {len(header)}"
        else:
            yield reader.line_num, dict(zip(header, cells, strict=True))


def _jsonl(lines: Iterable[str]) -> Iterator[Row]:
    import orjson

    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            yield number, f"it is no JSON: {error.msg}"
        else:
            yield number, row if isinstance(row, dict) else "it is no JSON object"


def _parquet(file: str) -> Iterator[Row]:
    import pyarrow.parquet as pq

    number = 0
    source: Any = io.BytesIO(sys.stdin.buffer.read()) if file == _STDIN else file
    with pq.ParquetFile(source) as table:
        for batch in table.iter_batches(_BATCH):
            for row in batch.to_pylist():
                number += 1
                yield number, row


def _plain(value: Any) -> Any:
    """Give a value; None for every way of writing that there is none."""
    if isinstance(value, str):
        return None if value.strip() in _NOTHING else value
    return None if value is None or value != value else value  # NaN, NaT


def _name(value: Any) -> str | None:
    """Write a key as callers do: Parquet keeps whole numbers as floats where one is missing."""
    if value is None or value != value:
        return None
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _first(there: Sequence[str], *wanted: str | None) -> str | None:
    return next((name for name in wanted if name in there), None)


def _require(name: str, there: Sequence[str]) -> None:
    if name not in there:
        known = ", ".join(map(str, there))
        raise SettingsError(f"there is no column {name!r} (there are: {known})")
