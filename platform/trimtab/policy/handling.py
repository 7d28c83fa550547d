"""What a person may do with an incident: take it on, put it off, or say that it is none."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from trimtab.errors import IncidentOverError
from trimtab.records.incidents import FalseMark, Incident, IncidentState


def acknowledge(incident: Incident, *, by: str) -> Incident:
    """Take an incident on: it stays, and escalates no longer. Raises IncidentOverError."""
    _require_active(incident)
    return replace(incident, state=IncidentState.ACKNOWLEDGED, snoozed_until=None, handled_by=by)


def snooze(incident: Incident, *, by: str, until: datetime) -> Incident:
    """Put an incident off: nothing but its end is told until then. Raises IncidentOverError."""
    _require_active(incident)
    return replace(incident, state=IncidentState.SNOOZED, snoozed_until=until, handled_by=by)


def mark_false(incident: Incident, *, by: str, why: str, now: datetime) -> Incident:
    """Say that there was nothing, also of one that has ended by itself.

    Raises IncidentOverError when it was said before.
    """
    if incident.state is IncidentState.MARKED_FALSE:
        raise IncidentOverError(incident.id, incident.resolution)
    return replace(
        incident,
        state=IncidentState.MARKED_FALSE,
        snoozed_until=None,
        handled_by=by,
        resolved_at=incident.resolved_at or now,
        resolution=f"marked false by {by}: {why}",
    )


def marks_of(
    incident: Incident, columns: Sequence[str], *, by: str, why: str, now: datetime, until: datetime
) -> list[FalseMark]:
    """Give the marks that lower the sensitivity of these columns."""
    return [
        FalseMark(
            incident=incident.id,
            model=incident.model,
            column=column,
            marked_by=by,
            marked_at=now,
            until=until,
            why=why,
        )
        for column in dict.fromkeys(columns)
    ]


def _require_active(incident: Incident) -> None:
    if incident.state.is_over:
        raise IncidentOverError(incident.id, incident.resolution)
