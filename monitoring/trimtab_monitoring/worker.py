"""The monitor's process: judges windows as they close, and delivers what people must hear."""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
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

from .alerts import Delivery, resolve_urls
from .versions import Versions
from .watching import Watch

log = logging.getLogger(__name__)

_POLL = 0.5
_LONGEST_PAUSE = 30.0


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
    """All models under watch, and the outbox."""

    watches: Sequence[Watch]
    delivery: Delivery
    _patience: dict[str, Patience] = field(default_factory=dict)

    def step(self) -> bool:
        """Take one round; True when there was work, so that the next may follow at once."""
        worked = [self._try(watch.model, watch.step) for watch in self.watches]
        return any([*worked, self._try("alerts", self.delivery.step)])

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
    urls = tuple(resolve_urls(settings.project.alerts.urls, os.environ))
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
        )
        for model in models
    ]
    return Monitor(watches, Delivery(database=database, clock=clock, urls=urls))


def run(settings: Settings, models: Sequence[str]) -> None:
    """Watch until the process is told to end."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    monitor = open_monitor(settings, models)
    log.info("watching %s", ", ".join(models))
    while not ended.is_set():
        if not monitor.step():
            ended.wait(_POLL)


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
