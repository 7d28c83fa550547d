"""The services' worker: one endpoint a model, kept running, up to date and captured."""

import logging
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from trimtab.adapters.opening import open_clock, open_database, open_log
from trimtab.errors import TrimtabError
from trimtab.ports import Clock, Database, InferenceLog, Stores
from trimtab.records.contracts import Contract
from trimtab.records.endpoints import EndpointStatus
from trimtab.records.keys import Admission, admit
from trimtab.records.ledger import LedgerEntry
from trimtab.settings import Settings, load

from .backoff import Backoff
from .bundle import read_contract, source_of
from .keys import write_admission
from .listening import PATIENCE_SECONDS, listen
from .nursery import Nursery
from .reconcile import Happened, Keeper
from .shipper import Shipper, ShipReport
from .upkeep import Upkeep

logger = logging.getLogger(__name__)

TICK_SECONDS = 0.05
LOOK_SECONDS = 0.5
END_SECONDS = 8.0
"""Within this the endpoints have finished what was under way; the supervisor waits for ten."""


class Attendant:
    """Looks after one model: its endpoint, its captured requests and what is known of both."""

    def __init__(
        self,
        settings: Settings,
        model: str,
        database: Database,
        log: InferenceLog,
        clock: Clock,
        nursery: Nursery,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        """Take a model's spool and port. Raises SpoolTakenError and what `listen` raises."""
        self.trouble = ""
        """What went wrong in the last turn."""
        self._settings = settings
        self._model = model
        self._database = database
        self._clock = clock
        with database.transaction() as stores:
            known = stores.endpoints.get(model)
            admission = self._admit(stores)
        self._announced = known.version if known else None
        self._shipped_through = known.shipped_through if known else None
        with ExitStack() as undoing:
            self._shipper = Shipper(settings.home.spool(model), model, log, self._contract)
            undoing.callback(self._shipper.close)
            write_admission(settings.home.keys(model), admission)  # before any process starts
            has_keys = bool(admission.keys)
            listening = undoing.enter_context(listen(settings, model, patience, has_keys=has_keys))
            self.keeper = Keeper(settings, model, listening, nursery)
            undoing.pop_all()

    def look(self) -> None:
        """Read what is wanted, ship what was captured, and write down how things are."""
        with self._database.transaction() as stores:
            self.keeper.want(stores.promotions.current(self._model))
            admission = self._admit(stores)
        try:
            write_admission(self._settings.home.keys(self._model), admission)
        finally:  # a disk that is too full for keys may get room by shipping
            self._ship()

    def finish(self, deadline: float) -> None:
        """Wait for the endpoint's end and ship what it captured last."""
        self.keeper.wait(deadline)
        self.look()
        self._shipper.close()

    def _ship(self) -> None:
        before = self._clock.now()
        report = self._shipper.ship()
        if report.pending_bytes == 0:
            self._shipped_through = before
        self._write(report)

    def _admit(self, stores: Stores) -> Admission:
        return admit(stores.keys.of(self._model), datetime.now(UTC))

    def _write(self, report: ShipReport) -> None:
        keeper = self.keeper
        status = EndpointStatus(
            model=self._model,
            url=_url(self._settings, self._model),
            version=keeper.version,
            device=keeper.device if keeper.version else None,
            answered=report.answered,
            captured=report.captured,
            dropped=report.dropped,
            shipped_through=self._shipped_through,
            seen_at=datetime.now(UTC),
            note=keeper.note,
        )
        happened = keeper.happened()
        with self._database.transaction() as stores:
            for entry in filter(self._is_news, happened):
                stores.ledger.append(self._entry(entry))
            stores.endpoints.put(status)
        self._announced = next(
            (h.version for h in reversed(happened) if h.event == "version served"), self._announced
        )

    def _is_news(self, happened: Happened) -> bool:
        """A worker that was started again need not announce what answered before."""
        return happened.event != "version served" or happened.version != self._announced

    def _entry(self, happened: Happened) -> LedgerEntry:
        return LedgerEntry(
            at=self._clock.now(),
            actor="services",
            event=happened.event,
            model=self._model,
            subject=happened.version,
            reasons=happened.reasons,
        )

    def _contract(self, version: str) -> Contract:
        return read_contract(source_of(self._settings.home.bento(self._model, version)))


@dataclass(kw_only=True)
class Crew:
    """The attendants of some models; one that cannot be attended does not keep the others."""

    settings: Settings
    database: Database
    log: InferenceLog
    clock: Clock
    nursery: Nursery
    attendants: list[Attendant] = field(default_factory=list)
    missing: dict[str, Backoff] = field(default_factory=dict)
    """The models without an attendant, which are tried again."""

    def gather(self, models: Sequence[str]) -> None:
        """Begin with every model that can be attended. Raises the first error when none can."""
        errors = [error for model in models if (error := self._try(model, PATIENCE_SECONDS))]
        if errors and not self.attendants:
            raise errors[0]

    def complete(self) -> None:
        """Try again where it is time."""
        for model in [model for model, trouble in self.missing.items() if trouble.is_due]:
            self._try(model, 0.0)

    def _try(self, model: str, patience: float) -> Exception | None:
        parts = (self.settings, model, self.database, self.log, self.clock, self.nursery)
        try:
            self.attendants.append(Attendant(*parts, patience))
        except Exception as error:
            if model not in self.missing:
                logger.exception("%s cannot be attended; it is tried again", model)
            self.missing.setdefault(model, Backoff()).failed()
            self._tell(model, f"it is not attended: {error}")
            return error
        self.missing.pop(model, None)
        return None

    def _tell(self, model: str, note: str) -> None:
        """Let the status of a model say why nothing is known of it."""
        with suppress(Exception), self.database.transaction() as stores:
            if known := stores.endpoints.get(model):
                stores.endpoints.put(replace(known, version=None, device=None, note=note))


class Ending:
    """Whether somebody asked for the end."""

    def __init__(self) -> None:
        self.is_asked = False

    def ask(self, sig: int, frame: FrameType | None) -> None:
        """Called by a signal."""
        self.is_asked = True


def run(
    settings: Settings,
    models: Sequence[str],
    ending: Ending,
    told: Callable[[str, str], None] = lambda model, what: None,
) -> None:
    """Serve models until the end is asked for. Raises what keeps them from being served at all.

    `told` hears of every change: the model, and what is so now.
    """
    database, log, clock = open_database(settings), open_log(settings), open_clock(settings)
    nursery, upkeep = Nursery(), Upkeep(settings, models)
    try:
        crew = Crew(settings=settings, database=database, log=log, clock=clock, nursery=nursery)
        try:
            crew.gather(models)
            _attend_all(crew, upkeep, ending, told)
        finally:
            _finish(crew.attendants)
    finally:
        upkeep.end()
        nursery.end()


def _attend_all(
    crew: Crew,
    upkeep: Upkeep,
    ending: Ending,
    told: Callable[[str, str], None],
) -> None:
    said: dict[str, str] = {}
    next_look = 0.0
    while not ending.is_asked:
        crew.nursery.step()
        crew.complete()
        upkeep.step()
        if is_time := time.monotonic() >= next_look:
            next_look = time.monotonic() + LOOK_SECONDS
        for attendant in crew.attendants:
            _attend(attendant, is_time)
            model, words = attendant.keeper.model, _words(attendant.keeper)
            if words != said.get(model):
                said[model] = words
                told(model, words)
        time.sleep(TICK_SECONDS)


def _attend(attendant: Attendant, is_time_to_look: bool) -> None:
    """One turn; a database or a disk that is away for a while must not end the endpoint."""
    try:
        attendant.keeper.step()
        if is_time_to_look:
            attendant.look()
            attendant.trouble = ""
    except Exception as error:
        if attendant.trouble != (trouble := repr(error)):
            logger.exception("looking after %s failed; it goes on", attendant.keeper.model)
        attendant.trouble = trouble


def _finish(attendants: Sequence[Attendant]) -> None:
    deadline = time.monotonic() + END_SECONDS
    for attendant in attendants:
        attendant.keeper.end()
    for attendant in attendants:
        try:
            attendant.finish(deadline)
        except Exception:
            logger.exception("what was captured last waits for the next start")


def _url(settings: Settings, model: str) -> str:
    serve = settings.model(model).serve
    return f"http://{serve.host}:{serve.port}"


def _words(keeper: Keeper) -> str:
    if keeper.version is None:
        return keeper.note or "starting"
    words = f"version {keeper.version} answers on {keeper.device}"
    return f"{words}; {keeper.note}" if keeper.note else words


def main() -> None:
    """Serve every model of a project."""
    form = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(level=logging.INFO, format=form)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    ending = Ending()
    for sig in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sig, ending.ask)
    try:
        settings = load(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
        run(settings, list(settings.project.models), ending, _log_change)
    except TrimtabError as error:
        logger.error("%s", error)
        sys.exit(error.exit_code)


def _log_change(model: str, what: str) -> None:
    logger.info("%s: %s", model, what)


if __name__ == "__main__":
    main()
