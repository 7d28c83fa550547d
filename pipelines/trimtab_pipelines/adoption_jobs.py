"""The checks of versions whose alias was set by hand, in processes beside the worker."""

import logging
import time
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from trimtab.ports import Clock, Database, ModelRegistry

from .hand_moves import put_back
from .jobs import LATER, Jobs

log = logging.getLogger(__name__)

_PAUSE = 5.0  # seconds, after checks that could not be made
_MOST_DEATHS = 3


@dataclass(slots=True)
class AdoptionJobs:
    """At most one process; knows only what it is told at each look, so it may begin anew."""

    folder: Path
    database: Database
    registry: ModelRegistry
    clock: Clock
    jobs: Jobs
    pause: float = _PAUSE
    process: ForkServerProcess | None = None
    _wanted: dict[str, str] = field(default_factory=dict)
    _checked: tuple[str, str] = ("", "")
    _deaths: dict[tuple[str, str], int] = field(default_factory=dict)
    _not_before: float = 0.0

    def want(self, model: str, version: str | None) -> None:
        """Take note of what a look at the alias found: a version to check, or none."""
        if version is None:
            self._wanted.pop(model, None)
        else:
            self._wanted[model] = version

    def step(self) -> None:
        """Start or conclude the checks, without waiting for them."""
        if self.process is not None:
            if self.process.is_alive():
                return
            self._conclude(self.process.exitcode)
        if self._wanted and self.jobs.is_ready and time.monotonic() >= self._not_before:
            self._checked = next(iter(self._wanted.items()))
            self.process = self.jobs.start_adoption(self.folder, *self._checked)

    def drop(self) -> None:
        """End the process; the alias is looked at again by whoever comes next."""
        if self.process is not None:
            self.process.kill()
            self.process.join(5)
            self.process = None

    def _conclude(self, code: int | None) -> None:
        model, version = self._checked
        self.process = None
        if self._wanted.get(model) == version:
            del self._wanted[model]  # the next look says whether it is still wanted
        if code == 0:
            self._deaths.pop(self._checked, None)
            return
        self._not_before = time.monotonic() + self.pause
        if code == LATER:
            return
        deaths = self._deaths[self._checked] = self._deaths.get(self._checked, 0) + 1
        log.error("the checks of version %s of %s ended with code %s", version, model, code)
        if deaths >= _MOST_DEATHS:
            del self._deaths[self._checked]
            why = f"its checks died {_MOST_DEATHS} times (code {code})"
            put_back(self.registry, self.database, model, version, [why], at=self.clock.now())
