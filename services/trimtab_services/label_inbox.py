"""The inbox: labels on their way from an endpoint's process to the database, a file a request.

The endpoint has no database. It writes what it was told, waits for the disk and only then says
that it has it; the worker takes the files in their order and may answer with what became of them.
"""

import logging
import os
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from trimtab.adapters.durable_files import make_folder, write_durably
from trimtab.records.documents import from_json, to_json
from trimtab.records.erasures import Subject
from trimtab.records.labels import Delivered, Label

logger = logging.getLogger(__name__)

_SUFFIX = ".json"
_ANSWERS, _ASIDE = "answers", "unreadable"
_ATTENDED = "attended"
"""A file that the worker touches while it takes labels."""
_FRESH_SECONDS = 3.0
_LEFT_SECONDS = 60.0
"""Half a file of a killed process, and an answer that nobody fetched, are removed after this."""
MOST_WAITING = 10_000
"""Files; so many requests are kept while the database is away."""
_COUNT_SECONDS = 1.0


class InboxFullError(Exception):
    """Nobody has taken labels for so long that no more can be kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldLabels:
    """What one request told; a file."""

    labels: tuple[Label, ...]
    by: str
    at: datetime
    """By the clock of the loop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What became of one request's labels."""

    delivered: Delivered
    unknown: tuple[int, ...]
    """Positions of the labels that no prediction was found for."""


class Inbox:
    """A folder that endpoint and worker share."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._count = 0
        self._count_at = 0.0

    def put(self, request_id: str, told: ToldLabels) -> str:
        """Keep what was told, whatever dies from now on; gives the file's name.

        Raises InboxFullError and OSError: then it is not kept, or not for sure.
        """
        self._require_room()
        name = f"{time.time_ns():020d}-{request_id}{_SUFFIX}"
        make_folder(self.folder)
        write_durably(self.folder / name, to_json(told))
        self._count += 1
        return name

    def waiting(self, most: int) -> list[str]:
        """Name the files, oldest first."""
        return sorted(self._names())[:most]

    def read(self, name: str) -> ToldLabels | None:
        """Read a file; one that cannot be read is set aside for a person to look at."""
        path = self.folder / name
        try:
            return from_json(ToldLabels, path.read_bytes())
        except ValidationError:
            logger.error("labels cannot be read, and were set aside: %s", self.set_aside(name))
            return None

    def set_aside(self, name: str) -> Path:
        """Keep a file for a person to look at."""
        make_folder(self.folder / _ASIDE)
        return (self.folder / name).replace(self.folder / _ASIDE / name)

    def remove(self, names: Iterable[str]) -> None:
        """Be done with files."""
        for name in names:
            (self.folder / name).unlink(missing_ok=True)

    def holds(self, subject: Subject) -> bool:
        """Tell whether labels of a subject are on their way."""
        names = subject.keys | subject.prediction_ids
        for name in self._names():
            with suppress(FileNotFoundError, ValidationError):  # taken just now; or never will be
                told = from_json(ToldLabels, (self.folder / name).read_bytes())
                if any(label.key in names for label in told.labels):
                    return True
        return False

    def attend(self) -> None:
        """Say that somebody takes the files; to be said again every second."""
        make_folder(self.folder)
        path = self.folder / _ATTENDED
        path.touch()
        os.utime(path)

    def is_attended(self) -> bool:
        """Tell whether somebody takes the files just now."""
        try:
            age = time.time() - (self.folder / _ATTENDED).stat().st_mtime
        except OSError:
            return False
        return age < _FRESH_SECONDS

    def answer(self, name: str, receipt: Receipt) -> None:
        """Let the endpoint know what became of a file; it may have stopped waiting."""
        make_folder(self.folder / _ANSWERS)
        fresh = self.folder / _ANSWERS / f".{name}"
        fresh.write_bytes(to_json(receipt))
        fresh.replace(self.folder / _ANSWERS / name)

    def fetch(self, name: str) -> Receipt | None:
        """Take the answer, once there is one."""
        path = self.folder / _ANSWERS / name
        try:
            receipt = from_json(Receipt, path.read_bytes())
        except FileNotFoundError:
            return None
        path.unlink(missing_ok=True)
        return receipt

    def sweep(self) -> None:
        """Remove what killed processes left, and answers that nobody fetched."""
        hidden = [path for path in self.folder.glob(".*") if path.is_file()]
        for path in [*hidden, *(self.folder / _ANSWERS).glob("*")]:
            with suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > _LEFT_SECONDS:
                    path.unlink()

    def _names(self) -> Sequence[str]:
        try:
            names = os.listdir(self.folder)
        except FileNotFoundError:
            return []
        return [name for name in names if name.endswith(_SUFFIX) and not name.startswith(".")]

    def _require_room(self) -> None:
        now = time.monotonic()
        if now - self._count_at > _COUNT_SECONDS:
            self._count, self._count_at = len(self._names()), now
        if self._count >= MOST_WAITING:
            raise InboxFullError(
                f"{self._count} requests with labels wait for the database; send these again later."
            )


def age_of(name: str) -> float:
    """Tell how many seconds ago a file was put, by the system's clock."""
    return time.time() - int(name[:20]) / 1e9
