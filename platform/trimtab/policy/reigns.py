"""Who was champion when: moves as stretches of time, and whether the ledger proves them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from trimtab.records.ledger import LedgerEntry
from trimtab.records.promotions import Move, Promotion


@dataclass(frozen=True, slots=True, kw_only=True)
class Reign:
    """One stretch of time with one champion."""

    promotion: Promotion
    """How it began: who decided, how and why, and which bytes."""
    until: datetime | None = None
    """None for the champion in force."""
    ended_how: Move | None = None
    ended_by: str | None = None

    @property
    def version(self) -> str:
        """The champion."""
        return self.promotion.version

    @property
    def since(self) -> datetime:
        """When it became champion."""
        return self.promotion.at

    def lasted(self, now: datetime) -> timedelta:
        """Tell how long it was champion, up to now."""
        return (self.until or now) - self.since


def reigns(history: Sequence[Promotion]) -> tuple[Reign, ...]:
    """Make stretches of time of moves, both newest first."""
    if not history:
        return ()
    ended = [
        Reign(promotion=move, until=after.at, ended_how=after.how, ended_by=after.actor)
        for after, move in pairwise(history)
    ]
    return (Reign(promotion=history[0]), *ended)


def reign_at(known: Sequence[Reign], moment: datetime) -> Reign | None:
    """Find the champion of a moment; None before the first."""
    return next((reign for reign in known if reign.since <= moment), None)


def stamp(promotion: Promotion) -> str:
    """Word what the ledger, which is chained, keeps of a move: its number and the bytes.

    >>> from datetime import UTC
    >>> stamp(Promotion(model="m", epoch=2, version="7", previous="6", manifest_sha256="c0ffee",
    ...     actor="ada", reasons=(), at=datetime(2013, 5, 3, tzinfo=UTC), how=Move.FORCE))
    'move 2 (force), manifest c0ffee'
    """
    return f"move {promotion.epoch} ({promotion.how}), manifest {promotion.manifest_sha256}"


def unproven(history: Sequence[Promotion], entries: Sequence[LedgerEntry]) -> tuple[str, ...]:
    """Name the moves that the ledger does not tell of just so, and those that only it tells of.

    The chain proves the ledger; this proves the table of moves by it.
    """
    told = {
        (e.subject, e.actor, e.at, e.reasons[:-1], e.reasons[-1])
        for e in entries
        if e.reasons and e.reasons[-1].startswith("move ")
    }
    stamps = {row[-1] for row in told}
    missing = [
        f"move {p.epoch} to version {p.version} is not in the ledger as it stands here"
        for p in history
        if (p.version, p.actor, p.at, p.reasons, stamp(p)) not in told
    ]
    known = {stamp(p) for p in history}
    gone = [f"the ledger tells of a {words} that is not here" for words in sorted(stamps - known)]
    return (*missing, *gone)


def withdrawn(history: Sequence[Promotion]) -> dict[str, datetime]:
    """Name the versions that a bake took back, and when; newest first.

    They count as challengers that lost.
    """
    pairs = pairwise(history)
    return {move.version: after.at for after, move in pairs if after.how is Move.BAKE}


def last_advance(history: Sequence[Promotion]) -> datetime | None:
    """Tell when the champion last moved for good: not by a bake, and not to what a bake took back.

    What lost since then lost against the champion that is in force.
    """
    gone = 0
    for move in history:
        if move.how is Move.BAKE:
            gone += 1
        elif gone:
            gone -= 1
        else:
            return move.at
    return None
