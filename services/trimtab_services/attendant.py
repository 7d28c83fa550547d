"""Looks after one model: its endpoint's processes, its captured requests, what is known of both."""

import logging
import time
from contextlib import ExitStack
from datetime import UTC, datetime

from trimtab.ports import Clock, Database, InferenceLog, Ledger, Stores
from trimtab.records.contracts import Contract
from trimtab.records.endpoints import EndpointStatus
from trimtab.records.keys import Admission, admit
from trimtab.records.ledger import LedgerEntry
from trimtab.records.promotions import Promotion
from trimtab.records.trials import Trial
from trimtab.settings import Settings

from .bundle import read_contract, source_of
from .chronicle import Happened, Standing
from .keys import write_admission
from .label_inbox import Inbox
from .label_taking import LabelTaker
from .listening import PATIENCE_SECONDS, listen
from .nursery import Nursery
from .reconcile import Keeper
from .shipped_names import ShippedNames
from .shipper import Shipper, ShipReport

logger = logging.getLogger(__name__)

_RETRY_SECONDS = 1.0
"""Labels that could not be taken are not tried again before."""


class Attendant:
    """Keeps a model's endpoint and its books.

    `tend` is for the thread that starts processes, all else for one that may wait for the
    database and the disk: a store that is away for a while must not delay a recovery.
    """

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
        self._settings = settings
        self._model = model
        self._database = database
        self._clock = clock
        self._wanted: tuple[Promotion | None, Trial | None] | None = None
        """The promotion in force and the canary beside it, once that has been read."""
        self._written: Standing | None = None
        self._untold: list[Happened] = []
        self._troubles: dict[str, str] = {}
        with database.transaction() as stores:
            known = stores.endpoints.get(model)
            admission = self._admit(stores)
        self._announced = known.version if known else None
        self._shipped_through = known.shipped_through if known else None
        self._labels_at = 0.0
        self._names = ShippedNames()
        inbox, names = Inbox(settings.home.labels(model)), self._names
        self._labels = LabelTaker(inbox, model, database, log, lambda: names.since)
        with ExitStack() as undoing:
            self._shipper = Shipper(
                settings.home.spool(model), model, log, self._contract, shipped=names.add
            )
            undoing.callback(self._shipper.close)
            write_admission(settings.home.keys(model), admission)  # before any process starts
            has_keys = bool(admission.keys)
            listening = undoing.enter_context(listen(settings, model, patience, has_keys=has_keys))
            self.keeper = Keeper(settings, model, listening, nursery)
            undoing.pop_all()

    def tend(self) -> None:
        """Bring the processes nearer to what is wanted."""
        try:
            if self._wanted is not None:
                self.keeper.want(*self._wanted)
            self.keeper.step()
        except Exception as error:
            self._complain("the endpoint's processes", error)
        else:
            self._troubles.pop("the endpoint's processes", None)

    def keep_books(self, is_time_to_ship: bool) -> None:
        """Read what is wanted; now and then, and when the endpoint has changed, do all the rest."""
        try:
            admission = self.read()
            try:
                write_admission(self._settings.home.keys(self._model), admission)
            finally:  # a disk that is too full for keys may get room by shipping
                if is_time_to_ship or self.keeper.standing != self._written:
                    self.look()
        except Exception as error:
            self._complain("the books", error)
        else:
            self._troubles.pop("the books", None)

    def take_labels(self) -> None:
        """Take the labels that callers told, in a thread that may wait for the log."""
        if time.monotonic() < self._labels_at:
            return
        try:
            self._labels.step()
        except Exception as error:
            self._labels_at = time.monotonic() + _RETRY_SECONDS
            self._complain("the labels", error)
        else:
            self._troubles.pop("the labels", None)

    def read(self) -> Admission:
        """Read what is wanted, and give whom the endpoint lets in."""
        with self._database.transaction() as stores:
            promotion = stores.promotions.current(self._model)
            trial = stores.trials.running(self._model)
            admission = self._admit(stores)
        is_on = trial is not None and trial.answers_at(self._clock.now())
        is_beside = trial is not None and promotion is not None and trial.epoch == promotion.epoch
        self._wanted = (promotion, trial if is_on and is_beside else None)
        return admission

    def look(self) -> None:
        """Ship what was captured, and write down how things are."""
        before, began = self._clock.now(), time.monotonic()
        report = self._shipper.ship()
        if report.pending_bytes == 0:
            self._shipped_through = before
        self._write(report)
        self._names.noted(began)

    def finish(self, deadline: float, is_alone: bool = True) -> None:
        """Wait for the endpoint's end and ship what it captured last.

        Not `is_alone` when another thread is still stuck in the books; then that is left undone.
        """
        self.keeper.wait(deadline)
        if is_alone:
            self.look()
            self._shipper.close()

    def _admit(self, stores: Stores) -> Admission:
        return admit(stores.keys.of(self._model), datetime.now(UTC))

    def _write(self, report: ShipReport) -> None:
        standing = self.keeper.standing
        status = EndpointStatus(
            model=self._model,
            url=_url(self._settings, self._model),
            version=standing.version,
            device=standing.device,
            answered=report.answered,
            captured=report.captured,
            dropped=report.dropped,
            shipped_through=self._shipped_through,
            seen_at=datetime.now(UTC),
            note=standing.note,
        )
        self._untold.extend(self.keeper.happened())
        with self._database.transaction() as stores:
            for happened in self._untold:
                if self._is_news(happened, stores.ledger):
                    stores.ledger.append(self._entry(happened))
            stores.endpoints.put(status)
            self._names.note(stores.label_search, self._model)
        served = [told.version for told in self._untold if told.event == "version served"]
        self._announced = served[-1] if served else self._announced
        self._untold.clear()
        self._written = standing

    def _is_news(self, happened: Happened, ledger: Ledger) -> bool:
        """A worker that was started again need not announce what answered before."""
        match happened.event:
            case "version served":
                return happened.version != self._announced
            case "challenger served":
                known = (
                    e for e in ledger.entries(self._model) if e.event.startswith("challenger ")
                )
                last = next(known, None)
                return last is None or (last.event, last.reasons) != (
                    happened.event,
                    happened.reasons,
                )
        return True

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

    def _complain(self, what: str, error: Exception) -> None:
        """Log what went wrong, once for as long as it stays the same."""
        if self._troubles.get(what) != repr(error):
            logger.exception("%s of %s: failed; it goes on", what, self._model)
        self._troubles[what] = repr(error)


def _url(settings: Settings, model: str) -> str:
    serve = settings.model(model).serve
    return f"http://{serve.host}:{serve.port}"
