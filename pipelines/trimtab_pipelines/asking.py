"""A training in the foreground, asked for by a person and claimed in the same breath."""

import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import uuid4

from trimtab.errors import LeaseLostError, RegistryUnreachableError, TrimtabError
from trimtab.ports import Database
from trimtab.records.requests import RequestState, RetrainRequest, Trigger

from .bench import Bench
from .events import Event, entry
from .pursuing import Outcome, Pursuit

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=30)
_RENEW_SECONDS = 10.0


class RequestOpenError(TrimtabError):
    """A request for the model is open already, and in somebody else's hands."""

    def __init__(self, request: RetrainRequest) -> None:
        asked = f"asked for by {request.asked_by} at {request.asked_at:%Y-%m-%d %H:%M}"
        if request.state is RequestState.WAITING:
            step = (
                f"Version {request.version} won and waits for approval: trimtab approve "
                f"{request.model} {request.version}, or: trimtab reject"
            )
        else:
            step = f"A training of {request.model!r} is under way ({asked}): trimtab status"
        super().__init__(step)
        self.request = request


def train_by_hand(
    bench: Bench,
    model: str,
    *,
    actor: str,
    until: datetime | None = None,
    override: str | None = None,
    say: Callable[[str], None],
) -> Outcome:
    """File a request, claim it and pursue it to its end.

    An open request that nobody works on is taken up instead. `override` says why it is trained
    although the data may be broken; a winner then waits for approval. Raises RequestOpenError and
    RegistryUnreachableError; an interruption is written down as well.
    """
    holder = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
    request = _claim(bench, model, actor, holder, override)
    pursuit = Pursuit(bench=bench, request=request, holder=holder, say=say, until=until)
    with _lease_kept(bench.database, request.id, holder):
        try:
            return pursuit.run()
        except RegistryUnreachableError as error:
            pursuit.fail(str(error))
            raise
        except KeyboardInterrupt:
            pursuit.fail(f"interrupted by {actor}")
            with suppress(TrimtabError):
                bench.end_stale_runs(bench.settings, model, None)
            raise


def _claim(
    bench: Bench, model: str, actor: str, holder: str, override: str | None
) -> RetrainRequest:
    """File and claim in one transaction, so that no worker comes in between."""
    now = bench.clock.now()
    request = RetrainRequest(
        id=uuid4().hex,
        model=model,
        trigger=Trigger.MANUAL,
        asked_by=actor,
        asked_at=now,
        reasons=(
            f"{actor} asked",
            *([f"although data may be broken: {override}"] * bool(override)),
        ),
        override=override,
    )
    with bench.database.transaction() as stores:
        if stores.requests.ask(request):
            stores.ledger.append(
                entry(Event.ASKED, model, request.id, at=now, actor=actor, reasons=request.reasons)
            )
        claimed = stores.requests.claim([model], holder, LEASE)
        if claimed is None:
            raise RequestOpenError(
                next(r for r in stores.requests.recent(model) if r.state.is_open)
            )
        return _by_hand(claimed, request)


def _by_hand(claimed: RetrainRequest, asked: RetrainRequest) -> RetrainRequest:
    """Make a request that was there already the person's own: they need not wait."""
    if claimed.id == asked.id:
        return claimed
    return replace(
        claimed,
        trigger=asked.trigger,
        asked_by=asked.asked_by,
        override=asked.override,
        reasons=(*claimed.reasons, *asked.reasons),
    )


@contextmanager
def _lease_kept(database: Database, request_id: str, holder: str) -> Iterator[None]:
    """Renew a lease from a thread, as long as the block lasts."""
    is_over = threading.Event()

    def renew() -> None:
        while not is_over.wait(_RENEW_SECONDS):
            try:
                with database.transaction() as stores:
                    stores.requests.renew(request_id, holder, LEASE)
            except LeaseLostError:
                return  # the pursuit finds out when it writes its end
            except Exception:  # whatever the database has, the lease lasts for two more attempts
                log.warning("the lease could not be renewed", exc_info=True)

    thread = threading.Thread(target=renew, name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
