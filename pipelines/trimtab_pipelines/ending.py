"""How requests end: the state, the ledger row and what a person must hear, in one transaction."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from trimtab.policy.asking import losses_against
from trimtab.policy.retrain import trainings_of
from trimtab.ports import Stores
from trimtab.records.incidents import Alert
from trimtab.records.requests import RequestState, RetrainRequest, Trigger

from .events import Event, entry

MOST_ATTEMPTS = 3
"""How often a training is begun for one request, when processes die under it."""

_FAR_BACK = 500
_STOPPED = "nothing more is trained until a person asks (trimtab train)"
_EVENTS = {
    RequestState.WAITING: Event.WON,
    RequestState.PROMOTED: Event.WON,
    RequestState.REJECTED: Event.LOST,
    RequestState.DECLINED: Event.DECLINED,
    RequestState.FAILED: Event.FAILED,
}


def end_request(
    stores: Stores,
    request: RetrainRequest,
    holder: str,
    *,
    state: RequestState,
    reasons: Sequence[str],
    at: datetime,
    version: str | None = None,
    manifest_sha256: str | None = None,
    is_given_up: bool = False,
    give_up_after: int | None = None,
) -> RetrainRequest:
    """Write how a request ended (or that it waits), in the caller's transaction.

    `is_given_up` says that nothing more is trained until a person has looked; so does the loss
    that makes `give_up_after` in a row. Raises LeaseLostError, after which nothing may be
    committed.
    """
    if give_up_after is not None and _used_up(stores, request, state, give_up_after):
        is_given_up = True
        reasons = [
            *reasons,
            f"{give_up_after} trainings in a row gave no better version: {_STOPPED}",
        ]
    ended = replace(
        request,
        state=state,
        reasons=(*request.reasons, *reasons),
        version=version,
        manifest_sha256=manifest_sha256,
        finished_at=at,
    )
    stores.requests.finish(ended, holder)
    event, subject = _EVENTS[state], version or request.id
    stores.ledger.append(entry(event, request.model, subject, at=at, reasons=reasons))
    alert = _given_up(stores, ended, reasons, at) if is_given_up else _alert(ended, reasons, at)
    if alert:
        stores.outbox.put(alert)
    return ended


def _used_up(stores: Stores, request: RetrainRequest, state: RequestState, most: int) -> bool:
    """Tell whether this loss uses up the tries; one that a person asked for never does."""
    if state not in (RequestState.REJECTED, RequestState.FAILED):
        return False
    moves = stores.promotions.history(request.model)
    recent = stores.requests.recent(request.model, limit=_FAR_BACK)
    others = [other for other in recent if other.id != request.id]
    ended = replace(request, state=state)
    return losses_against(moves, [ended, *others]) >= most


def _given_up(stores: Stores, ended: RetrainRequest, reasons: Sequence[str], at: datetime) -> Alert:
    """Ask a person to look, once for the tries that are used up."""
    recent = stores.requests.recent(ended.model, limit=_FAR_BACK)
    last = next((request.id for request in recent if trainings_of([request])), "")
    step = f"Look at the rejected versions in MLflow, then: trimtab train {ended.model}"
    return Alert(
        key=f"retraining stopped:{ended.model}:{last}",
        model=ended.model,
        title=f"{ended.model}: retraining has stopped and needs a person",
        body="\n".join([*(f"- {reason}" for reason in reasons), "", step]),
        at=at,
    )


def _alert(ended: RetrainRequest, reasons: Sequence[str], at: datetime) -> Alert | None:
    """Word what a person has to do, if anything."""
    match ended.state:
        case RequestState.WAITING:
            title = f"{ended.model}: version {ended.version} won and waits for approval"
            named = f"{ended.model} {ended.version}"
            step = f'Approve it: trimtab approve {named}; or: trimtab reject {named} --why "..."'
        case RequestState.FAILED if ended.trigger is not Trigger.MANUAL:
            title = f"{ended.model}: a training failed"
            step = f"Put right what it says, then: trimtab train {ended.model}"
        case _:
            return None
    body = "\n".join([*(f"- {reason}" for reason in reasons), "", step])
    key = f"request {ended.state}:{ended.id}"
    return Alert(key=key, model=ended.model, title=title, body=body, at=at)
