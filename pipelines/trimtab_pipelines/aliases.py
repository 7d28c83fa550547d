"""MLflow's alias `champion` follows the promotions; one that was moved by hand is put back."""

import logging
from dataclasses import dataclass, field

from trimtab.ports import Clock, Database, Ledger, ModelRegistry
from trimtab.records.promotions import Promotion
from trimtab.records.versions import Alias

from .events import Event, entry

log = logging.getLogger(__name__)

_FAR_BACK = 1000  # ledger entries; an older move was followed long ago


@dataclass(slots=True)
class AliasKeeper:
    """Closes the difference between the promotion in force and the alias in the registry."""

    registry: ModelRegistry
    database: Database
    clock: Clock
    _followed: dict[str, int] = field(default_factory=dict)
    """The epoch that each model's alias is known to have followed."""

    def keep(self, model: str) -> None:
        """Look at one model's alias and put right what is wrong.

        Raises RegistryUnreachableError, and UnknownVersionError when somebody deleted the
        champion's version.
        """
        with self.database.transaction() as stores:
            promotion = stores.promotions.current(model)
            has_followed = promotion is None or self._has_followed(stores.ledger, promotion)
        wanted = promotion.version if promotion else None
        found = self.registry.aliased(model, Alias.CHAMPION)
        if found != wanted:
            self.registry.point(model, Alias.CHAMPION, wanted)
            if has_followed:
                self._note_hand(model, found, wanted)
        if promotion and not has_followed:
            self._note_move(promotion)
        if promotion:
            self._followed[model] = promotion.epoch

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

    def _note_hand(self, model: str, found: str | None, wanted: str | None) -> None:
        moved = f"somebody moved the alias champion from {_named(wanted)} to {_named(found)}"
        log.warning("%s: %s; it was put back", model, moved)
        with self.database.transaction() as stores:
            stores.ledger.append(
                entry(
                    Event.ALIAS_MOVED_BY_HAND,
                    model,
                    found or "none",
                    at=self.clock.now(),
                    actor="unknown",
                    reasons=(
                        moved,
                        f"it was put back to {_named(wanted)}; to move the champion use "
                        "trimtab promote or trimtab rollback",
                    ),
                )
            )


def _epoch(promotion: Promotion) -> str:
    return f"it follows promotion {promotion.epoch}"


def _named(version: str | None) -> str:
    return f"version {version}" if version else "no version"
