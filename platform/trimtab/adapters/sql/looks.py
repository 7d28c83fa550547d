"""Which rows were used how often to compare versions."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from trimtab.errors import StaleLookError
from trimtab.records.looks import Look

from .rows import as_record, as_values
from .tables import LookRow


class SqlLooks:
    """The looks of each model, numbered without gaps."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def of(self, model: str) -> Sequence[Look]:
        """List the looks of a model, oldest first."""
        query = select(LookRow).where(LookRow.model == model).order_by(LookRow.number)
        return [as_record(Look, row) for row in self._session.scalars(query)]

    def record(self, look: Look) -> None:
        """Write a look. Raises StaleLookError unless its number is that of the newest plus 1."""
        newest = select(LookRow.number).where(LookRow.model == look.model)
        last = self._session.scalars(newest.order_by(LookRow.number.desc()).limit(1)).first()
        if look.number != (last or 0) + 1:
            raise StaleLookError(look.model, look.number)
        self._session.add(LookRow(**as_values(look)))
        self._session.flush()
