"""Incidents as people see them in a terminal, and scripts as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson
from rich.console import Group
from rich.table import Table
from rich.text import Text

from trimtab.policy.sensitivity import sensitivity
from trimtab.records.documents import to_json
from trimtab.records.incidents import FalseMark, Incident, IncidentState, Severity

_COLOURS = {Severity.NOTICE: "yellow", Severity.SERIOUS: "red", Severity.CRITICAL: "bold red"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """What is known of one model's incidents."""

    model: str
    incidents: tuple[Incident, ...]
    false_marks: tuple[FalseMark, ...]


def overviews_as_json(overviews: Sequence[Overview], now: datetime) -> bytes:
    """Write the overviews, each with the factors that its false marks come to."""
    shown = [
        {
            **orjson.loads(to_json(overview)),
            "sensitivity": sensitivity(overview.false_marks, now),
        }
        for overview in overviews
    ]
    return orjson.dumps(shown, option=orjson.OPT_INDENT_2)


def table(incidents: Sequence[Incident]) -> Table:
    """Lay incidents out."""
    laid = Table(box=None)
    for title in ("id", "severity", "state", "since", "shown by", "columns"):
        laid.add_column(title, overflow="fold")
    for incident in incidents:
        cells = [incident.id, incident.severity, _state(incident)]
        cells += [f"{incident.opened_at:%F %H:%M}", f"{incident.showing} windows"]
        cells += [", ".join(incident.columns[:4])]
        style = "dim" if incident.state.is_over else _COLOURS[incident.severity]
        laid.add_row(*map(Text, cells), style=style)
    return laid


def marks_table(marks: Sequence[FalseMark], now: datetime) -> Table:
    """Lay out the marks that are in force, with what they come to."""
    laid = Table(title="Less sensitive, because marked false", title_justify="left", box=None)
    for title in ("model", "column", "share of its budget", "until", "by", "why", "incident"):
        laid.add_column(title, overflow="fold")
    for mark in marks:
        own = [other for other in marks if other.model == mark.model]
        factor = sensitivity(own, now).get(mark.column, 1.0)
        cells = [mark.model, mark.column, f"{factor:g}", f"{mark.until:%F}", mark.marked_by]
        laid.add_row(*map(Text, [*cells, mark.why, mark.incident]))
    return laid


def page(incident: Incident) -> Group:
    """Lay one incident out: its life, what it opened with, and window by window."""
    facts = Table(title=incident.id, title_justify="left", show_header=False, box=None)
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    for name, text in _facts(incident):
        facts.add_row(name, Text(text))
    windows = Table(box=None)
    for title in ("window", "shows it", "what it shows"):
        windows.add_column(title, overflow="fold")
    for seen in incident.windows:
        shows = Text("yes" if seen.shows else "no", style="yellow" if seen.shows else "green")
        windows.add_row(Text(str(seen.window)), shows, Text("\n".join(seen.lines)))
    return Group(facts, windows)


def _facts(incident: Incident) -> list[tuple[str, str]]:
    found = [
        ("situation", f"{incident.situation}, {incident.severity}, of version {incident.version}"),
        ("state", _state(incident)),
        ("since", f"{incident.opened_at:%F %H:%M}, shown by {incident.showing} windows"),
        ("opened with", "\n".join(incident.evidence)),
    ]
    if incident.comebacks:
        found.append(("comebacks", str(incident.comebacks)))
    if incident.resolution:
        found.append(("ended", f"{incident.resolved_at:%F %H:%M}: {incident.resolution}"))
    return found


def _state(incident: Incident) -> str:
    by = f" by {incident.handled_by}" if incident.handled_by else ""
    match incident.state:
        case IncidentState.SNOOZED:
            return f"snoozed{by} until {incident.snoozed_until:%F %H:%M}"
        case IncidentState.ACKNOWLEDGED | IncidentState.MARKED_FALSE:
            return f"{incident.state.replace('_', ' ')}{by}"
        case _:
            return str(incident.state)
