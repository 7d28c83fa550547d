"""The workshop: makes each version once, whoever asks, in processes of its own where there are."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pandas as pd

from trimtab.adapters.lifetime import end_with_parent
from trimtab.adapters.predictor import Predictor
from trimtab.adapters.watched_files import load_version
from trimtab.policy.watched import WatchedVersion
from trimtab.records.reference import LABEL
from trimtab.records.versions import ModelVersion
from trimtab_pipelines.contenders import Contender, baseline_of

from .history import History
from .making import Made, make_at


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Version:
    """A version that was made, ready to answer and to be watched."""

    made: Made
    contender: Contender
    watched: WatchedVersion

    @property
    def record(self) -> ModelVersion:
        """What the registry would say of it."""
        return self.contender.version


@dataclass(kw_only=True, eq=False)
class Workshop:
    """Versions by the moment of their training; several threads may ask."""

    folder: Path
    submit: Callable[[datetime, Path], "Future[Made]"]
    _made: "dict[datetime, Future[Made]]" = field(default_factory=dict)
    _loaded: dict[datetime, Version] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def make(self, moment: datetime) -> Made:
        """Make a version of what was known at a moment, or wait for who makes it already."""
        with self._lock:
            if moment not in self._made:
                self._made[moment] = self.submit(moment, self.folder / f"{moment:%Y%m%dT%H%M%S%f}")
            waiting = self._made[moment]
        return waiting.result()

    def load(self, made: Made) -> Version:
        """Load what was made."""
        with self._lock:
            if made.moment not in self._loaded:
                self._loaded[made.moment] = _load(made)
            return self._loaded[made.moment]

    @property
    def trainings(self) -> int:
        """How many trainings there were."""
        return len(self._made)


@contextmanager
def open_workshop(history: History, folder: Path, processes: int) -> Iterator[Workshop]:
    """Open a workshop; with one process, trainings run in this one."""
    if processes == 1:
        yield Workshop(folder=folder, submit=_here(history))
        return
    pool: Executor = ProcessPoolExecutor(
        processes,
        multiprocessing.get_context("spawn"),  # a fork would inherit threads and their locks
        initializer=_begin,
        initargs=(history, os.getpid()),
    )
    try:
        for _ in range(processes):  # they end with the thread that starts them: not one of a policy
            pool.submit(_ready)
        yield Workshop(folder=folder, submit=lambda moment, at: pool.submit(_make, moment, at))
    finally:
        pool.shutdown(cancel_futures=True)


def _here(history: History) -> Callable[[datetime, Path], "Future[Made]"]:
    def submit(moment: datetime, folder: Path) -> "Future[Made]":
        future: Future[Made] = Future()
        future.set_result(make_at(history, moment, folder))
        return future

    return submit


_histories: list[History] = []
"""The past, in a process that makes versions of it."""


def _begin(history: History, parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's, which is for the parent
    end_with_parent(parent)
    _histories.append(history)


def _ready() -> None:
    """Do nothing, once the past has arrived."""


def _make(moment: datetime, folder: Path) -> Made:
    return make_at(_histories[0], moment, folder)


def _load(made: Made) -> Version:
    if made.trained_until is None:
        raise ValueError(f"nothing was made at {made.name}: {made.why}")
    predictor = Predictor.load(made.folder, "cpu")
    sample = pd.read_parquet(made.folder / "reference.parquet", columns=[LABEL])
    version = ModelVersion(
        model=predictor.contract.model,
        version=made.name,
        run_id=made.name,
        trained_until=made.trained_until,
        manifest_sha256=made.manifest_sha256,
    )
    baseline = baseline_of(predictor, sample)
    return Version(
        made=made,
        contender=Contender(version=version, predictor=predictor, baseline=baseline),
        watched=load_version(made.name, made.folder),
    )
