"""What people do with incidents, written with who did it and why."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from trimtab.policy import handling
from trimtab.policy.sensitivity import DIVISOR
from trimtab.ports import Stores
from trimtab.records.durations import format_duration
from trimtab.records.incidents import FalseMark, Incident
from trimtab.records.ledger import LedgerEntry

from .messages import ended_alert

FALSE_MARKS_LAST = timedelta(days=90)
"""How long a false mark counts unless somebody says otherwise."""


def acknowledge(
    stores: Stores, incident_id: str, *, by: str, now: datetime, why: str = ""
) -> Incident:
    """Take an incident on; it escalates no longer.

    Raises UnknownIncidentError and IncidentOverError, as all of these do.
    """
    changed = handling.acknowledge(stores.incidents.get(incident_id), by=by)
    _keep(stores, changed, "incident acknowledged", [why], by=by, now=now)
    return changed


def snooze(
    stores: Stores, incident_id: str, lasts: timedelta, *, by: str, now: datetime, why: str = ""
) -> Incident:
    """Put an incident off; when that is over and the incident is not, people are told again."""
    changed = handling.snooze(stores.incidents.get(incident_id), by=by, until=now + lasts)
    until = f"until {now + lasts:%Y-%m-%d %H:%M}"
    _keep(stores, changed, "incident snoozed", [until, why], by=by, now=now)
    return changed


def mark_false(
    stores: Stores,
    incident_id: str,
    *,
    by: str,
    why: str,
    now: datetime,
    columns: Sequence[str] | None = None,
    lasts: timedelta = FALSE_MARKS_LAST,
) -> list[FalseMark]:
    """End an incident as a false alarm; the monitor becomes less sensitive to its columns.

    `columns` narrows these down to some of them; others than the incident's are not taken.
    """
    incident = stores.incidents.get(incident_id)
    changed = handling.mark_false(incident, by=by, why=why, now=now)
    wanted = [c for c in incident.columns if columns is None or c in columns]
    marks = handling.marks_of(changed, wanted, by=by, why=why, now=now, until=now + lasts)
    for mark in marks:
        stores.false_marks.save(mark)
    told = [
        f"{mark.column}: a {DIVISOR}th of its share of the false-alarm budget for "
        f"{format_duration(lasts)}"
        for mark in marks
    ]
    _keep(stores, changed, "incident marked false", [why, *told], by=by, now=now)
    if not incident.state.is_over:  # else people were told already that it is
        stores.outbox.put(ended_alert(changed, link=None, now=now))
    return marks


def undo_false(
    stores: Stores, incident_id: str, *, by: str, now: datetime, why: str = ""
) -> list[FalseMark]:
    """Have the false marks of an incident count no longer; gives those that did until now."""
    incident = stores.incidents.get(incident_id)
    marks = [
        mark
        for mark in stores.false_marks.of(incident.model)
        if mark.incident == incident.id and mark.is_in_force(now)
    ]
    for mark in marks:
        stores.false_marks.save(replace(mark, undone_by=by, undone_at=now))
    if marks:
        columns = ", ".join(mark.column for mark in marks)
        _keep(stores, incident, "false mark undone", [columns, why], by=by, now=now)
    return marks


def _keep(
    stores: Stores,
    incident: Incident,
    event: str,
    reasons: Sequence[str],
    *,
    by: str,
    now: datetime,
) -> None:
    stores.incidents.save(incident)
    stores.ledger.append(
        LedgerEntry(
            at=now,
            actor=by,
            event=event,
            model=incident.model,
            subject=incident.id,
            reasons=tuple(reason for reason in reasons if reason),
        )
    )
