"""The ledger and the moves of champions."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from trimtab.errors import LedgerBrokenError, StaleEpochError
from trimtab.records.ledger import GENESIS, LedgerEntry
from trimtab.records.promotions import Promotion

from .rows import as_record, as_values
from .tables import LedgerRow, PromotionRow


class SqlLedger:
    """Append-only by its interface, hash-chained so that a change by hand shows."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def append(self, entry: LedgerEntry) -> None:
        """Write one entry behind the last; the database admits one writer at a time."""
        newest = select(LedgerRow).order_by(LedgerRow.seq.desc()).limit(1)
        last = self._session.scalars(newest).first()
        previous = last.digest if last else GENESIS
        self._session.add(
            LedgerRow(
                **as_values(entry),
                seq=last.seq + 1 if last else 1,
                previous=previous,
                digest=entry.digest(previous),
            )
        )
        self._session.flush()

    def entries(self, model: str | None = None, *, limit: int = 100) -> Sequence[LedgerEntry]:
        """List the newest entries, newest first."""
        query = select(LedgerRow).order_by(LedgerRow.seq.desc()).limit(limit)
        if model is not None:
            query = query.where(LedgerRow.model == model)
        return [as_record(LedgerEntry, row) for row in self._session.scalars(query)]

    def concerning(self, model: str, subject: str) -> Sequence[LedgerEntry]:
        """List the entries about one subject, newest first."""
        query = (
            select(LedgerRow)
            .where(LedgerRow.model == model, LedgerRow.subject == subject)
            .order_by(LedgerRow.seq.desc())
        )
        return [as_record(LedgerEntry, row) for row in self._session.scalars(query)]

    def verify(self) -> int:
        """Check the whole chain and count its rows. Raises LedgerBrokenError."""
        previous, count = GENESIS, 0
        for row in self._session.scalars(select(LedgerRow).order_by(LedgerRow.seq)):
            count += 1
            digest = as_record(LedgerEntry, row).digest(previous)
            if (row.seq, row.previous, row.digest) != (count, previous, digest):
                raise LedgerBrokenError(row.seq)
            previous = digest
        return count


class SqlPromotions:
    """The moves of every champion."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def current(self, model: str) -> Promotion | None:
        """Give the move in force."""
        return next(iter(self.history(model)), None)

    def record(self, promotion: Promotion) -> None:
        """Move the champion. Raises StaleEpochError unless the epoch is the current one plus 1."""
        current = self.current(promotion.model)
        if promotion.epoch != (current.epoch if current else 0) + 1:
            raise StaleEpochError(promotion.model, promotion.epoch - 1)
        self._session.add(PromotionRow(**as_values(promotion)))
        self._session.flush()

    def history(self, model: str) -> Sequence[Promotion]:
        """List all moves, newest first."""
        query = (
            select(PromotionRow)
            .where(PromotionRow.model == model)
            .order_by(PromotionRow.epoch.desc())
        )
        return [as_record(Promotion, row) for row in self._session.scalars(query)]
