"""What a trial has shown: how champion and challenger answer the same requests."""

from dataclasses import dataclass
from datetime import datetime

from .gate import GateResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """How far the challenger's mean score is from the champion's."""

    score: str
    """A class, for its probability; or `prediction`, for a number."""
    champion: float
    challenger: float
    low: float | None
    """Lower end of the confidence bound on challenger less champion; None where one block of time,
    or one group of callers, is all there is."""
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Both versions' answers to the same rows."""

    name: str
    """`all rows`, or the slice: `origin=JFK`."""
    rows: int
    agreed: float
    """Share of the rows with the same class or, of numbers, with a difference in tolerance."""
    low: float | None
    high: float | None
    distance: float
    """Jensen-Shannon distance of the two versions' answers, 0 to 1."""
    shifts: tuple[Shift, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """How often the challenger turned one answer into another."""

    champion: str
    challenger: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What one version did for callers while the trial ran."""

    version: str
    requests: int
    """Answered by it, without refusals of requests that fit no contract."""
    rows: int
    failed: int
    """Requests that it could not answer; the champion answered those of a challenger."""
    p50_ms: float | None
    """Receipt to answer, of the whole request."""
    p99_ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """The callers of a canary, apart: those that the champion answered, and the others."""

    distance: float
    by_chance: float | None
    """What `distance` would be about, were both groups answered by one version and as many
    callers with as many rows each; None for too few callers."""
    shifts: tuple[Shift, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long a version takes for one row, measured beside the other on the same rows."""

    version: str
    rows: int
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialResult:
    """The comparison so far, or at the end of the trial."""

    through: datetime
    """Captured requests of an earlier event time are in it."""
    confidence: float
    """Of each bound, low and high alike."""
    tolerance: float | None
    """How far numbers may differ and still agree; None for classes."""
    overall: Agreement
    slices: tuple[Agreement, ...]
    changes: tuple[Change, ...]
    """The most frequent ones."""
    unanswered: int
    """Rows that the challenger could not answer when it was asked afterwards."""
    served: tuple[Served, ...]
    timings: tuple[Timing, ...]
    groups: Groups | None = None
    """Of a canary that has answered callers."""
    quality: GateResult | None = None
    """The loss of both on the same labelled rows; None while there are no labels."""
    remarks: tuple[str, ...] = ()
