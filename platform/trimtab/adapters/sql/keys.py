"""API keys, without their secrets."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from trimtab.errors import UnknownKeyError
from trimtab.records.keys import ApiKey

from .rows import as_record, as_values
from .tables import KeyRow


class SqlKeys:
    """The API keys of all endpoints."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, key: ApiKey) -> None:
        """Write a new key."""
        self._session.add(KeyRow(**as_values(key)))
        self._session.flush()

    def revoke(self, key_id: str, at: datetime) -> ApiKey:
        """Revoke a key, once: an earlier moment stays. Raises UnknownKeyError."""
        row = self._session.get(KeyRow, key_id)
        if row is None:
            raise UnknownKeyError(key_id)
        if row.revoked_at is None:
            row.revoked_at = at
            self._session.flush()
        return as_record(ApiKey, row)

    def all(self) -> Sequence[ApiKey]:
        """List every key there ever was, newest first."""
        return self._where()

    def of(self, model: str) -> Sequence[ApiKey]:
        """List those that are for a model or for every model, newest first."""
        return self._where(or_(KeyRow.model == model, KeyRow.model.is_(None)))

    def _where(self, *conditions: ColumnElement[bool]) -> Sequence[ApiKey]:
        query = select(KeyRow).where(*conditions).order_by(KeyRow.created_at.desc(), KeyRow.id)
        return [as_record(ApiKey, row) for row in self._session.scalars(query)]
