"""Winners that wait for a person: approved or rejected."""

from collections.abc import Sequence
from contextlib import suppress

from trimtab.errors import RegistryUnreachableError
from trimtab.ports import Stores
from trimtab.records.requests import RequestState, RetrainRequest
from trimtab.records.versions import Alias

from .bench import Bench
from .by_hand import ByHand, NotWaitingError, promote_by_hand
from .waiting import refuse


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


def _end(
    bench: Bench, request: RetrainRequest, actor: str, reasons: Sequence[str]
) -> RetrainRequest:
    model, number = request.model, request.version or ""
    with bench.database.transaction() as stores:
        if request not in stores.requests.recent(model):
            raise NotWaitingError(model, number)
        ended = refuse(stores, request, actor, reasons, bench.clock.now())
    with suppress(RegistryUnreachableError):  # a courtesy to those who look at MLflow
        if bench.registry.aliased(model, Alias.CHALLENGER) == number:
            bench.registry.point(model, Alias.CHALLENGER, None)
    return ended
