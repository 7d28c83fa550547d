"""A verdict: what the monitor concluded about one window of one version."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from .checks import CheckKind
from .evidence import Evidence
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
    kind: FindingKind = FindingKind.STABLE
    check: CheckKind | None = None
    """The check that says most; None where nothing could be checked."""
    effect: float | None = None
    """How far: standard deviations (location, spread), a change of correlation or of a share,
    or a Jensen-Shannon distance (fit)."""
    p_value: float | None = None
    """How likely so large an effect is in one window where nothing has changed."""
    limit: float | None = None
    """A p-value of this check below the limit is drift: its part of the false-alarm budget."""
    lasting: float | None = None
    """How likely as much evidence is over all windows of the version so far."""
    lasting_limit: float | None = None
    """Evidence less likely than this is drift as well."""
    exceeds: float = 0.0
    """How many times less likely than its limit; above 1 is drift."""
    distance: float | None = None
    """Jensen-Shannon distance from the reference, 0 to 1; None where it cannot be told."""
    since_previous: float | None = None
    """Jensen-Shannon distance from the window before, 0 to 1."""
    importance: float = 0.0
    """What the column means to the model; together 1."""
    sensitivity: float = 1.0
    """Below 1 where people marked alarms of this column as false."""
    rows: int = 0
    """Rows with a value."""
    missing: float = 0.0
    """Share of rows without a value, 0 to 1."""
    unseen: float = 0.0
    """Share of rows with a category, or a number out of all range, that the reference lacks."""
    note: str = ""

    @property
    def words(self) -> str:
        """Say what was found, in one line."""
        if self.note:
            return self.note
        if self.check is None or self.effect is None or self.p_value is None:
            return self.effect_in_words
        lasting = (
            f"; over the windows so far p {self.lasting:.1g}, limit {self.lasting_limit:.1g}"
            if self.lasting is not None and (self.lasting_limit or 0.0) >= self.lasting
            else ""
        )
        return f"{self.effect_in_words} (p {self.p_value:.1g}, limit {self.limit:.1g}{lasting})"

    @property
    def effect_in_words(self) -> str:
        """Say how far the column has moved, by the check that says most."""
        if self.check is None or self.effect is None:
            return "nothing to compare"
        effect = self.effect
        match self.check:
            case CheckKind.MISSING:
                return f"{effect:+.1%} of the rows without a value"
            case CheckKind.UNSEEN:
                return f"{effect:.1%} of the rows have a category that training has not seen"
            case CheckKind.FIT:
                return f"distribution at a distance of {effect:.3f}"
            case CheckKind.CORRELATION:
                return f"correlation changed by {effect:+.2f}"
            case _:
                return f"{self.check} moved by {effect:+.2f} sd"


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
    late: int = 0
    """Rows that came after the window was judged, and are not in it."""
    report: str | None = None
    """Path of the Evidently report among the artifacts of the version's run."""
    evidence: Evidence = field(default_factory=Evidence)
    """What this window and those before it have shown together."""

    @property
    def is_well(self) -> bool:
        """Tell whether nobody has to look at the window."""
        worse = self.quality is not None and self.quality.is_worse
        return self.kind in (VerdictKind.STABLE, VerdictKind.NOT_ENOUGH_ROWS) and not worse

    @property
    def worst_first(self) -> list[Finding]:
        """All findings: what is broken, what has drifted, the rest by what it means."""
        order = [FindingKind.BROKEN, FindingKind.DRIFTED]
        alarming = sorted(
            (f for f in self.findings if f.kind in order),
            key=lambda f: (order.index(f.kind), -f.exceeds),
        )
        rest = (f for f in self.findings if f.kind not in order)
        return [*alarming, *sorted(rest, key=lambda f: -f.importance)]

    @property
    def drifted(self) -> list[Finding]:
        """The drifted columns, furthest over its limit first."""
        found = [f for f in self.findings if f.kind is FindingKind.DRIFTED]
        return sorted(found, key=lambda f: -f.exceeds)

    @property
    def broken(self) -> list[Finding]:
        """The columns whose data is broken."""
        return [f for f in self.findings if f.kind is FindingKind.BROKEN]
