"""How a bake begins: a trial of the new champion, in the transaction that promotes it."""

from datetime import timedelta
from uuid import uuid4

from trimtab.ports import Stores
from trimtab.records.durations import format_duration
from trimtab.records.promotions import Promotion
from trimtab.records.trials import Trial, TrialKind

from .events import Event, entry


def begin_bake(stores: Stores, promotion: Promotion, before: Promotion, length: timedelta) -> None:
    """Have a new champion prove itself beside the one before; no other trial may be running."""
    trial = Trial(
        id=uuid4().hex,
        model=promotion.model,
        kind=TrialKind.BAKE,
        champion=promotion.version,
        epoch=promotion.epoch,
        challenger=before.version,
        manifest_sha256=before.manifest_sha256,
        by=promotion.actor,
        why="",
        began_at=promotion.at,
        since=promotion.at,
        until=promotion.at + length,
        compared_through=promotion.at,
    )
    stores.trials.begin(trial)
    reasons = [
        f"for {format_duration(length)}, until {trial.until:%Y-%m-%d %H:%M}",
        f"beside what version {before.version} would have answered",
    ]
    stores.ledger.append(
        entry(
            Event.BAKE_BEGUN,
            promotion.model,
            promotion.version,
            at=promotion.at,
            actor=promotion.actor,
            reasons=reasons,
        )
    )
