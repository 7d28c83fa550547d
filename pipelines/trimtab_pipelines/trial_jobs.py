"""The comparisons that the worker keeps up to date while trials run, in processes of their own."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from trimtab.ports import Database

from .jobs import Jobs

log = logging.getLogger(__name__)

_PAUSE = 15.0
"""Seconds between two looks at least ..."""
_SHARE = 10.0
"""... and so many times as long as the last one took: a comparison is never the main work here."""


@dataclass(slots=True)
class TrialJobs:
    """At most one process, beside that of a training."""

    folder: Path
    database: Database
    jobs: Jobs
    models: Sequence[str]
    pause: float = _PAUSE
    process: ForkServerProcess | None = None
    _began: float = 0.0
    _not_before: float = 0.0
    _is_told: bool = field(default=False)

    def step(self) -> None:
        """Start a comparison when one is due, without waiting for it."""
        now = time.monotonic()
        if self.process is not None:
            if self.process.is_alive():
                return
            self._conclude(self.process, now)
        if now >= self._not_before and self.jobs.is_ready:
            self._not_before = now + self.pause
            if self._is_any_running():
                self.process, self._began = self.jobs.start_trials(self.folder), now

    def drop(self) -> None:
        """End the process; what it had compared is written, the rest is compared again."""
        if self.process is not None:
            self.process.kill()
            self.process.join(5)
            self.process = None

    def _conclude(self, process: ForkServerProcess, now: float) -> None:
        self.process = None
        self._not_before = now + max(self.pause, _SHARE * (now - self._began))
        if process.exitcode and not self._is_told:
            log.error("a comparison ended with code %s; it is tried again", process.exitcode)
        self._is_told = bool(process.exitcode)

    def _is_any_running(self) -> bool:
        with self.database.transaction() as stores:
            return any(stores.trials.running(model) is not None for model in self.models)
