"""The trials of searches for settings."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from trimtab.records.searches import SearchTrial

from .tables import SearchRow


class SqlSearches:
    """Written trial by trial, so that a killed search goes on where it was."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, request_id: str, basis: str, trial: SearchTrial) -> None:
        """Keep a trial; one of the same number is replaced."""
        row = SearchRow(request=request_id, basis=basis, number=trial.number, trial=trial)
        self._session.merge(row)
        self._session.flush()

    def of(self, request_id: str, basis: str) -> Sequence[SearchTrial]:
        """List the trials of a request's search in their order."""
        query = (
            select(SearchRow)
            .where(SearchRow.request == request_id, SearchRow.basis == basis)
            .order_by(SearchRow.number)
        )
        return [row.trial for row in self._session.scalars(query)]
