"""How fast time may run: as fast as the loop keeps up, and slowly while it is at work."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from trimtab.ports import Database
from trimtab.records.requests import RequestState
from trimtab.records.windows import Window

_WORK = (RequestState.ASKED, RequestState.RUNNING)
"""A version that waits for a person is no work."""
_LOOK_SECONDS = 0.25
CREEP_SECONDS = 0.25
"""Between two stretches of traffic while a version is trained or swapped: compressed as time is, a
training would otherwise last for months of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopState:
    """What the pace depends on."""

    judged_until: datetime | None
    at_work: bool
    """A version is being trained, judged, packaged or swapped in."""


class Pace:
    """Holds the traffic back where it would run away from the loop."""

    def __init__(
        self,
        database: Database,
        model: str,
        window: timedelta,
        news: Callable[[], None],
        *,
        patience: float = CREEP_SECONDS,
    ) -> None:
        """Set a pace; `news` is called at every look.

        `patience` is for how many seconds traffic waits for one piece of work; when they are over,
        it creeps.
        """
        self._database = database
        self._model = model
        self._window = window
        self._news = news
        self._patience = patience
        self._began_work: float | None = None
        self._looked = float("-inf")
        self._state = LoopState(judged_until=None, at_work=False)
        self._first: Window | None = None

    async def before(self, moment: datetime) -> None:
        """Wait until traffic of this moment may flow.

        A window may be left open for a quarter of its length before its verdict is in.
        """
        self._first = self._first or Window.around(moment, self._window)
        self._look()
        while self._awaited(moment) > (self._state.judged_until or self._first.start):
            await asyncio.sleep(_LOOK_SECONDS)
            self._look()
        while self._state.at_work and self._has_patience():
            await asyncio.sleep(_LOOK_SECONDS)
            self._look()
        if self._state.at_work:
            await asyncio.sleep(CREEP_SECONDS)

    async def until_judged(self, moment: datetime, seconds: float) -> bool:
        """Wait for the verdict of the window of this moment and for the work that follows it.

        A window is judged when all of it is in the log; so afterwards everything is.
        """
        deadline = asyncio.get_running_loop().time() + seconds
        goal = Window.around(moment, self._window).end
        while asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(_LOOK_SECONDS)
            self._look()
            judged = self._state.judged_until
            if judged is not None and judged >= goal and not self._state.at_work:
                return True
        return False

    def _awaited(self, moment: datetime) -> datetime:
        """Give the moment up to which everything must be judged before traffic goes on."""
        return Window.around(moment - self._window / 4, self._window).start

    def _has_patience(self) -> bool:
        began = self._began_work
        return began is not None and asyncio.get_running_loop().time() - began < self._patience

    def _look(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._looked < 0.9 * _LOOK_SECONDS:
            return
        self._looked = now
        self._state = self._read()
        if not self._state.at_work:
            self._began_work = None
        elif self._began_work is None:
            self._began_work = now
        self._news()

    def _read(self) -> LoopState:
        with self._database.transaction() as stores:
            verdicts = stores.verdicts.recent(self._model, limit=1)
            requests = stores.requests.recent(self._model, limit=1)
            champion = stores.promotions.current(self._model)
            endpoint = stores.endpoints.get(self._model)
        serving = endpoint.version if endpoint else None
        return LoopState(
            judged_until=verdicts[0].window.end if verdicts else None,
            at_work=any(request.state in _WORK for request in requests)
            or (champion is not None and champion.version != serving),
        )
