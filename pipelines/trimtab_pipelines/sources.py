"""Where rows come from: files, a database, or a function of the project."""

import importlib
import inspect
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import ModuleType

import fsspec
import pandas as pd
import sqlalchemy
from fsspec.core import url_to_fs
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

from trimtab.records.urls import without_userinfo
from trimtab.settings.project import ModelSettings

from .errors import SourceError

_SQL = "sql:"
_FUNCTION = re.compile(r"([A-Za-z_][\w.]*):([A-Za-z_]\w*)")


def read(model: ModelSettings, folder: Path, until: datetime) -> pd.DataFrame:
    """Read all rows of a model's source; relative paths are relative to the project's folder.

    Raises SourceError when nothing can be read.
    """
    source = model.source
    if source.startswith(_SQL):
        rows = _query(source, model.source_url or "", folder)
    elif match := _FUNCTION.fullmatch(source):
        rows = _call(source, match[1], match[2], folder, until)
    else:
        rows = _files(source, folder)
    if rows.empty:
        raise SourceError(source, "there are no rows in it.")
    return rows


def origin(model: ModelSettings, folder: Path) -> str:
    """Name the source for the dataset snapshot: a path or URL, without a password.

    A query's origin is the file that declares it.
    """
    source = model.source
    if source.startswith(_SQL):
        return str(folder / "trimtab.toml")
    if match := _FUNCTION.fullmatch(source):
        return str(folder / f"{match[1].replace('.', '/')}.py")
    return without_userinfo(_located(source, folder))


def _located(source: str, folder: Path) -> str:
    return source if "://" in source or "::" in source else str(folder / source)


def _files(source: str, folder: Path) -> pd.DataFrame:
    url = _located(source, folder)
    try:
        filesystem, pattern = url_to_fs(url)
        paths = sorted(str(path) for path in filesystem.glob(pattern))
        paths = [path for path in paths if filesystem.isfile(path)]
    except (ImportError, ValueError, OSError) as error:
        raise SourceError(source, f"it cannot be opened: {error}") from None
    if not paths:
        raise SourceError(source, f"no file matches {url}. For all of a folder: FOLDER/*.parquet")
    frames = [_file(source, filesystem, path) for path in paths]
    return frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)


def _file(source: str, filesystem: fsspec.AbstractFileSystem, path: str) -> pd.DataFrame:
    is_csv = re.search(r"\.csv(\.\w+)?$", path) is not None
    if not is_csv and not path.endswith(".parquet"):
        raise SourceError(source, f"{path} ends in neither .parquet nor .csv.")
    try:
        with filesystem.open(path, "rb", compression="infer" if is_csv else None) as file:
            return pd.read_csv(file, low_memory=False) if is_csv else pd.read_parquet(file)
    except pd.errors.EmptyDataError:
        raise SourceError(source, f"{path} is empty.") from None
    except (ValueError, OSError) as error:  # Arrow's and pandas' parse errors are ValueErrors
        raise SourceError(source, f"{path} cannot be read: {error}") from None


def _query(source: str, url: str, folder: Path) -> pd.DataFrame:
    try:
        engine = sqlalchemy.create_engine(_database(source, url, folder))
        with engine.connect() as connection:
            return pd.read_sql(sqlalchemy.text(source.removeprefix(_SQL)), connection)
    except (SQLAlchemyError, ImportError) as error:
        raise SourceError(source, f"the query failed: {error}") from None


def _database(source: str, url: str, folder: Path) -> URL:
    if url.startswith("env:"):
        name = url.removeprefix("env:")
        if name not in os.environ:
            raise SourceError(source, f"source_url = {url!r}, and {name} is not set.")
        url = os.environ[name]
    parsed = make_url(url)
    if not parsed.drivername.startswith("sqlite") or not parsed.database:
        return parsed
    path = folder / parsed.database
    if not path.is_file():  # SQLite would make an empty one
        raise SourceError(source, f"there is no database {path}.")
    return parsed.set(database=str(path))


def _call(source: str, module: str, name: str, folder: Path, until: datetime) -> pd.DataFrame:
    with _importable(folder):
        function = _function(source, module, name, folder)
        wants_until = "until" in inspect.signature(function).parameters
        try:
            rows = function(until=until) if wants_until else function()
        except Exception as error:  # the user's own code may raise anything
            where = f"{type(error).__name__}: {error}"
            raise SourceError(source, f"{name} raised {where}") from error
    if not isinstance(rows, pd.DataFrame):
        raise SourceError(source, f"{name} gave {type(rows).__name__}, not a pandas DataFrame.")
    return rows.reset_index(drop=True)


def _function(source: str, module: str, name: str, folder: Path) -> Callable[..., object]:
    try:
        found: object = getattr(_import(module, folder), name, None)
    except Exception as error:  # importing runs the user's own code
        where = f"{type(error).__name__}: {error}"
        raise SourceError(source, f"{module} cannot be imported from {folder}: {where}") from error
    if not callable(found):
        raise SourceError(source, f"{module} has no function {name!r}.")
    return found


def _import(module: str, folder: Path) -> ModuleType:
    """Import afresh: another project's module may bear the same name."""
    known = sys.modules.get(module)
    if known is not None and not str(getattr(known, "__file__", "")).startswith(str(folder)):
        del sys.modules[module]
    importlib.invalidate_caches()
    return importlib.import_module(module)


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
