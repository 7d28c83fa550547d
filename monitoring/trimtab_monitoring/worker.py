"""The monitor's process: judges windows as they close, and delivers what people must hear."""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from trimtab.adapters.opening import (
    open_clock,
    open_database,
    open_log,
    open_registry,
    open_reports,
)
from trimtab.errors import TrimtabError
from trimtab.settings import Settings, load

from .addresses import read_addresses
from .delivery import Delivery
from .metrics import show_metrics
from .sending import send_apart
from .versions import Versions
from .watching import Watch

log = logging.getLogger(__name__)

_POLL = 0.5
_LONGEST_PAUSE = 30.0
_LAST_SECONDS = 5.0  # for attempts under way at the end; the supervisor waits ten


@dataclass(slots=True)
class Patience:
    """How long a part that fails is left alone: longer each time, so that logs stay readable."""

    pause: float = 0.0
    until: float = field(default=0.0)

    @property
    def is_over(self) -> bool:
        """Tell whether it may be tried again."""
        return time.monotonic() >= self.until

    def succeeded(self) -> None:
        """Forget earlier failures."""
        self.pause = 0.0

    def failed(self) -> None:
        """Wait twice as long as before."""
        self.pause = min(_LONGEST_PAUSE, max(1.0, 2 * self.pause))
        self.until = time.monotonic() + self.pause


@dataclass(frozen=True, slots=True)
class Monitor:
    """All models under watch."""

    watches: Sequence[Watch]
    _patience: dict[str, Patience] = field(default_factory=dict)

    def step(self) -> bool:
        """Take one round; True when there was work, so that the next may follow at once."""
        return any([self._try(watch.model, watch.step) for watch in self.watches])

    def _try(self, name: str, work: Callable[[], object]) -> bool:
        """Do a part of the round; its failure must not stop the other parts."""
        patience = self._patience.setdefault(name, Patience())
        if not patience.is_over:
            return False
        try:
            found = work()
        except Exception:  # this is the edge: whatever it was, it is logged and tried again
            log.exception("%s: this round failed", name)
            patience.failed()
            return False
        patience.succeeded()
        return bool(found)


def open_monitor(settings: Settings, models: Sequence[str]) -> Monitor:
    """Put the monitor of these models together."""
    database, registry = open_database(settings), open_registry(settings)
    clock, inference_log = open_clock(settings), open_log(settings)
    versions = Versions(registry=registry, home=settings.home)
    reports = open_reports(settings)
    watches = [
        Watch(
            model=model,
            settings=settings.model(model),
            clock=clock,
            database=database,
            inference_log=inference_log,
            versions=versions,
            reports=reports,
            mlflow_url=settings.project.alerts.mlflow_url or settings.tracking_uri,
        )
        for model in models
    ]
    return Monitor(watches)


def open_delivery(settings: Settings) -> Delivery:
    """Put together what delivers alerts. Raises SettingsError when an address cannot be used."""
    alerts, secret = settings.project.alerts, settings.environment.webhook_key
    return Delivery(
        database=open_database(settings),
        clock=open_clock(settings),
        addresses=read_addresses(
            alerts.urls, os.environ, secret.get_secret_value() if secret else None
        ),
        send=partial(send_apart, allow_private=alerts.allow_private),
    )


def run(settings: Settings, models: Sequence[str]) -> None:
    """Watch, and deliver alerts beside it, until the process is told to end."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    delivery = open_delivery(settings)
    monitor = open_monitor(settings, models)
    show_metrics(settings, models)
    courier = threading.Thread(target=_deliver, args=(delivery, ended), daemon=True)
    courier.start()
    log.info("watching %s", ", ".join(models))
    while not ended.is_set():
        if not monitor.step():
            ended.wait(_POLL)
    courier.join(_LAST_SECONDS)


def _deliver(delivery: Delivery, ended: threading.Event) -> None:
    """Deliver what comes; a slow receiver must not keep windows from being judged."""
    patience = Patience()
    while not ended.wait(_POLL):
        if not patience.is_over:
            continue
        try:
            delivery.step()
        except Exception:  # this is the edge: whatever it was, it is logged and tried again
            log.exception("alerts: this round failed")
            patience.failed()
        else:
            patience.succeeded()
    delivery.finish(_LAST_SECONDS)


def main() -> None:
    """Watch all models of the project whose folder is given."""
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    try:
        settings = load(Path(sys.argv[1]))
        run(settings, list(settings.project.models))
    except TrimtabError as error:
        log.error("%s", error)
        sys.exit(error.exit_code)
    logging.shutdown()
    os._exit(0)  # all is in the stores; taking 3,000 modules down would only take time


if __name__ == "__main__":
    main()
