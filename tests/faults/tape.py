"""The boundaries of a course: each commit that wrote, each call that changes something in MLflow.

A tape notes them in their order, and kills its process right before or right after one of them.
Nothing of ours knows of it: it wraps the one door to the database and the one to the server.
"""

import os
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from sqlalchemy import event
from sqlalchemy.engine import Engine

from trimtab.adapters.sql import SqlDatabase
from trimtab.adapters.sql.database import SqlStores

_WRITE = re.compile(r"\s*(?:INSERT INTO|UPDATE|DELETE FROM)\s+(\w+)", re.IGNORECASE)
READS = ("/search", "/get", "/get-latest-versions")
_IDS = re.compile(r"(?:m-)?[0-9a-f]{32}")


class Tape:
    """Notes boundaries in a file, and dies at one of them, once."""

    def __init__(
        self, path: Path, kill: str | None, side: str, fired: Path, also: int | None = None
    ) -> None:
        """Take the name of the boundary to die at, as the tape writes it; None only notes.

        `also` is another process that dies with this one.
        """
        self._path = path
        self._kill = kill
        self._side = side
        self._fired = fired
        self._also = also
        self._lock = threading.Lock()
        self._seen: dict[str, int] = {}

    def enter(self, what: str) -> str:
        """Note a boundary that is about to be crossed; gives its name."""
        with self._lock:
            number = self._seen[what] = self._seen.get(what, 0) + 1
            name = f"{what} #{number}"
            with self._path.open("a") as notes:
                notes.write(f"{name}\n")
        self._die(name, "before")
        return name

    def leave(self, name: str) -> None:
        """Note that it was crossed."""
        self._die(name, "after")

    def _die(self, name: str, side: str) -> None:
        if (name, side) != (self._kill, self._side):
            return
        try:
            os.close(os.open(self._fired, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return  # who goes on with the dead one's work lives
        if self._also is not None:
            os.kill(self._also, signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)


def record(tape: Tape) -> None:
    """Let a tape see every boundary that this process crosses from now on."""
    _watch_commits(tape)
    _watch_calls(tape)


def _watch_commits(tape: Tape) -> None:
    mine = threading.local()
    original = SqlDatabase.transaction

    @event.listens_for(Engine, "before_cursor_execute")
    def note(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if match := _WRITE.match(statement):
            mine.__dict__.setdefault("tables", []).append(match[1])

    @contextmanager
    def transaction(self: SqlDatabase) -> Iterator[SqlStores]:
        mine.tables, name = [], None
        with original(self) as stores:
            yield stores
            if mine.tables:
                name = tape.enter(f"commit {'+'.join(dict.fromkeys(mine.tables))}")
        if name is not None:
            tape.leave(name)

    SqlDatabase.transaction = transaction  # type: ignore[method-assign]


def _watch_calls(tape: Tape) -> None:
    original = requests.Session.send

    def send(self: Any, request: Any, **options: Any) -> Any:
        path = urlsplit(request.url).path
        if request.method == "GET" or path.endswith(READS):
            return original(self, request, **options)
        name = tape.enter(f"{request.method} {shape(path)}")
        answer = original(self, request, **options)
        tape.leave(name)
        return answer

    requests.Session.send = send  # type: ignore[method-assign]


def shape(path: str) -> str:
    """Leave out of an address what is another one each time."""
    if "/mlflow-artifacts/" in path:
        return f"artifact {path.rpartition('/')[2]}"
    return _IDS.sub("ID", path.removeprefix("/api/2.0/mlflow"))
