"""The services' worker: one endpoint a model, kept running, up to date and captured.

Three threads share the work. This one starts and ends processes and waits for nothing else, so
that a spare takes over at once; another keeps the books: the database, the log, the disk; the
third takes labels, and may search the log for their predictions meanwhile.
"""

import logging
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

from trimtab.adapters.opening import open_clock, open_database, open_log
from trimtab.errors import TrimtabError
from trimtab.settings import Settings, load

from .chronicle import Standing
from .crew import Crew
from .nursery import Nursery
from .upkeep import Upkeep

logger = logging.getLogger(__name__)

TICK_SECONDS = 0.05
READ_SECONDS = 0.25
SHIP_SECONDS = 0.5
LABEL_SECONDS = 0.05
END_SECONDS = 8.0
"""Within this the endpoints have finished what was under way; the supervisor waits for ten."""


class Ending:
    """Whether somebody asked for the end."""

    def __init__(self) -> None:
        self.is_asked = False

    def ask(self, sig: int, frame: FrameType | None) -> None:
        """Called by a signal."""
        self.is_asked = True


def run(
    settings: Settings,
    models: Sequence[str],
    ending: Ending,
    told: Callable[[str, str], None] = lambda model, what: None,
) -> None:
    """Serve models until the end is asked for. Raises what keeps them from being served at all.

    `told` hears of every change: the model, and what is so now.
    """
    database, log, clock = open_database(settings), open_log(settings), open_clock(settings)
    nursery, upkeep = Nursery(), Upkeep(settings, models)
    try:
        crew = Crew(settings=settings, database=database, log=log, clock=clock, nursery=nursery)
        over = threading.Event()
        books = threading.Thread(target=_keep_books, args=(crew, over), name="books", daemon=True)
        labels = threading.Thread(
            target=_take_labels, args=(crew, over), name="labels", daemon=True
        )
        try:
            crew.gather(models)
            books.start()
            labels.start()
            _tend_all(crew, upkeep, ending, told)
        finally:
            deadline = time.monotonic() + END_SECONDS
            over.set()
            crew.end()
            for thread in (books, labels):
                if thread.ident is not None:
                    thread.join(max(0.0, deadline - time.monotonic()))
            crew.finish(deadline, is_alone=not books.is_alive())
    finally:
        upkeep.end()
        nursery.end()


def _keep_books(crew: Crew, over: threading.Event) -> None:
    next_time = 0.0
    while not over.wait(READ_SECONDS):
        crew.complete()
        if is_time := time.monotonic() >= next_time:
            next_time = time.monotonic() + SHIP_SECONDS
        for attendant in crew.attendants:
            attendant.keep_books(is_time)


def _take_labels(crew: Crew, over: threading.Event) -> None:
    while not over.wait(LABEL_SECONDS):
        for attendant in list(crew.attendants):
            attendant.take_labels()


def _tend_all(crew: Crew, upkeep: Upkeep, ending: Ending, told: Callable[[str, str], None]) -> None:
    said: dict[str, str] = {}
    while not ending.is_asked:
        crew.nursery.step()
        upkeep.step()
        for attendant in list(crew.attendants):
            attendant.tend()
            model, words = attendant.keeper.model, _words(attendant.keeper.standing)
            if words != said.get(model):
                said[model] = words
                told(model, words)
        _rest(crew.filenos())


def _rest(filenos: Sequence[int]) -> None:
    """Wait a moment, or until a process has something to say."""
    poll = select.poll()
    for fd in filenos:
        poll.register(fd, select.POLLIN)
    poll.poll(TICK_SECONDS * 1000)


def _words(standing: Standing) -> str:
    if standing.version is None:
        return standing.note or "starting"
    words = f"version {standing.version} answers on {standing.device}"
    return f"{words}; {standing.note}" if standing.note else words


def main() -> None:
    """Serve every model of a project."""
    form = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(level=logging.INFO, format=form)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    ending = Ending()
    for sig in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sig, ending.ask)
    try:
        settings = load(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
        run(settings, list(settings.project.models), ending, _log_change)
    except TrimtabError as error:
        logger.error("%s", error)
        sys.exit(error.exit_code)


def _log_change(model: str, what: str) -> None:
    logger.info("%s: %s", model, what)


if __name__ == "__main__":
    main()
