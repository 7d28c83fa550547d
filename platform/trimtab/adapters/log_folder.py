"""The folder of the inference log: what lies where, and who may change it when.

Beside the models' folders there is `.trimtab`, for whatever is in the making. Nothing unfinished
ever lies in a model's folder: DuckDB and Polars read hidden files and folders like any other.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from .durable_files import make_folder

SUFFIX = ".parquet"
_VERSION = "version="
_MERGED = "merged-"


@dataclass(frozen=True, slots=True)
class LogFile:
    """One file of the log: a part as it was appended, or several that were merged."""

    path: str
    name: str
    """What was appended is called as its writer called it."""
    first: int
    """Earliest event time, microseconds since 1970."""
    last: int
    """Latest; before `first` where there is no row."""

    @classmethod
    def of(cls, path: str) -> "LogFile":
        """Read name and times from the name of a file. Raises ValueError when it is none."""
        stem = os.path.basename(path).removesuffix(SUFFIX)
        name, _, times = stem.rpartition(".")
        first, _, last = times.partition("_")
        return cls(path, name, int(first), int(last))

    @property
    def is_merged(self) -> bool:
        """Tell whether it was made of other files; then it knows itself of which."""
        return self.name.startswith(_MERGED)


def file_name(name: str, first: int, last: int) -> str:
    """Give the name of a file with rows of these times."""
    return f"{name}.{first}_{last}{SUFFIX}"


def merged_name(token: str) -> str:
    """Name a merged file."""
    return f"{_MERGED}{token}"


@dataclass(frozen=True, slots=True)
class LogFolder:
    """Where the files of each model and version lie."""

    root: Path

    def model(self, model: str) -> Path:
        """Give the folder that readers open."""
        return self.root / model

    def version(self, model: str, version: str) -> Path:
        """Give the folder of one version, named as readers of Parquet expect it."""
        return self.root / model / f"{_VERSION}{quote(version, safe='')}"

    def versions(self, model: str) -> list[str]:
        """List the versions that have rows."""
        try:
            names = os.listdir(self.root / model)
        except FileNotFoundError:
            return []
        return [unquote(n.removeprefix(_VERSION)) for n in names if n.startswith(_VERSION)]

    def files(self, model: str, version: str) -> Iterator[LogFile]:
        """List the files of a version."""
        try:
            entries = os.scandir(self.version(model, version))
        except FileNotFoundError:
            return
        with entries:
            for entry in entries:
                if entry.name.endswith(SUFFIX):
                    yield LogFile.of(entry.path)

    def all_files(self, model: str) -> list[LogFile]:
        """List the files of all versions."""
        return [file for version in self.versions(model) for file in self.files(model, version)]

    def incoming(self, model: str) -> Path:
        """Where files are written before they get their name in the log."""
        return self._workplace(model, "incoming")

    def replaced(self, model: str) -> Path:
        """Where folders lie that will replace, or were replaced."""
        return self._workplace(model, "replaced")

    @contextmanager
    def adding(self, model: str) -> Iterator[None]:
        """Add files, while others may do so too; the folders stay what they are."""
        with self._locked(model, "folders", fcntl.LOCK_SH):
            yield

    @contextmanager
    def replacing(self, model: str) -> Iterator[None]:
        """Replace folders; for that moment nobody adds."""
        with self._locked(model, "folders", fcntl.LOCK_EX):
            yield

    @contextmanager
    def keeping(self, model: str) -> Iterator[None]:
        """Rewrite or remove files; one process at a time does."""
        with self._locked(model, "upkeep", fcntl.LOCK_EX):
            yield

    @contextmanager
    def _locked(self, model: str, what: str, how: int) -> Iterator[None]:
        path = self.root / ".trimtab" / f"{model}.{what}.lock"
        try:
            lock = path.open("ab")
        except FileNotFoundError:
            make_folder(path.parent)
            lock = path.open("ab")
        with lock:
            fcntl.flock(lock, how)
            yield

    def _workplace(self, model: str, name: str) -> Path:
        folder = self.root / ".trimtab" / model / name
        make_folder(folder)
        return folder
