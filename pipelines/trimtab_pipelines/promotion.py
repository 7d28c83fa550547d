"""Moving the champion: one transaction in our database; endpoints and MLflow's alias follow."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from trimtab.policy.reigns import stamp
from trimtab.ports import Stores
from trimtab.records.promotions import Move, Promotion
from trimtab.records.requests import RequestState
from trimtab.records.versions import ModelVersion

from .bake_begin import begin_bake
from .events import Event, entry
from .trial_ends import end_overtaken


def promote(
    stores: Stores,
    version: ModelVersion,
    *,
    against: Promotion | None,
    actor: str,
    reasons: Sequence[str],
    at: datetime,
    how: Move = Move.GATE,
    bake: timedelta | None = None,
) -> Promotion:
    """Make a version champion, in the caller's transaction, with a ledger row.

    A trial against the champion before is over with it. With `bake` the new champion has to prove
    itself for so long beside the one before, where there was one.

    `against` is the champion it was judged against. Raises StaleEpochError, and nothing may be
    committed, when there is another one by now.
    """
    promotion = Promotion(
        model=version.model,
        epoch=(against.epoch if against else 0) + 1,
        version=version.version,
        previous=against.version if against else None,
        manifest_sha256=version.manifest_sha256,
        actor=actor,
        reasons=tuple(reasons),
        at=at,
        how=how,
    )
    stores.promotions.record(promotion)
    event = Event.ROLLED_BACK if how in (Move.ROLLBACK, Move.BAKE) else Event.PROMOTED
    told = [*reasons, stamp(promotion)]
    stores.ledger.append(
        entry(event, version.model, version.version, at=at, actor=actor, reasons=told)
    )
    end_overtaken(stores, promotion)
    if bake is not None and against is not None:
        begin_bake(stores, promotion, against, bake)
    return promotion


def settle_waiting(stores: Stores, promotion: Promotion) -> None:
    """End a request that waits for approval: approved, or overtaken by this move."""
    for request in stores.requests.recent(promotion.model):
        if request.state is not RequestState.WAITING:
            continue
        is_approved = request.version == promotion.version
        ended = replace(
            request,
            state=RequestState.PROMOTED if is_approved else RequestState.REJECTED,
            reasons=(
                *request.reasons,
                f"approved by {promotion.actor}"
                if is_approved
                else f"{promotion.actor} made version {promotion.version} champion instead",
            ),
            finished_at=promotion.at,
        )
        stores.requests.finish(ended, None)


def previous_champion(history: Sequence[Promotion]) -> Promotion | None:
    """Find where a rollback leads: the champion before, of those not rolled back from.

    Going back to a version takes everything that came after it off the line, so a second
    rollback leads further back and not forth again.

    >>> def moves(*versions: str) -> list[Promotion]:
    ...     return [
    ...         Promotion(
    ...             model="m", epoch=n, version=v, previous=None, manifest_sha256="", actor="a",
    ...             reasons=(), at=datetime(2013, 4, n),
    ...         )
    ...         for n, v in enumerate(versions, start=1)
    ...     ][::-1]
    >>> previous_champion(moves("1", "2", "3")).version
    '2'
    >>> previous_champion(moves("1", "2", "3", "2")).version
    '1'
    >>> previous_champion(moves("1")) is None
    True
    """
    line: list[Promotion] = []
    for move in reversed(history):
        known = [i for i, earlier in enumerate(line) if earlier.version == move.version]
        if known:
            del line[known[0] :]
        line.append(move)
    return line[-2] if len(line) > 1 else None
