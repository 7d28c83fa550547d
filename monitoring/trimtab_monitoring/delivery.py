"""Delivering alerts: out of the outbox, to the log and to where the user wants them."""

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from trimtab.policy.backoff import pause
from trimtab.ports import Clock, Database
from trimtab.records.deliveries import LOG, Attempt
from trimtab.records.incidents import Alert
from trimtab.records.ledger import LedgerEntry

from .addresses import Address
from .consequences import ACTOR
from .messages import text_of
from .sender import Outcome
from .sending import LONGEST_SECONDS

log = logging.getLogger(__name__)

_HOLD = timedelta(seconds=3 * LONGEST_SECONDS)
_LONGEST_REST = timedelta(minutes=1)
_POLL = 0.05

Send = Callable[[Address, Attempt], Outcome]


@dataclass(slots=True)
class _Desk:
    """What goes on at one address: at most one attempt at a time, and rests after failures."""

    attempt: threading.Thread | None = None
    failures: int = 0
    """In a row, whichever alerts they were about."""
    rests_until: float = 0.0

    @property
    def is_free(self) -> bool:
        """Tell whether the next attempt may begin."""
        is_busy = self.attempt is not None and self.attempt.is_alive()
        return not is_busy and time.monotonic() >= self.rests_until

    def noted(self, outcome: Outcome) -> None:
        """Rest after a failure, longer each time, up to a minute."""
        self.failures = self.failures + 1 if outcome.error else 0
        if self.failures:
            rest = min(pause(self.failures, random.random()), _LONGEST_REST)
            self.rests_until = time.monotonic() + rest.total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Empties the outbox; an alert stays in it until the log and every address have it.

    Each attempt is written down before it is made, and has a thread of its own: an address that
    is dead or slow delays nobody else.
    """

    database: Database
    clock: Clock
    addresses: tuple[Address, ...]
    send: Send
    _desks: dict[str, _Desk] = field(default_factory=dict)

    def step(self) -> int:
        """Begin what is due, and count the alerts that everybody has by now; waits for nobody."""
        return self._round()[1]

    def drain(self, seconds: float) -> int:
        """Take steps until no attempt is under way or due, at most for so long; count as `step`."""
        deadline = time.monotonic() + seconds
        count = 0
        while True:
            was_busy = self._is_busy
            begun, complete = self._round()
            count += complete
            if not (was_busy or begun) or time.monotonic() >= deadline:
                return count
            time.sleep(_POLL)

    def finish(self, seconds: float) -> None:
        """Wait for the attempts that are under way, at most for so long."""
        deadline = time.monotonic() + seconds
        for desk in self._desks.values():
            if desk.attempt is not None:
                desk.attempt.join(max(0.0, deadline - time.monotonic()))

    def _round(self) -> tuple[int, int]:
        """Take a step; gives how many attempts it began and how many alerts are done with."""
        free = [address for address in self.addresses if self._desk(address).is_free]
        labels = [address.label for address in self.addresses]
        with self.database.transaction() as stores:
            for shown in stores.outbox.claim(LOG, hold=_HOLD):
                log.warning("ALERT %s\n%s", shown.alert.title, text_of(shown.alert))
                stores.outbox.taken(shown.alert.key, LOG)
            begun = [
                (address, attempt)
                for address in free
                for attempt in stores.outbox.claim(address.label, hold=_HOLD, limit=1)
            ]
            complete = stores.outbox.complete([LOG, *labels])
            for alert in complete:
                stores.ledger.append(self._told(alert))
        for address, attempt in begun:
            self._begin(address, attempt)
        return len(begun), len(complete)

    @property
    def _is_busy(self) -> bool:
        desks = self._desks.values()
        return any(desk.attempt is not None and desk.attempt.is_alive() for desk in desks)

    def _desk(self, address: Address) -> _Desk:
        return self._desks.setdefault(address.label, _Desk())

    def _begin(self, address: Address, attempt: Attempt) -> None:
        desk = self._desk(address)
        desk.attempt = threading.Thread(
            target=self._try, args=(address, attempt), name=address.label, daemon=True
        )
        desk.attempt.start()

    def _try(self, address: Address, attempt: Attempt) -> None:
        try:
            outcome = self.send(address, attempt)
            self._desk(address).noted(outcome)
            self._keep(address, attempt, outcome)
        except Exception:  # the edge of a thread: the attempt is repeated when its hold is over
            log.exception("%s: how an attempt ended was not written", address.label)

    def _keep(self, address: Address, attempt: Attempt, outcome: Outcome) -> None:
        key = attempt.alert.key
        with self.database.transaction() as stores:
            if outcome.error is None:
                stores.outbox.taken(key, address.label)
                return
            is_unsure = attempt.is_unsure or outcome.is_unsure
            stores.outbox.missed(key, address.label, outcome.error, is_unsure=is_unsure)
        log.warning("%s has not got %r yet: %s", address.label, key, outcome.error)

    def _told(self, alert: Alert) -> LedgerEntry:
        where = f"log and {len(self.addresses)} of alerts.urls" if self.addresses else "log"
        return LedgerEntry(
            at=self.clock.now(),
            actor=ACTOR,
            event="alert delivered",
            model=alert.model,
            subject=alert.title,
            reasons=(f"to: {where}",),
        )
