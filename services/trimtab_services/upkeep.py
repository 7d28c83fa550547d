"""Upkeep of what was recorded, in a process of its own: `python -m trimtab_services.upkeep`.

Subjects are erased, old rows expire, small files are merged. The services' worker starts it every
few minutes, and at once when something is to be erased; killed, it leaves nothing half done.
"""

import logging
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path

from trimtab.adapters.log_upkeep import GRACE_SECONDS
from trimtab.adapters.opening import open_clock, open_database, open_upkeep
from trimtab.ports import Clock, Database, LogUpkeep
from trimtab.records.durations import format_duration
from trimtab.records.ledger import LedgerEntry
from trimtab.settings import Settings, load
from trimtab.supervisor import CHILD_ENVIRONMENT

from .erasing import Eraser, asked
from .inheritance import begin_child
from .pruning import prune

logger = logging.getLogger(__name__)

EVERY_SECONDS = 300.0
_FIRST_SECONDS = 60.0
_GLANCE_SECONDS = 1.0
_RETRY_SECONDS = 30.0  # an erasure that cannot be done must not keep a core busy
_MERGE_SECONDS = 60.0
_ERASE_SECONDS = 30.0
_NICE = 10


class Upkeep:
    """The process, as the services' worker sees it."""

    def __init__(
        self, settings: Settings, models: Sequence[str], first_seconds: float = _FIRST_SECONDS
    ) -> None:
        self._settings = settings
        self._models = models
        self._process: subprocess.Popen[bytes] | None = None
        self._next = time.monotonic() + first_seconds
        self._next_glance = 0.0

    def step(self) -> None:
        """Start the process when it is time; never waits."""
        now = time.monotonic()
        if self._process is not None:
            if self._process.poll() is None:
                return
            self._process = None
            self._next_glance = now + (_RETRY_SECONDS if self._is_asked(now) else _GLANCE_SECONDS)
        if now >= self._next or (now >= self._next_glance and self._is_asked(now)):
            self._next = now + EVERY_SECONDS
            try:
                self._process = self._start()
            except OSError as error:  # no memory for a process just now: endpoints go first
                logger.warning("upkeep was not started: %s", error)

    def end(self) -> None:
        """Stop it; whatever it was at is found again."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _is_asked(self, now: float) -> bool:
        self._next_glance = now + _GLANCE_SECONDS
        return any(asked(self._settings, model) for model in self._models)

    def _start(self) -> "subprocess.Popen[bytes]":
        home = str(self._settings.home.root)
        return subprocess.Popen(
            [sys.executable, "-m", __name__, str(self._settings.folder), *self._models],
            stdin=subprocess.DEVNULL,
            env={**os.environ, **CHILD_ENVIRONMENT, "TRIMTAB_HOME": home},
            preexec_fn=partial(begin_child, os.getpid()),
        )


def keep_up(
    settings: Settings, model: str, database: Database, upkeep: LogUpkeep, clock: Clock
) -> None:
    """Do for one model what there is to do; a bounded piece of work."""
    eraser = Eraser(settings=settings, database=database, upkeep=upkeep, clock=clock)
    deadline = time.monotonic() + _ERASE_SECONDS
    waiting = list(asked(settings, model))
    while waiting := [path for path in waiting if not eraser.erase(path)]:
        if time.monotonic() > deadline:
            logger.warning("%s: %d erasures wait for the spool", model, len(waiting))
            break
        time.sleep(_GLANCE_SECONDS)
    expire(settings, model, database, upkeep, clock)
    _merge(model, upkeep)
    prune(settings, model, database, clock)


def _merge(model: str, upkeep: LogUpkeep) -> None:
    deadline = time.monotonic() + _MERGE_SECONDS
    try:
        while upkeep.compact(model) and time.monotonic() < deadline:
            pass
    except OSError as error:  # NFS cannot exchange folders, and a full disk takes no new file
        logger.warning("the log of %s keeps its small files: %s", model, error)


def expire(
    settings: Settings, model: str, database: Database, upkeep: LogUpkeep, clock: Clock
) -> None:
    """Remove the rows that are older than the settings keep, by whole days, and say so."""
    retention: timedelta | None = settings.model(model).capture.retention
    if retention is None:
        return
    now = clock.now()
    before = (now - retention).replace(hour=0, minute=0, second=0, microsecond=0)
    removed = upkeep.expire(model, before)
    with database.transaction() as stores:
        stores.sums.forget(model, before)
    if removed.rows == 0:
        return
    entry = LedgerEntry(
        at=now,
        actor="services",
        event="rows expired",
        model=model,
        subject=f"rows before {before:%F}",
        reasons=(
            f"{removed.rows} rows in {removed.files} files of the inference log",
            f"capture.retention is {format_duration(retention)}",
        ),
    )
    with database.transaction() as stores:
        stores.ledger.append(entry)


def main() -> None:
    """Keep up the models that are named after the project's folder."""
    form = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(level=logging.INFO, format=form)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    with suppress(OSError):
        os.nice(_NICE)
    folder, *models = sys.argv[1:]
    settings = load(Path(folder))
    database, upkeep, clock = open_database(settings), open_upkeep(settings), open_clock(settings)
    for model in models:
        try:
            keep_up(settings, model, database, upkeep, clock)
        except Exception:  # one model's trouble is not another's
            logger.exception("the records of %s were not kept up; it is tried again", model)
    time.sleep(GRACE_SECONDS)
    for model in models:
        upkeep.sweep(model)


if __name__ == "__main__":
    main()
