"""The processes of jobs: forked off a server that has imported the frameworks already."""

import logging
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Sequence
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from trimtab.adapters.lifetime import end_with_parent
from trimtab.errors import LeaseLostError, RegistryUnreachableError, TrimtabError
from trimtab.records.requests import RequestState, RetrainRequest
from trimtab.settings import load

from .logs import log_to_stderr

log = logging.getLogger(__name__)

LATER = 75
"""How a job exits that could not be done now: its request stays open and is claimed again."""
_PRELOADED = [
    "trimtab_pipelines.adopting",
    "trimtab_pipelines.pursuing",
    "trimtab_pipelines.trials",
]


class Jobs:
    """Starts the processes of jobs, once the server that forks them has its imports done."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(_PRELOADED)
        # Starting a process waits for the server; until it is ready that takes many seconds.
        self._warming = threading.Thread(target=self._warm_up, name="imports", daemon=True)
        self._warming.start()

    @property
    def is_ready(self) -> bool:
        """Tell whether a job starts at once."""
        return not self._warming.is_alive()

    def start(self, folder: Path, request: RetrainRequest, holder: str) -> ForkServerProcess:
        """Start the process that pursues a request."""
        process = self._context.Process(target=run_job, args=(folder, request, holder), daemon=True)
        process.start()
        return process

    def start_sweep(self, folder: Path) -> ForkServerProcess:
        """Start the process that ends the MLflow runs whose training is dead."""
        process = self._context.Process(target=run_sweep, args=(folder,), daemon=True)
        process.start()
        return process

    def start_trials(self, folder: Path) -> ForkServerProcess:
        """Start the process that brings the comparisons of running trials up to date."""
        process = self._context.Process(target=run_trials, args=(folder,), daemon=True)
        process.start()
        return process

    def start_adoption(self, folder: Path, model: str, version: str) -> ForkServerProcess:
        """Start the process that checks a version whose alias was set by hand."""
        args = (folder, model, version)
        process = self._context.Process(target=run_adoption, args=args, daemon=True)
        process.start()
        return process

    def start_counts(self, folder: Path, models: Sequence[str]) -> ForkServerProcess:
        """Start the process that counts the rows that champions have not seen."""
        process = self._context.Process(target=run_counts, args=(folder, models), daemon=True)
        process.start()
        return process

    def _warm_up(self) -> None:
        first = self._context.Process(target=_set_up, daemon=True)
        first.start()
        first.join()


def run_job(folder: Path, request: RetrainRequest, holder: str) -> None:
    """Pursue a request; the body of a job's process."""
    _set_up()
    from .bench import open_bench  # in the server already: costs nothing here, and the worker
    from .pursuing import Pursuit  # itself stays free of frameworks

    try:
        Pursuit(bench=open_bench(load(folder)), request=request, holder=holder).run()
    except LeaseLostError as error:
        log.warning("%s", error)
    except RegistryUnreachableError as error:
        log.warning("%s The request is taken up again later.", error)
        sys.exit(LATER)


def run_sweep(folder: Path) -> None:
    """End the stale runs of every model, but those of a request that somebody works on."""
    _set_up()
    from trimtab.adapters.opening import open_database

    from .tracking import end_stale_runs

    settings = load(folder)
    database = open_database(settings)
    for model in settings.project.models:
        with database.transaction() as stores:
            newest = next(iter(stores.requests.recent(model, limit=1)), None)
        if newest is None:
            continue  # nothing was ever trained
        is_alive = newest.state is RequestState.RUNNING
        try:
            end_stale_runs(settings, model, newest.id if is_alive else None)
        except RegistryUnreachableError as error:
            log.warning("%s", error)
            sys.exit(LATER)


def run_trials(folder: Path) -> None:
    """Compare what came of every running trial; one that cannot go on is ended, with the reason."""
    _set_up()
    from trimtab.adapters.opening import open_log

    from .bench import open_bench
    from .trials import compare_now, give_up

    settings = load(folder)
    bench, inference_log = open_bench(settings), open_log(settings)
    for model in settings.project.models:
        with bench.database.transaction() as stores:
            trial = stores.trials.running(model)
        if trial is None:
            continue
        try:
            compare_now(bench, inference_log, trial)
        except RegistryUnreachableError as error:
            log.warning("%s The comparison goes on later.", error)
        except TrimtabError as error:
            log.warning("the trial of %s ends: %s", model, error)
            give_up(bench, trial, str(error))


def run_adoption(folder: Path, model: str, version: str) -> None:
    """Check a version whose alias was set by hand; adopt it, or put the alias back."""
    _set_up()
    from .adopting import adopt
    from .bench import open_bench

    try:
        adopt(open_bench(load(folder)), model, version)
    except RegistryUnreachableError as error:
        log.warning("%s The alias is looked at again later.", error)
        sys.exit(LATER)


def run_counts(folder: Path, models: Sequence[str]) -> None:
    """Count what there is to learn from, and write it down; a source that fails is told of."""
    _set_up()
    from .bench import open_bench
    from .prospects import Prospect

    settings = load(folder)
    bench = open_bench(settings)
    for model in models:
        now = bench.clock.now()
        try:
            rows = bench.collect(settings, model, now)
            Prospect(bench=bench, model=model, now=now).count(rows, is_present=True)
        except TrimtabError as error:
            log.warning("new rows of %s are not counted: %s", model, error)


def _set_up() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        _die_with(parent.sentinel)
    log_to_stderr()


def _die_with(parent: int) -> None:
    """End this process as soon as the sentinel says that the worker is gone.

    To the kernel the parent is the fork server, which lives on while its children do; so the
    kernel's own signal covers only the death of that.
    """
    end_with_parent(os.getppid(), signal.SIGKILL)

    def watch() -> None:
        wait([parent])
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="parent's life", daemon=True).start()
