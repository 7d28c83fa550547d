"""MLflow's alias `champion` follows the promotions; one moved by hand is put back, or checked."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from trimtab.ports import Clock, Database, Ledger, ModelRegistry
from trimtab.records.promotions import Promotion
from trimtab.records.versions import Alias

from .events import Event, entry
from .hand_moves import alert_of, named, note_hand, why_foreign

log = logging.getLogger(__name__)

_ABOUT_ALIASES = (
    Event.ALIAS_MOVED,
    Event.ALIAS_MOVED_BY_HAND,
    Event.ALIAS_PUT_BACK,
    Event.PROMOTED,
    Event.ROLLED_BACK,
)
_FAR_BACK = 1000  # ledger entries; an older move was followed long ago


@dataclass(slots=True)
class AliasKeeper:
    """Closes the difference between the promotion in force and the alias in the registry."""

    registry: ModelRegistry
    database: Database
    clock: Clock
    adopts: Callable[[str], bool] = lambda model: False
    """Whether a version that somebody points a model's alias at may become champion."""
    _followed: dict[str, int] = field(default_factory=dict)
    """The epoch that each model's alias is known to have followed."""

    def keep(self, model: str) -> str | None:
        """Look at one model's alias and put right what is wrong.

        Gives the version that somebody pointed it at where that is to be checked rather than put
        back. Raises RegistryUnreachableError, and UnknownVersionError when somebody deleted the
        champion's version.
        """
        with self.database.transaction() as stores:
            promotion = stores.promotions.current(model)
            has_followed = promotion is None or self._has_followed(stores.ledger, promotion)
        wanted = promotion.version if promotion else None
        found = self.registry.aliased(model, Alias.CHAMPION)
        if found != wanted and self._is_outdated(model, promotion):
            return None  # the champion moved between both reads; the next look sees it whole
        if found != wanted and has_followed:
            foreign = why_foreign(self.registry, model, found) if found else ""
            if found and not foreign and self.adopts(model):
                self._note_adoption(model, found, wanted)
                return found
            self.registry.point(model, Alias.CHAMPION, wanted)
            self._note_hand(model, promotion, found, foreign)
        elif found != wanted:
            self.registry.point(model, Alias.CHAMPION, wanted)
        if promotion and not has_followed:
            self._note_move(promotion)
        if promotion:
            self._followed[model] = promotion.epoch
        return None

    def _is_outdated(self, model: str, promotion: Promotion | None) -> bool:
        with self.database.transaction() as stores:
            return stores.promotions.current(model) != promotion

    def _has_followed(self, ledger: Ledger, promotion: Promotion) -> bool:
        if self._followed.get(promotion.model) == promotion.epoch:
            return True
        return any(
            known.event == Event.ALIAS_MOVED and _epoch(promotion) in known.reasons
            for known in ledger.entries(promotion.model, limit=_FAR_BACK)
        )

    def _note_move(self, promotion: Promotion) -> None:
        with self.database.transaction() as stores:
            stores.ledger.append(
                entry(
                    Event.ALIAS_MOVED,
                    promotion.model,
                    promotion.version,
                    at=self.clock.now(),
                    reasons=(_epoch(promotion),),
                )
            )

    def _note_adoption(self, model: str, found: str, wanted: str | None) -> None:
        """Write down once that a move was noticed, whichever worker looks at it next."""
        moved = _moved(wanted, found)
        reasons = (moved, "it is checked as trimtab promote checks it, and adopted if it passes")
        with self.database.transaction() as stores:
            known = (e for e in stores.ledger.entries(model) if e.event in _ABOUT_ALIASES)
            newest = next(known, None)
            if newest is None or (newest.subject, newest.reasons) != (found, reasons):
                log.warning("%s: %s; it is checked", model, moved)
                note_hand(stores, model, found, reasons, at=self.clock.now())

    def _note_hand(
        self, model: str, promotion: Promotion | None, found: str | None, foreign: str
    ) -> None:
        wanted = promotion.version if promotion else None
        moved = _moved(wanted, found)
        log.warning("%s: %s; it was put back", model, moved)
        reasons = [moved, *filter(None, [foreign])]
        reasons.append(
            f"it was put back to {named(wanted)}; to move the champion use trimtab promote or "
            "trimtab rollback"
        )
        now = self.clock.now()
        with self.database.transaction() as stores:
            note_hand(stores, model, found, reasons, at=now)
            alert_of(stores, model, promotion, found, reasons, at=now)


def _moved(wanted: str | None, found: str | None) -> str:
    return f"somebody moved the alias champion from {named(wanted)} to {named(found)}"


def _epoch(promotion: Promotion) -> str:
    return f"it follows promotion {promotion.epoch}"
