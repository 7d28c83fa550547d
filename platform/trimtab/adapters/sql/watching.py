"""What the monitor keeps: incidents, what was marked false, verdicts."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from trimtab.errors import UnknownIncidentError
from trimtab.records.incidents import FalseMark, Incident, IncidentState
from trimtab.records.verdicts import Verdict

from .rows import as_record, as_values
from .tables import FalseMarkRow, IncidentRow, VerdictRow

_OVER = [state for state in IncidentState if state.is_over]


class SqlIncidents:
    """Situations with a life."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, incident_id: str) -> Incident:
        """Give an incident. Raises UnknownIncidentError."""
        row = self._session.get(IncidentRow, incident_id)
        if row is None:
            raise UnknownIncidentError(incident_id)
        return as_record(Incident, row)

    def active(self, model: str) -> Sequence[Incident]:
        """List the incidents of a model that are not over."""
        query = select(IncidentRow).where(
            IncidentRow.model == model, IncidentRow.state.not_in(_OVER)
        )
        return [as_record(Incident, row) for row in self._session.scalars(query)]

    def save(self, incident: Incident) -> None:
        """Write an incident, new or changed."""
        self._session.merge(IncidentRow(**as_values(incident)))
        self._session.flush()

    def recent(self, model: str, *, limit: int = 50) -> Sequence[Incident]:
        """List incidents, newest first."""
        query = (
            select(IncidentRow)
            .where(IncidentRow.model == model)
            .order_by(IncidentRow.opened_at.desc())
            .limit(limit)
        )
        return [as_record(Incident, row) for row in self._session.scalars(query)]


class SqlFalseMarks:
    """The columns of incidents that were marked false."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def save(self, mark: FalseMark) -> None:
        """Write a mark, new or changed; an incident has one a column."""
        self._session.merge(FalseMarkRow(**as_values(mark)))
        self._session.flush()

    def of(self, model: str) -> Sequence[FalseMark]:
        """List the marks of a model, newest first, those that no longer count included."""
        query = (
            select(FalseMarkRow)
            .where(FalseMarkRow.model == model)
            .order_by(FalseMarkRow.marked_at.desc(), FalseMarkRow.column)
        )
        return [as_record(FalseMark, row) for row in self._session.scalars(query)]


class SqlVerdicts:
    """One verdict a model, version and window."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, verdict: Verdict) -> None:
        """Write a verdict; judging a window again replaces it."""
        self._session.merge(
            VerdictRow(
                model=verdict.model,
                version=verdict.version,
                window_start=verdict.window.start,
                window_end=verdict.window.end,
                kind=verdict.kind,
                verdict=verdict,
            )
        )
        self._session.flush()

    def recent(
        self, model: str, version: str | None = None, *, limit: int = 100
    ) -> Sequence[Verdict]:
        """List verdicts, newest window first."""
        query = (
            select(VerdictRow.verdict)
            .where(VerdictRow.model == model)
            .order_by(VerdictRow.window_end.desc(), VerdictRow.version.desc())
            .limit(limit)
        )
        if version is not None:
            query = query.where(VerdictRow.version == version)
        return list(self._session.scalars(query))

    def at(self, model: str, moment: datetime) -> Sequence[Verdict]:
        """List the verdicts of the windows that hold a moment, the newest version first."""
        query = select(VerdictRow.verdict).where(
            VerdictRow.model == model,
            VerdictRow.window_start <= moment,
            VerdictRow.window_end > moment,
        )
        found: Sequence[Verdict] = self._session.scalars(query).all()
        return sorted(found, key=lambda verdict: (len(verdict.version), verdict.version))[::-1]
