"""Retrain requests and their leases, and what there is to learn from."""

import time
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from trimtab.errors import LeaseLostError
from trimtab.records.requests import RequestState, RetrainRequest
from trimtab.records.row_counts import RowCount

from .rows import as_record, as_values
from .tables import RequestRow, RowCountRow

_OPEN = [state for state in RequestState if state.is_open]


class SqlRetrainRequests:
    """The asks for new versions; the one-open-a-model rule is an index of the table."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def ask(self, request: RetrainRequest) -> bool:
        """File a request; False, and nothing filed, when one is open for the model."""
        query = select(RequestRow.id).where(
            RequestRow.model == request.model, RequestRow.state.in_(_OPEN)
        )
        if self._session.scalars(query).first() is not None:
            return False
        self._session.add(RequestRow(**as_values(request), filed=time.time_ns()))
        self._session.flush()
        return True

    def claim(self, models: Sequence[str], holder: str, ttl: timedelta) -> RetrainRequest | None:
        """Take the oldest asked request, or a running one whose lease ran out; one caller wins."""
        now = time.time()
        query = (
            select(RequestRow)
            .where(
                RequestRow.model.in_(models),
                or_(
                    RequestRow.state == RequestState.ASKED,
                    (RequestRow.state == RequestState.RUNNING) & (RequestRow.lease_until < now),
                ),
            )
            .order_by(RequestRow.filed)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        row = self._session.scalars(query).first()
        if row is None:
            return None
        row.state, row.holder = RequestState.RUNNING, holder
        row.lease_until = now + ttl.total_seconds()
        self._session.flush()
        return as_record(RetrainRequest, row)

    def renew(self, request_id: str, holder: str, ttl: timedelta) -> None:
        """Extend a lease. Raises LeaseLostError when it is somebody else's by now."""
        changed = self._session.execute(
            update(RequestRow)
            .where(
                RequestRow.id == request_id,
                RequestRow.holder == holder,
                RequestRow.state == RequestState.RUNNING,
            )
            .values(lease_until=time.time() + ttl.total_seconds())
            .returning(RequestRow.id)
        )
        if changed.first() is None:
            raise LeaseLostError(request_id, holder)

    def finish(self, request: RetrainRequest, holder: str | None) -> None:
        """Write how a request ended (or that it is WAITING). Raises LeaseLostError."""
        mine = RequestRow.state.in_(_OPEN) if holder is None else RequestRow.holder == holder
        changed = self._session.execute(
            update(RequestRow)
            .where(RequestRow.id == request.id, RequestRow.state.in_(_OPEN), mine)
            .values(**as_values(request), holder=None, lease_until=None)
            .returning(RequestRow.id)
        )
        if changed.first() is None:
            raise LeaseLostError(request.id, holder or request.asked_by)

    def recent(self, model: str, *, limit: int = 50) -> Sequence[RetrainRequest]:
        """List requests, newest first, open ones included."""
        query = (
            select(RequestRow)
            .where(RequestRow.model == model)
            .order_by(RequestRow.filed.desc())
            .limit(limit)
        )
        return [as_record(RetrainRequest, row) for row in self._session.scalars(query)]


class SqlRowCounts:
    """The newest count of each model."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def put(self, count: RowCount) -> None:
        """Write a count in place of the one before."""
        self._session.merge(RowCountRow(**as_values(count)))
        self._session.flush()

    def get(self, model: str) -> RowCount | None:
        """Read it; None where nobody has counted yet."""
        row = self._session.get(RowCountRow, model)
        return None if row is None else as_record(RowCount, row)
