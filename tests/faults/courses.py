"""Forks the victims: each runs one course to its end, or is killed on its way by its tape.

Reads one order a line, as JSON, and answers each with how the course's process ended. Forking
costs a millisecond, importing the frameworks ten seconds. Run as `python -m tests.faults.courses`.
"""

import json
import logging
import multiprocessing
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import trimtab_pipelines.pursuing  # noqa: F401 (so that no course has to import it)
import trimtab_pipelines.worker as worker_module
from trimtab.adapters.lifetime import end_with_parent
from trimtab.adapters.opening import open_clock, open_database, open_registry
from trimtab.records.requests import RetrainRequest
from trimtab.settings import load
from trimtab_pipelines.aliases import AliasKeeper
from trimtab_pipelines.bench import open_bench
from trimtab_pipelines.by_hand import promote_by_hand, roll_back
from trimtab_pipelines.events import Event
from trimtab_pipelines.jobs import Jobs, run_job

from .tape import Tape, record

SECONDS = 240.0
"""Until a course that does not settle has failed."""
Order = dict[str, Any]


class ForkedJobs(Jobs):
    """Jobs that are forked off this process, which has imported everything."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._context: Any = multiprocessing.get_context("fork")

    @property
    def is_ready(self) -> bool:
        """Tell that it is."""
        return True

    def start(self, folder: Path, request: RetrainRequest, holder: str) -> Any:
        process = self._context.Process(target=pursue, args=(self._order, folder, request, holder))
        process.start()
        return process


def pursue(order: Order, folder: Path, request: RetrainRequest, holder: str) -> None:
    """Be a job."""
    if order["who"] == "job":
        record(tape_of(order))
    if order["who"] == "both":
        record(tape_of(order, also=os.getppid()))
    run_job(folder, request, holder)


def tape_of(order: Order, also: int | None = None) -> Tape:
    home = Path(order["folder"])
    return Tape(home / "tape", order["kill"], order["side"], home / "fired", also)


def work(order: Order) -> None:
    """Be a worker until nothing is left to do."""
    folder = Path(order["folder"])
    worker_module._LOOK_AT_ALIASES = 0.2  # of its three seconds nothing depends here
    setattr(worker_module, "Jobs", lambda: ForkedJobs(order))  # noqa: B010 (mypy would mind)
    if order["who"] == "worker":
        record(tape_of(order))
    worker = worker_module.open_worker(load(folder))
    deadline = time.monotonic() + SECONDS
    while not is_settled(worker):
        if time.monotonic() > deadline:
            raise TimeoutError("the course does not settle")
        worker.step()
        time.sleep(0.01)
    worker.drop()


def is_settled(worker: worker_module.Worker) -> bool:
    """Tell whether every request has ended and every alias has followed."""
    if worker.job is not None or worker._sweep_is_due:
        return False
    if set(worker.challengers._seen) != set(worker.models):
        return False  # it has not looked at MLflow since the request was over
    for model in worker.models:
        with worker.database.transaction() as stores:
            newest = next(iter(stores.requests.recent(model, limit=1)), None)
            champion = stores.promotions.current(model)
            events = [e for e in stores.ledger.entries(model) if e.event == Event.ALIAS_MOVED]
        if newest is None or newest.state.is_open:
            return False
        wanted = champion and f"it follows promotion {champion.epoch}"
        if wanted and not any(wanted in event.reasons for event in events):
            return False
    return True


def by_hand(order: Order) -> None:
    """Be a person at the command line."""
    record(tape_of(order))
    bench = open_bench(load(Path(order["folder"])))
    if order["course"] == "promote":
        promote_by_hand(bench, order["model"], order["version"], actor="ann", override="a test")
    else:
        roll_back(bench, order["model"], actor="ann", why="a test")


def follow(order: Order) -> None:
    """Be the worker's look at the alias."""
    record(tape_of(order))
    settings = load(Path(order["folder"]))
    keeper = AliasKeeper(open_registry(settings), open_database(settings), open_clock(settings))
    keeper.keep(order["model"])


COURSES: dict[str, Callable[[Order], None]] = {
    "work": work,
    "promote": by_hand,
    "rollback": by_hand,
    "follow": follow,
}


def main() -> None:
    """Fork on request, and wait for the end."""
    logging.basicConfig(level=logging.WARNING)
    for line in sys.stdin:
        order: Order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            code = 0
            end_with_parent(os.getppid(), signal.SIGKILL)
            try:
                COURSES[order["course"]](order)
            except BaseException:
                traceback.print_exc()
                code = 1
            sys.stderr.flush()
            os._exit(code)
        _, status = os.waitpid(pid, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    main()
