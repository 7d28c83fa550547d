"""A verdict: what the monitor concluded about one window of one version."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from .quality import Quality
from .windows import Window


class VerdictKind(StrEnum):
    """What can be concluded of a window."""

    NOT_ENOUGH_ROWS = "not_enough_rows"
    STABLE = "stable"
    DRIFT = "drift"
    BROKEN_DATA = "broken_data"


class FindingKind(StrEnum):
    """What can be said of one column."""

    STABLE = "stable"
    DRIFTED = "drifted"
    BROKEN = "broken"
    NOT_JUDGED = "not_judged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What the window shows of one column; every column of the schema has one, always."""

    column: str
    kind: FindingKind
    distance: float | None = None
    """Jensen-Shannon distance from the reference, 0 to 1; None where it cannot be told."""
    limit: float | None = None
    """What `distance` must exceed to count as drift, at this number of rows."""
    missing: float = 0.0
    """Share of rows without a value, 0 to 1."""
    unseen: float = 0.0
    """Share of rows with a category, or a number out of all range, that the reference lacks."""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One judgement, with its evidence."""

    model: str
    version: str
    window: Window
    kind: VerdictKind
    rows: int
    rows_needed: int
    """With fewer rows the window is not judged."""
    findings: tuple[Finding, ...]
    quality: Quality | None
    refused: int
    """Requests of the window that were answered with an error."""
    judged_at: datetime
    report: str | None = None
    """Path of the Evidently report among the artifacts of the version's run."""

    @property
    def drifted(self) -> list[Finding]:
        """The drifted columns, furthest over its limit first."""
        found = [f for f in self.findings if f.kind is FindingKind.DRIFTED]
        return sorted(found, key=lambda f: (f.limit or 0.0) - (f.distance or 0.0))

    @property
    def broken(self) -> list[Finding]:
        """The columns whose data is broken."""
        return [f for f in self.findings if f.kind is FindingKind.BROKEN]
