"""Erasure of one subject: asked for in a file, carried out until nothing is left, then told."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trimtab.adapters.capture_key import capture_key, open_redaction
from trimtab.adapters.durable_files import make_folder, sync_folder, write_durably
from trimtab.policy.redaction import pseudonym, secret_of
from trimtab.ports import Clock, Database, LogUpkeep
from trimtab.records.documents import from_json, to_json
from trimtab.records.erasures import Erasure, Subject
from trimtab.records.ledger import LedgerEntry
from trimtab.settings import Settings

from .captured import decode
from .frames import FrameKind, scan
from .label_inbox import Inbox
from .quarantine import Quarantine
from .segment_file import FIRST_FRAME, SUFFIX
from .segments import ask_for_replacement

ERASED, NOTHING = "subject erased", "nothing was found"
"""How the ledger says it."""


def ask(settings: Settings, erasure: Erasure) -> Path:
    """Record what has to be erased, before anything is done; the same ask is one."""
    name = hashlib.sha256(to_json([erasure.key, erasure.prediction_id])).hexdigest()[:32]
    path = settings.home.erasures(erasure.model) / f"{name}.json"
    make_folder(path.parent)
    write_durably(path, to_json(erasure), mode=0o600)
    return path


def asked(settings: Settings, model: str) -> Sequence[Path]:
    """List what is not done yet."""
    return sorted(settings.home.erasures(model).glob("[!.]*.json"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Eraser:
    """Carries erasures out; everything may be done twice, and all of it is before one is done."""

    settings: Settings
    database: Database
    upkeep: LogUpkeep
    clock: Clock

    def erase(self, path: Path) -> bool:
        """Erase what a file asks for; False while the spool still holds some of it.

        What was captured is erased from the log only when no segment holds the subject any more,
        and labels when none are on their way: else they would be brought back.
        """
        try:
            erasure = from_json(Erasure, path.read_bytes())
        except FileNotFoundError:
            return True  # somebody else was faster
        subject = self._subject(erasure)
        spool = self.settings.home.spool(erasure.model)
        if is_held(spool, subject):
            ask_for_replacement(spool)
            return False
        if Inbox(self.settings.home.labels(erasure.model)).holds(subject):
            return False
        removed = self.upkeep.erase(erasure.model, subject)
        quarantined = Quarantine(spool / "quarantine").erase(subject)
        named = subject.keys | subject.prediction_ids
        with self.database.transaction() as stores:
            labels = stores.labels.erase(erasure.model, named)
            if removed.rows:  # the monitor adds up again what it still needs
                stores.sums.forget(erasure.model)
            found = (removed.rows, removed.files, quarantined, labels)
            stores.ledger.append(self._entry(erasure, *found))
        path.unlink(missing_ok=True)
        sync_folder(path.parent)
        return True

    def _subject(self, erasure: Erasure) -> Subject:
        if erasure.prediction_id is not None:
            return Subject(prediction_ids=frozenset({erasure.prediction_id}))
        key = erasure.key or ""
        hashed = open_redaction(self.settings, erasure.model).key(key)
        return Subject(keys=frozenset({key, hashed}))  # older rows may be in the clear

    def _entry(
        self, erasure: Erasure, rows: int, files: int, quarantined: int, labels: int
    ) -> LedgerEntry:
        """Tell it with a hash that proves which subject it was to whoever has the secret."""
        found = (
            f"{rows} rows in {files} files of the inference log",
            f"{labels} labels",
            f"{quarantined} requests in quarantine",
        )
        return LedgerEntry(
            at=self.clock.now(),
            actor=erasure.actor,
            event=ERASED,
            model=erasure.model,
            subject=self.name_of(erasure),
            reasons=(
                f"asked at {erasure.asked_at:%F %H:%M}",
                *(found if rows or labels or quarantined else (NOTHING,)),
            ),
        )

    def name_of(self, erasure: Erasure) -> str:
        """Name a subject as the ledger does."""
        name = erasure.prediction_id or erasure.key or ""
        return pseudonym(secret_of(capture_key(self.settings)), name)

    def told(self, erasure: Erasure) -> Sequence[str]:
        """Give what the ledger says of the subject's last erasure; nothing before there is one."""
        with self.database.transaction() as stores:
            entries = stores.ledger.entries(erasure.model)
        name = self.name_of(erasure)
        mine = (e.reasons for e in entries if (e.event, e.subject) == (ERASED, name))
        return next(mine, ())


def is_held(spool: Path, subject: Subject) -> bool:
    """Tell whether a segment has a row of a subject, shipped or not."""
    return any(_holds(path, subject) for path in spool.glob(f"*{SUFFIX}"))


def _holds(path: Path, subject: Subject) -> bool:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return False  # shipped and removed just now
    for frame in scan(data[FIRST_FRAME:]):
        if frame.kind is not FrameKind.REQUEST:
            continue
        try:
            rows = decode(frame.payload).rows
        except ValueError:
            continue
        if any(subject.has(row.key, row.prediction_id) for row in rows):
            return True
    return False
