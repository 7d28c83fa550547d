"""Alerts on their way out, and what endpoints say of themselves."""

import time
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from trimtab.records.endpoints import EndpointStatus
from trimtab.records.incidents import Alert

from .rows import as_record, as_values
from .tables import AlertRow, EndpointRow

_FIRST_DELAY = 1.0  # seconds; doubles with each failure
_LONGEST_DELAY = 3600.0


class SqlOutbox:
    """Written with the decision, delivered afterwards, once a key."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def put(self, alert: Alert) -> None:
        """Queue an alert; one key is queued once."""
        if self._session.get(AlertRow, alert.key) is None:
            self._session.add(AlertRow(**as_values(alert)))
            self._session.flush()

    def due(self, *, limit: int = 20) -> Sequence[Alert]:
        """List undelivered alerts whose next attempt is due, oldest first."""
        query = (
            select(AlertRow)
            .where(AlertRow.delivered.is_(None), AlertRow.next_attempt <= time.time())
            .order_by(AlertRow.at)
            .limit(limit)
        )
        return [as_record(Alert, row) for row in self._session.scalars(query)]

    def delivered(self, key: str) -> None:
        """Mark an alert as delivered."""
        row = self._session.get_one(AlertRow, key)
        row.delivered, row.error = time.time(), None

    def delayed(self, key: str, error: str) -> None:
        """Note a failed attempt; the next one waits longer each time, up to an hour."""
        row = self._session.get_one(AlertRow, key)
        delay = min(_FIRST_DELAY * 2.0**row.attempts, _LONGEST_DELAY)
        row.attempts, row.error = row.attempts + 1, error
        row.next_attempt = time.time() + delay


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
