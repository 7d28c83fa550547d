"""An incident: one ongoing situation with a life. Many verdicts, one incident, few alerts."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from .windows import Window


class Situation(StrEnum):
    """What is going on."""

    DRIFT = "drift"
    QUALITY = "quality"
    BROKEN_DATA = "broken_data"


class IncidentState(StrEnum):
    """Where an incident is in its life."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    """Somebody has taken it on; it no longer escalates."""
    SNOOZED = "snoozed"
    """Nobody wants to hear of it for a while; it no longer escalates."""
    RESOLVED = "resolved"
    MARKED_FALSE = "marked_false"
    """A person said that there was nothing."""

    @property
    def is_over(self) -> bool:
        """Tell whether the incident has ended."""
        return self in (self.RESOLVED, self.MARKED_FALSE)


class Severity(StrEnum):
    """How urgent an incident is; it only rises."""

    NOTICE = "notice"
    SERIOUS = "serious"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Give 0 for the least urgent, up to 2."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What one window told of an incident's situation."""

    window: Window
    shows: bool
    """Whether the window shows the situation; False for one that was well."""
    lines: tuple[str, ...] = ()
    """What it shows, for people, the clearest first."""
    columns: tuple[str, ...] = ()
    """The columns that show it, the clearest first; none for quality."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """A model has at most one incident of a situation that is not over."""

    id: str
    model: str
    version: str
    """The version that was judged when it opened."""
    situation: Situation
    opened_at: datetime
    evidence: tuple[str, ...]
    """What it opened with."""
    state: IncidentState = IncidentState.OPEN
    severity: Severity = Severity.NOTICE
    windows: tuple[Observation, ...] = ()
    """The newest windows that told of it, oldest first; a bounded number."""
    showing: int = 0
    """Windows that showed it since it opened or last came back."""
    seen_through: datetime | None = None
    """End of the newest window that was taken into account."""
    comebacks: int = 0
    """How often it came back shortly after it had ended by itself."""
    handled_by: str | None = None
    """Who acknowledged, snoozed or marked it last."""
    snoozed_until: datetime | None = None
    resolved_at: datetime | None = None
    resolution: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that show it in the windows that are kept, those of most windows first."""
        counts: dict[str, int] = {}
        for observation in self.windows:
            for column in observation.columns if observation.shows else ():
                counts[column] = counts.get(column, 0) + 1
        return tuple(sorted(counts, key=lambda column: -counts[column]))


@dataclass(frozen=True, slots=True, kw_only=True)
class FalseMark:
    """A column that took part in an incident which a person marked false.

    While it is in force the monitor is less sensitive to the column.
    """

    incident: str
    model: str
    column: str
    marked_by: str
    marked_at: datetime
    until: datetime
    """From then on it counts no longer."""
    why: str
    undone_by: str | None = None
    undone_at: datetime | None = None

    def is_in_force(self, now: datetime) -> bool:
        """Tell whether it counts at a moment."""
        return self.undone_at is None and self.marked_at <= now < self.until


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One message to people; delivered at least once, one a key."""

    key: str
    """What makes it one message: `incident opened:<id>`."""
    model: str
    title: str
    body: str
    at: datetime
    link: str | None = None
    """Where to look: the run of the version in MLflow."""
    command: str | None = None
    """What shows the same again."""
    incident: Incident | None = None
    """The incident as it was then, for machines."""
