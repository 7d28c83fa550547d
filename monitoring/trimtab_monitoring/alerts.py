"""Delivering alerts: out of the outbox, to the log and to where the user wants them."""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import apprise

from trimtab.errors import SettingsError
from trimtab.ports import Clock, Database
from trimtab.records.incidents import Alert
from trimtab.records.ledger import LedgerEntry

from .consequences import ACTOR

log = logging.getLogger(__name__)

_FROM_ENVIRONMENT = "env:"

Send = Callable[[str, Alert], bool]


def resolve_urls(urls: Iterable[str], environ: Mapping[str, str]) -> list[str]:
    """Replace `env:NAME` by what the environment holds. Raises SettingsError, naming what lacks."""
    found = []
    for url in urls:
        name = url.removeprefix(_FROM_ENVIRONMENT)
        if name == url:
            found.append(url)
        elif name in environ:
            found.append(environ[name])
        else:
            raise SettingsError(f"alerts.urls: {url} names a variable that is not set")
    return found


def send_by_apprise(url: str, alert: Alert) -> bool:
    """Send an alert to one address; False when it did not arrive. Raises nothing."""
    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # it logs addresses, tokens included
    messenger = apprise.Apprise()
    if not messenger.add(url):
        log.error("alerts.urls: %s is no address that apprise knows", _kind(url))
        return False
    sent = messenger.notify(
        title=alert.title, body=alert.body, body_format=apprise.NotifyFormat.TEXT
    )
    return bool(sent)


def _kind(url: str) -> str:
    return f"{url.split(':', 1)[0]}:..."  # the rest may hold a token


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Empties the outbox; an alert stays in it until every address has it."""

    database: Database
    clock: Clock
    urls: tuple[str, ...]
    send: Send = send_by_apprise
    _shown: set[str] = field(default_factory=set)
    _reached: set[tuple[str, str]] = field(default_factory=set)
    """Keys and addresses: who has an alert already does not get it again with the retry."""

    def step(self) -> int:
        """Try what is due; count what was delivered."""
        with self.database.transaction() as stores:
            due = stores.outbox.due()
        return sum(self._deliver(alert) for alert in due)

    def _deliver(self, alert: Alert) -> bool:
        self._show(alert)
        missed = [url for url in self.urls if not self._reaches(url, alert)]
        with self.database.transaction() as stores:
            if missed:
                stores.outbox.delayed(alert.key, f"not taken by {', '.join(map(_kind, missed))}")
            else:
                stores.outbox.delivered(alert.key)
                stores.ledger.append(self._told(alert))
        return not missed

    def _told(self, alert: Alert) -> LedgerEntry:
        where = f"log and {len(self.urls)} of alerts.urls" if self.urls else "log"
        return LedgerEntry(
            at=self.clock.now(),
            actor=ACTOR,
            event="alert delivered",
            model=alert.model,
            subject=alert.title,
            reasons=(f"to: {where}",),  # never the address: it may hold a token
        )

    def _show(self, alert: Alert) -> None:
        if alert.key not in self._shown:
            self._shown.add(alert.key)
            log.warning("ALERT %s\n%s", alert.title, alert.body)

    def _reaches(self, url: str, alert: Alert) -> bool:
        if (alert.key, url) not in self._reached and self.send(url, alert):
            self._reached.add((alert.key, url))
        return (alert.key, url) in self._reached
