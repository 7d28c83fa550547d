"""The champions of a model from Python: who it was when, who decided, why, and how it is proven.

`champion_at("orders", datetime(2013, 5, 3, tzinfo=UTC))` answers for one moment; `trimtab history`
shows the same.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from trimtab.adapters.opening import open_database
from trimtab.errors import LedgerBrokenError
from trimtab.policy.reigns import Reign, reign_at, reigns, unproven
from trimtab.ports import Database
from trimtab.records.ledger import LedgerEntry
from trimtab.settings import load

_ALL = 1_000_000  # rows of one model's ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """All champions of a model, newest first, and what proves them."""

    model: str
    reigns: tuple[Reign, ...]
    ledger_rows: int
    """Rows of the ledger, of all models, whose chain was checked."""
    broken: tuple[str, ...] = ()
    """What does not hold: a row of the chain, or a move that the ledger does not tell of."""


def history(model: str, *, project: Path | str = ".") -> History:
    """Give all champions of a model, and check the ledger's chain.

    `project` is the folder that holds `trimtab.toml`. Raises what `load` raises,
    UnknownModelError and DatabaseUnreachableError.
    """
    settings = load(Path(project))
    settings.model(model)
    return history_in(open_database(settings), model)


def champion_at(model: str, moment: datetime, *, project: Path | str = ".") -> Reign | None:
    """Give the champion of a moment; None before the first. Raises what `history` raises."""
    return reign_at(history(model, project=project).reigns, moment)


def history_in(database: Database, model: str) -> History:
    """Read the champions of a model out of a database, and check what proves them."""
    with database.transaction() as stores:
        moves = stores.promotions.history(model)
        entries = stores.ledger.entries(model, limit=_ALL)
        rows, broken = 0, []
        try:
            rows = stores.ledger.verify()
        except LedgerBrokenError as error:
            broken.append(str(error))
    broken += unproven(moves, entries)
    return History(model=model, reigns=reigns(moves), ledger_rows=rows, broken=tuple(broken))


def evidence_of(database: Database, reign: Reign) -> tuple[LedgerEntry, ...]:
    """Give what the ledger tells of a champion's version, from its making on, oldest first."""
    with database.transaction() as stores:
        entries = stores.ledger.entries(reign.promotion.model, limit=_ALL)
    return tuple(e for e in reversed(entries) if e.subject == reign.version)
