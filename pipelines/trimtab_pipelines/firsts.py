"""First versions: a model without a champion gets a request, and not too often another one."""

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from uuid import uuid4

from trimtab.ports import Clock, Database, Stores
from trimtab.records.requests import Obstacle, RetrainRequest, Trigger

from .events import WORKER, Event, entry

log = logging.getLogger(__name__)

_FIRST_PAUSE = 60.0  # seconds; doubled with each attempt that gave no champion
_LONGEST_PAUSE = 3600.0


@dataclass(slots=True)
class FirstVersions:
    """Asks for what is missing; knows only of the attempts since its process started.

    So a new start of the platform tries again at once, which is what a person who has put
    something right expects.
    """

    database: Database
    clock: Clock
    monotonic: Callable[[], float] = time.monotonic
    _attempts: dict[str, int] = field(default_factory=dict)
    _last: dict[str, str] = field(default_factory=dict)
    _not_before: dict[str, float] = field(default_factory=dict)

    def ask(self, models: Iterable[str]) -> None:
        """File a request for each model that has neither champion nor open request."""
        with self.database.transaction() as stores:
            for model in models:
                if self._is_due(stores, model):
                    self._file(stores, model)

    def _is_due(self, stores: Stores, model: str) -> bool:
        if stores.promotions.current(model) is not None:
            self._attempts.pop(model, None)
            return False
        newest = next(iter(stores.requests.recent(model, limit=1)), None)
        if newest is not None and newest.state.is_open:
            self._count(newest)
            return False
        if newest is not None and Obstacle.GIVEN_UP in newest.obstacles:
            return False  # a person was asked
        attempts = self._attempts.get(model, 0)
        pause = min(_FIRST_PAUSE * 2 ** (attempts - 1), _LONGEST_PAUSE) if attempts else 0.0
        now = self.monotonic()
        return now >= self._not_before.setdefault(model, now + pause)

    def _file(self, stores: Stores, model: str) -> None:
        now = self.clock.now()
        request = RetrainRequest(
            id=uuid4().hex,
            model=model,
            trigger=Trigger.FIRST,
            asked_by=WORKER,
            asked_at=now,
            reasons=("there is no champion yet",),
        )
        if not stores.requests.ask(request):
            return  # another worker was faster
        stores.ledger.append(entry(Event.ASKED, model, request.id, at=now, reasons=request.reasons))
        self._count(request)

    def _count(self, attempt: RetrainRequest) -> None:
        """Count an attempt, of whatever process; the next pause begins when it has ended."""
        if self._last.get(attempt.model) != attempt.id:
            self._last[attempt.model] = attempt.id
            self._attempts[attempt.model] = self._attempts.get(attempt.model, 0) + 1
            self._not_before.pop(attempt.model, None)
