"""An incident: one ongoing situation with a life. Many verdicts, one incident, few alerts."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Situation(StrEnum):
    """What is going on."""

    DRIFT = "drift"
    QUALITY = "quality"
    BROKEN_DATA = "broken_data"


class IncidentState(StrEnum):
    """Where an incident is in its life."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """A model has at most one unresolved incident of a situation."""

    id: str
    model: str
    version: str
    """The version that was judged when it opened."""
    situation: Situation
    opened_at: datetime
    evidence: tuple[str, ...]
    state: IncidentState = IncidentState.OPEN
    resolved_at: datetime | None = None
    resolution: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One message to people; delivered at least once, one a key."""

    key: str
    """What makes it one message: `incident opened:<id>`."""
    model: str
    title: str
    body: str
    at: datetime
