"""Winners that wait for a person: approved, rejected, or given up when nobody answers."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from trimtab.errors import RegistryUnreachableError
from trimtab.ports import Stores
from trimtab.records.durations import format_duration
from trimtab.records.incidents import Alert
from trimtab.records.requests import RequestState, RetrainRequest
from trimtab.records.versions import Alias

from .bench import Bench
from .by_hand import ByHand, NotWaitingError, promote_by_hand
from .events import WORKER, Event, entry


def approve(bench: Bench, model: str, number: str, *, actor: str) -> ByHand:
    """Make a winner champion that waits for approval.

    Where another version has become champion meanwhile, it is judged again, on the newest rows;
    if it does not win again, it is rejected with the gate's reasons. Raises NotWaitingError and
    what `promote_by_hand` raises.
    """
    with bench.database.transaction() as stores:
        request = waiting(stores, model, number)
    found = promote_by_hand(bench, model, number, actor=actor)
    if found.promotion is None and found.contest is not None:
        reasons = [
            "another version became champion while it waited, and it was judged again",
            *found.contest.result.reasons,
        ]
        _end(bench, request, actor, reasons)
    return found


def reject(bench: Bench, model: str, number: str, *, actor: str, why: str) -> RetrainRequest:
    """Refuse a winner that waits for approval; it counts as one that lost.

    Raises NotWaitingError.
    """
    with bench.database.transaction() as stores:
        request = waiting(stores, model, number)
    return _end(bench, request, actor, [f"rejected by {actor}: {why}"])


def waiting(stores: Stores, model: str, number: str) -> RetrainRequest:
    """Find the request whose winner waits. Raises NotWaitingError."""
    for request in stores.requests.recent(model):
        if request.state is RequestState.WAITING and request.version == number:
            return request
    raise NotWaitingError(model, number)


def give_up_waiting(
    stores: Stores, model: str, *, now: datetime, within: timedelta
) -> RetrainRequest | None:
    """Reject a winner that nobody has approved in time, so that others may be trained."""
    for request in stores.requests.recent(model, limit=1):  # the one that is open is the newest
        since = request.finished_at
        if request.state is RequestState.WAITING and since and now - since >= within:
            reasons = [f"nobody approved it within {format_duration(within)}"]
            ended = _reject(stores, request, WORKER, reasons, now)
            stores.outbox.put(_given_up(ended, now))
            return ended
    return None


def _end(
    bench: Bench, request: RetrainRequest, actor: str, reasons: Sequence[str]
) -> RetrainRequest:
    model, number = request.model, request.version or ""
    with bench.database.transaction() as stores:
        if request not in stores.requests.recent(model):
            raise NotWaitingError(model, number)
        ended = _reject(stores, request, actor, reasons, bench.clock.now())
    with suppress(RegistryUnreachableError):  # a courtesy to those who look at MLflow
        if bench.registry.aliased(model, Alias.CHALLENGER) == number:
            bench.registry.point(model, Alias.CHALLENGER, None)
    return ended


def _reject(
    stores: Stores, request: RetrainRequest, actor: str, reasons: Sequence[str], at: datetime
) -> RetrainRequest:
    ended = replace(
        request,
        state=RequestState.REJECTED,
        reasons=(*request.reasons, *reasons),
        finished_at=at,
    )
    stores.requests.finish(ended, None)
    subject = request.version or request.id
    stores.ledger.append(
        entry(Event.LOST, request.model, subject, at=at, actor=actor, reasons=reasons)
    )
    return ended


def _given_up(ended: RetrainRequest, at: datetime) -> Alert:
    promote = f"trimtab promote {ended.model} {ended.version}"
    return Alert(
        key=f"approval given up:{ended.id}",
        model=ended.model,
        title=f"{ended.model}: version {ended.version} won and was not approved in time",
        body=f"{ended.reasons[-1]}; new versions may be trained again.\n\n"
        f"To let it compete once more: {promote}",
        at=at,
        command=promote,
    )
