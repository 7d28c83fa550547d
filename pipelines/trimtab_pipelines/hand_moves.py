"""What is written and said when somebody moves the alias `champion` in MLflow."""

from collections.abc import Sequence
from datetime import datetime

from trimtab.errors import UnknownVersionError
from trimtab.ports import Database, ModelRegistry, Stores
from trimtab.records.incidents import Alert
from trimtab.records.promotions import Promotion
from trimtab.records.versions import Alias

from .events import WORKER, Event, entry

HAND = "MLflow UI (unknown)"
"""MLflow does not tell who moved an alias."""


def note_hand(
    stores: Stores, model: str, found: str | None, reasons: Sequence[str], *, at: datetime
) -> None:
    """Write into the ledger that somebody moved the alias to `found`."""
    told = entry(
        Event.ALIAS_MOVED_BY_HAND, model, found or "none", at=at, actor=HAND, reasons=reasons
    )
    stores.ledger.append(told)


def put_back(
    registry: ModelRegistry,
    database: Database,
    model: str,
    found: str,
    reasons: Sequence[str],
    *,
    at: datetime,
) -> None:
    """Point the alias at the champion again, once it is written down why."""
    with database.transaction() as stores:
        current = stores.promotions.current(model)
        wanted = current.version if current else None
        told = (f"it was put back to {named(wanted)}", *reasons)
        stores.ledger.append(
            entry(Event.ALIAS_PUT_BACK, model, found, at=at, actor=WORKER, reasons=told)
        )
        alert_of(stores, model, current, found, told, at=at)
    if registry.aliased(model, Alias.CHAMPION) == found:  # else somebody moved it once more
        registry.point(model, Alias.CHAMPION, wanted)


def alert_of(
    stores: Stores,
    model: str,
    current: Promotion | None,
    found: str | None,
    reasons: Sequence[str],
    *,
    at: datetime,
) -> None:
    """Tell people, once for each champion and version, that a move by hand does not count."""
    step = f"To move the champion: trimtab promote {model} VERSION, or trimtab rollback {model}"
    stores.outbox.put(
        Alert(
            key=f"alias put back:{model}:{current.epoch if current else 0}:{found}",
            model=model,
            title=f"{model}: MLflow's alias champion was moved by hand, and put back",
            body="\n".join([*(f"- {reason}" for reason in reasons), "", step]),
            at=at,
            command=f"trimtab history {model}",
        )
    )


def why_foreign(registry: ModelRegistry, model: str, version: str) -> str:
    """Say why a version can never be champion; empty when it is one of ours."""
    if any(known.version == version for known in registry.versions(model)):
        return ""
    why = "it carries no manifest, so nobody trained it with Trimtab"
    return str(UnknownVersionError(model, version, why))


def named(version: str | None) -> str:
    """Name what an alias points at."""
    return f"version {version}" if version else "no version"
