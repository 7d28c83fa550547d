"""Winners that wait for a person: found, refused, and given up when nobody answers."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from trimtab.ports import Stores
from trimtab.records.durations import format_duration
from trimtab.records.incidents import Alert
from trimtab.records.requests import RequestState, RetrainRequest

from .events import WORKER, Event, entry


def give_up_waiting(
    stores: Stores, model: str, *, now: datetime, within: timedelta
) -> RetrainRequest | None:
    """Reject a winner that nobody has approved in time, so that others may be trained."""
    for request in stores.requests.recent(model, limit=1):  # the one that is open is the newest
        since = request.finished_at
        if request.state is RequestState.WAITING and since and now - since >= within:
            reasons = [f"nobody approved it within {format_duration(within)}"]
            ended = refuse(stores, request, WORKER, reasons, now)
            stores.outbox.put(_given_up(ended, now))
            return ended
    return None


def refuse(
    stores: Stores, request: RetrainRequest, actor: str, reasons: Sequence[str], at: datetime
) -> RetrainRequest:
    """End the request of a winner that is not to be champion, in the caller's transaction."""
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
