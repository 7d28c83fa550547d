"""Traces: the thread from one prediction back to the rows that its version was made of."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from .labels import PastLabel, StandingLabel
from .predictions import LoggedPrediction
from .promotions import Promotion
from .requests import RetrainRequest
from .trials import Trial
from .verdicts import Finding, VerdictKind
from .windows import Window


class Whereabouts(StrEnum):
    """Where a prediction lies."""

    LOG = "inference log"
    SPOOL = "capture spool"
    """Captured, and not yet shipped into the log."""
    QUARANTINE = "quarantine"
    """Captured, and it fits no known contract."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """A prediction that was captured, and where it waits."""

    prediction: LoggedPrediction
    found_in: Whereabouts


class Role(StrEnum):
    """As what a version answered."""

    CHAMPION = "champion"
    LEAVING = "champion until just before"
    """Another version was champion already, and not yet served."""
    CANARY = "canary"
    """It answered a share of the requests beside the champion."""
    UNKNOWN = "unknown"
    """Neither promotions nor trials tell of it at that moment."""


class Since(StrEnum):
    """What has become of a version's role."""

    UNCHANGED = "it still is"
    REPLACED = "replaced"
    ROLLED_BACK = "rolled back"
    ENDED = "ended"
    """Of a trial."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenure:
    """The role of a version at a moment, on what it rests, and what became of it."""

    role: Role
    promotion: Promotion | None = None
    """The move that made it champion."""
    trial: Trial | None = None
    """The trial in which it was the challenger."""
    since: Since | None = None
    changed_at: datetime | None = None
    by: Promotion | None = None
    """The move that ended it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedPackage:
    """The bento of a version, as it lies on this machine."""

    tag: str
    """`model:version`, as BentoML names it."""
    built_at: datetime
    manifest_sha256: str
    """Of the version's files in it."""
    code_sha256: str
    """Of the Trimtab code in it."""
    proof: str
    """What was found when it was proven."""
    requirements: tuple[str, ...]
    """Every distribution of its environment, pinned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedRun:
    """The MLflow run that made a version."""

    id: str
    page: str
    """Where MLflow shows it."""
    name: str
    status: str
    started_at: datetime | None
    ended_at: datetime | None
    code: str
    """The version of Trimtab."""
    commit: str
    """Of the project, where it is in git; with `+changes` where something was not committed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedSnapshot:
    """Exactly which rows a version was made of."""

    digest: str
    source: str
    rows: int
    first: str
    """Time of the oldest row; empty without a time column."""
    last: str
    kept_for_gate_from: datetime
    """The version has seen no row at or after this moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedReference:
    """What the monitor compares the version's traffic with."""

    sha256: str
    """Of `reference.json`."""
    rows: int
    window: timedelta
    rows_needed: int
    false_alarms: float
    """Of a whole window over all columns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedVerdict:
    """A verdict whose window holds the prediction."""

    window: Window
    kind: VerdictKind
    rows: int
    judged_at: datetime
    alarming: tuple[Finding, ...]
    """The columns that are broken or have drifted, the worst first."""
    is_worse: bool
    """The measured or estimated loss broke the version's promise."""
    report: str | None
    """Its path among the artifacts of the version's run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedLabel:
    """What came true of a prediction."""

    label: StandingLabel
    by_id: bool
    """It was told of this prediction alone, and not of its key."""
    waited: timedelta
    """From the event to when it became known."""
    before: tuple[PastLabel, ...] = ()
    """What was told as well and does not count, in the order in which it was told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A hop that could not be told, and why."""

    hop: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Everything that is known of one prediction; what is not known is among the gaps."""

    prediction: LoggedPrediction
    found_in: Whereabouts
    classes: tuple[str, ...]
    """What the probabilities are of, in their order; empty where that is not known."""
    tenure: Tenure
    manifest_sha256: str | None
    """Of the version's files."""
    version_page: str
    """Where MLflow shows the version."""
    request: RetrainRequest | None
    """What asked for the version, and why."""
    run: TracedRun | None
    snapshot: TracedSnapshot | None
    requirements: tuple[str, ...]
    """What the version's own run pinned."""
    package: TracedPackage | None
    reference: TracedReference | None
    verdicts: tuple[TracedVerdict, ...]
    label: TracedLabel | None
    gaps: tuple[Gap, ...]
