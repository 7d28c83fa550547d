"""What pipelines write into the ledger."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from trimtab.records.ledger import LedgerEntry

WORKER = "pipelines"
"""The actor of what no person did."""


class Event(StrEnum):
    """Noun and past participle."""

    ASKED = "retrain requested"
    DECLINED = "retrain declined"
    STARTED = "training started"
    DIED = "training broken off"
    FAILED = "training failed"
    REGISTERED = "version registered"
    WON = "challenger won"
    LOST = "challenger rejected"
    PROMOTED = "version promoted"
    ROLLED_BACK = "version rolled back"
    TRIAL_BEGUN = "trial begun"
    TRIAL_ENDED = "trial ended"
    BAKE_BEGUN = "bake begun"
    BAKE_PASSED = "bake passed"
    BAKE_FAILED = "bake failed"
    BAKE_ENDED = "bake ended"
    """Neither: somebody, or another champion, ended it before its time."""
    ALIAS_MOVED = "alias moved"
    ALIAS_MOVED_BY_HAND = "alias moved by hand"
    ALIAS_PUT_BACK = "alias put back"


def entry(
    event: Event,
    model: str,
    subject: str,
    *,
    at: datetime,
    actor: str = WORKER,
    reasons: Sequence[str] = (),
) -> LedgerEntry:
    """Word a ledger entry."""
    return LedgerEntry(
        at=at,
        actor=actor,
        event=event.value,
        model=model,
        subject=subject,
        reasons=tuple(reasons),
    )
