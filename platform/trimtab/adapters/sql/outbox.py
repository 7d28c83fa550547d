"""Alerts on their way out, and what endpoints say of themselves."""

import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import Select, and_, func, select
from sqlalchemy.orm import Session

from trimtab.policy.backoff import pause
from trimtab.records.deliveries import LOG, Attempt, Standing
from trimtab.records.endpoints import EndpointStatus
from trimtab.records.incidents import Alert

from .rows import as_record, as_values
from .tables import AlertRow, DeliveryRow, EndpointRow


class SqlOutbox:
    """Written with the decision, delivered afterwards, to each address on its own."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def put(self, alert: Alert) -> None:
        """Queue an alert; one key is queued once."""
        if self._session.get(AlertRow, alert.key) is None:
            self._session.add(AlertRow(**as_values(alert), queued=time.time()))
            self._session.flush()

    def due(self, address: str = LOG, *, limit: int = 20) -> Sequence[Alert]:
        """List alerts that an address lacks and whose next attempt is due, oldest first."""
        rows = self._session.scalars(_due(address, limit))
        return [as_record(Alert, row) for row in rows]

    def claim(self, address: str, *, hold: timedelta, limit: int = 20) -> Sequence[Attempt]:
        """Take what is due for an address, for so long; nobody else gets it meanwhile."""
        return [
            Attempt(alert=alert, address=address, is_unsure=self._hold(alert.key, address, hold))
            for alert in self.due(address, limit=limit)
        ]

    def taken(self, key: str, address: str) -> None:
        """Note that an address has an alert; it never gets it again."""
        row = self._session.get_one(DeliveryRow, (key, address))
        row.taken, row.is_unsure, row.error = time.time(), False, None

    def missed(self, key: str, address: str, error: str, *, is_unsure: bool) -> None:
        """Note a failed attempt; the next one waits longer each time."""
        row = self._session.get_one(DeliveryRow, (key, address))
        row.failures, row.error, row.is_unsure = row.failures + 1, error, is_unsure
        row.next_attempt = time.time() + pause(row.failures, random.random()).total_seconds()

    def complete(self, addresses: Sequence[str]) -> Sequence[Alert]:
        """Close the alerts that all of these addresses have; gives them, each once."""
        wanted = set(addresses)
        having = (
            select(func.count())
            .where(
                DeliveryRow.key == AlertRow.key,
                DeliveryRow.address.in_(wanted),
                DeliveryRow.taken.is_not(None),
            )
            .scalar_subquery()
        )
        query = (
            select(AlertRow)
            .where(AlertRow.delivered.is_(None), having == len(wanted))
            .order_by(AlertRow.queued)
        )
        rows = self._session.scalars(query).all()
        for row in rows:
            row.delivered = time.time()
        return [as_record(Alert, row) for row in rows]

    def standing(self, model: str | None = None) -> Sequence[Standing]:
        """Tell how each address stands that was ever tried, and the log."""
        tried = self._session.scalars(select(DeliveryRow.address).distinct())
        return [self._standing(address, model) for address in sorted({LOG, *tried})]

    def _hold(self, key: str, address: str, hold: timedelta) -> bool:
        """Write an attempt down before it is made; tells whether one before it had no end."""
        row = self._session.get(DeliveryRow, (key, address))
        if row is None:
            row = DeliveryRow(key=key, address=address, failures=0, is_unsure=False)
            self._session.add(row)
        was_unsure, row.is_unsure = row.is_unsure, True  # until somebody says how it ended
        row.next_attempt = time.time() + hold.total_seconds()
        self._session.flush()
        return was_unsure

    def _standing(self, address: str, model: str | None) -> Standing:
        lacking = _lacking(address)
        failures = select(func.coalesce(func.sum(DeliveryRow.failures), 0)).where(
            DeliveryRow.address == address
        )
        if model is not None:
            lacking = lacking.where(AlertRow.model == model)
            failures = failures.join(AlertRow, AlertRow.key == DeliveryRow.key).where(
                AlertRow.model == model
            )
        waiting = self._session.execute(
            lacking.with_only_columns(AlertRow.queued, DeliveryRow.error).order_by(AlertRow.queued)
        ).all()
        return Standing(
            address=address,
            waiting=len(waiting),
            since=datetime.fromtimestamp(waiting[0].queued, UTC) if waiting else None,
            failures=int(self._session.scalar(failures) or 0),
            error=next((error for _, error in reversed(waiting) if error), None),
        )


def _lacking(address: str) -> Select[AlertRow]:
    """Find the alerts that an address does not have."""
    here = and_(DeliveryRow.key == AlertRow.key, DeliveryRow.address == address)
    return (
        select(AlertRow)
        .outerjoin(DeliveryRow, here)
        .where(AlertRow.delivered.is_(None), DeliveryRow.taken.is_(None))
    )


def _due(address: str, limit: int) -> Select[AlertRow]:
    is_due = func.coalesce(DeliveryRow.next_attempt, 0.0) <= time.time()
    return _lacking(address).where(is_due).order_by(AlertRow.at, AlertRow.queued).limit(limit)


class SqlEndpoints:
    """What the endpoints last said of themselves."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def put(self, status: EndpointStatus) -> None:
        """Write the status of a model's endpoint."""
        self._session.merge(EndpointRow(**as_values(status)))
        self._session.flush()

    def get(self, model: str) -> EndpointStatus | None:
        """Read it; None when the model was never served."""
        row = self._session.get(EndpointRow, model)
        return as_record(EndpointStatus, row) if row else None
