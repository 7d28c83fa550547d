"""The user's triggers, kept: asks as soon as they say so, and has rows counted where they wait."""

import logging
import time
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from uuid import uuid4

from trimtab.policy.asking import needs_count, next_request
from trimtab.policy.known import read_known
from trimtab.ports import Clock, Database
from trimtab.settings import Settings, rules_of

from .events import WORKER, Event, entry
from .jobs import Jobs

log = logging.getLogger(__name__)

_PAUSE = 5.0
"""Seconds between two looks at what is known."""
_COUNT_PAUSE = 10.0
"""Seconds between two counts at least ..."""
_SHARE = 20.0
"""... and so many times as long as the last one took: the whole source is read for it."""


@dataclass(slots=True)
class Triggers:
    """Looks now and then; all that it goes by is in the stores, so anybody may look as well.

    The monitor asks by the same rules when it has judged a window. What becomes true at other
    moments (a schedule, labels that came, a cool-down that is over) is seen here.
    """

    settings: Settings
    database: Database
    clock: Clock
    jobs: Jobs
    process: ForkServerProcess | None = None
    """What counts rows."""
    _look_at: float = 0.0
    _count_at: float = 0.0
    _began: float = 0.0
    _is_told: bool = field(default=False)

    def step(self) -> None:
        """Ask for what is due, and start a count where one is missing, without waiting for it."""
        now = time.monotonic()
        if self.process is not None and not self.process.is_alive():
            self._conclude(self.process, now)
        if now < self._look_at:
            return
        self._look_at = now + _PAUSE
        uncounted = self.ask()
        if uncounted and self.process is None and now >= self._count_at and self.jobs.is_ready:
            self.process = self.jobs.start_counts(self.settings.folder, uncounted)
            self._began = now

    def ask(self) -> list[str]:
        """File what is to be asked now; give the models whose rows somebody waits for."""
        return [model for model in self.settings.project.models if self._ask(model)]

    def drop(self) -> None:
        """End the process that counts."""
        if self.process is not None:
            self.process.kill()
            self.process.join(5)
            self.process = None

    def _ask(self, model: str) -> bool:
        chosen, now = self.settings.model(model), self.clock.now()
        rules = rules_of(chosen.retrain)
        with self.database.transaction() as stores:
            known = read_known(stores, model, n=chosen.monitor.n, now=now)
            request = next_request(known, rules, id=uuid4().hex, asked_by=WORKER)
            if request is None:
                return needs_count(known, rules)
            if stores.requests.ask(request):
                asked = entry(Event.ASKED, model, request.id, at=now, reasons=request.reasons)
                stores.ledger.append(asked)
        return False  # whoever pursues it counts

    def _conclude(self, process: ForkServerProcess, now: float) -> None:
        self.process = None
        self._count_at = now + max(_COUNT_PAUSE, _SHARE * (now - self._began))
        if process.exitcode and not self._is_told:
            log.error("a count of new rows ended with code %s; it is tried again", process.exitcode)
        self._is_told = bool(process.exitcode)
