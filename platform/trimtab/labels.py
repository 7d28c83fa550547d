"""Labels from Python: what came true of the rows that a model was asked about.

`deliver("orders", [{"key": "order-7", "value": True}])` is all of it; `trimtab label` is the same
for files and databases, and `POST /labels` of an endpoint for callers elsewhere.
"""

import getpass
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from pathlib import Path

from trimtab.adapters.capture_key import open_redaction
from trimtab.adapters.manifest import read_verified
from trimtab.adapters.opening import open_clock, open_database, open_log
from trimtab.errors import ManifestError
from trimtab.policy.labelling import LabelError, LabelRules
from trimtab.ports import Database, InferenceLog
from trimtab.records.contracts import Contract
from trimtab.records.documents import from_json
from trimtab.records.labels import Delivered, Label
from trimtab.records.ledger import LedgerEntry
from trimtab.settings import Settings, load

SHOWN = 20
"""So many bad rows and unknown names are told one by one."""
_ROWS = 5_000  # in one transaction; others write in between
_NAMES = 100_000  # searched for in one look at the log

GivenLabel = Mapping[str, object]
"""`prediction_id` or `key`, `value`, and perhaps `known_at`, as in `POST /labels`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BadLabel:
    """A label that was not taken."""

    row: int
    """Its number; in a file of text, that of the line."""
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What became of labels that were delivered."""

    delivered: Delivered = Delivered()
    bad: int = 0
    """Labels that were not taken."""
    bad_shown: tuple[BadLabel, ...] = ()
    """The first of them."""
    unknown: int = 0
    """Names that no prediction was found for; they count as soon as it comes."""
    unknown_shown: tuple[str, ...] = ()

    def with_bad(self, row: int, why: str) -> "Delivery":
        """Add a label that was not taken."""
        room = len(self.bad_shown) < SHOWN
        shown = (*self.bad_shown, BadLabel(row=row, why=why)) if room else self.bad_shown
        return replace(self, bad=self.bad + 1, bad_shown=shown)


def deliver(
    model: str, labels: Iterable[GivenLabel], *, project: Path | str = ".", by: str | None = None
) -> Delivery:
    """Deliver labels; late, repeated and corrected ones are normal.

    `project` is the folder that holds `trimtab.toml`, `by` who tells, by default the user of this
    process. Bad labels are counted and shown, and do not keep the others back. Raises what
    `load` raises, UnknownModelError and DatabaseUnreachableError.
    """
    rows = enumerate(labels, 1)
    return deliver_rows(load(Path(project)), model, rows, by=by or _user(), origin="Python")


def deliver_rows(
    settings: Settings,
    model: str,
    rows: Iterable[tuple[int, GivenLabel | str]],
    *,
    by: str,
    origin: str,
    told: Callable[[Delivery], None] = lambda so_far: None,
) -> Delivery:
    """Deliver numbered labels, some thousands at a time; `told` hears how far that is.

    Text in a label's place says why it is none.

    An exception, also one of `rows`, leaves all that was told before in the database.
    """
    database, log = open_database(settings), open_log(settings)
    now, redaction = open_clock(settings).now(), open_redaction(settings, model)
    rules = LabelRules(
        task=settings.model(model).task, now=now, contract=contract_of(settings, database, model)
    )
    delivery, names, waiting = Delivery(), set[str](), iter(rows)
    try:
        while some := list(islice(waiting, _ROWS)):
            labels, delivery = _read(rules, some, delivery)
            kept = [replace(label, key=redaction.key(label.key)) for label in labels]
            with database.transaction() as stores:
                delivered = stores.labels.put(model, kept, by=by, at=now)
            delivery = replace(delivery, delivered=delivery.delivered + delivered)
            names |= {label.key for label in kept}
            if len(names) >= _NAMES:
                delivery, names = _searched(database, log, model, names, delivery), set()
            told(delivery)
        return _searched(database, log, model, names, delivery)
    finally:
        if delivery.delivered.total:
            _enter(database, model, delivery, by, origin, now)


def search(database: Database, log: InferenceLog, model: str) -> bool:
    """Look for the predictions of labels that nobody has looked for yet, of a bounded number.

    Gives whether there may be more.
    """
    with database.transaction() as stores:
        names = stores.label_search.unsought(model, _NAMES)
    if not names:
        return False
    found = log.find(model, names)
    with database.transaction() as stores:
        stores.label_search.found(model, found)
        stores.label_search.not_found(model, set(names) - found)
    return len(names) == _NAMES


def contract_of(settings: Settings, database: Database, model: str) -> Contract | None:
    """Give the champion's contract, if it is on this machine; it says which classes there are."""
    with database.transaction() as stores:
        champion = stores.promotions.current(model)
    if champion is None:
        return None
    places = (
        settings.home.version(model, champion.version),
        settings.home.bento(model, champion.version) / "src" / "version",
    )
    for folder in places:
        try:
            content = read_verified(folder, "contract.json", champion.manifest_sha256)
            return from_json(Contract, content)
        except (ManifestError, ValueError, OSError):
            continue  # not here, or not whole
    return None


def _read(
    rules: LabelRules, rows: Sequence[tuple[int, GivenLabel | str]], delivery: Delivery
) -> tuple[list[Label], Delivery]:
    labels = []
    for number, given in rows:
        if isinstance(given, str):
            delivery = delivery.with_bad(number, given)
            continue
        try:
            labels.append(rules.read(given))
        except LabelError as error:
            delivery = delivery.with_bad(number, str(error))
    return labels, delivery


def _searched(
    database: Database, log: InferenceLog, model: str, names: set[str], delivery: Delivery
) -> Delivery:
    """Count what no prediction was found for."""
    while search(database, log, model):
        pass
    with database.transaction() as stores:
        unknown = sorted(stores.label_search.unmatched_of(model, names))
    shown = (*delivery.unknown_shown, *unknown)[:SHOWN]
    return replace(delivery, unknown=delivery.unknown + len(unknown), unknown_shown=shown)


def _enter(
    database: Database, model: str, delivery: Delivery, by: str, origin: str, now: datetime
) -> None:
    done = delivery.delivered
    counts = {"corrected": done.corrected, "outdated": done.outdated, "refused": delivery.bad}
    entry = LedgerEntry(
        at=now,
        actor=by,
        event="labels delivered",
        model=model,
        subject=f"{done.total} labels",
        reasons=(origin, *(f"{count} {what}" for what, count in counts.items() if count)),
    )
    with database.transaction() as stores:
        stores.ledger.append(entry)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "python"
