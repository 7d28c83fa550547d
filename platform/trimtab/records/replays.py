"""A replay: what each of several retraining policies would have made of the same past."""

from dataclasses import dataclass
from datetime import datetime

from .incidents import Situation
from .requests import Obstacle, RequestState, Trigger


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A stretch of the past that one version answered, within one window."""

    start: datetime
    end: datetime
    version: str
    rows: int
    """Rows whose label is known by the end of the data."""
    loss: float
    """The sum of their losses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retraining:
    """One request for a new version, and how it ended."""

    asked_at: datetime
    trigger: Trigger
    state: RequestState
    reasons: tuple[str, ...]
    obstacles: tuple[Obstacle, ...] = ()
    """What stood in the way, where it was declined."""
    version: str | None = None
    """The moment of the training names it; None where nothing was trained."""
    candidate: str | None = None
    cpu_seconds: float = 0.0
    """What its training cost."""
    until: datetime | None = None
    """Up to where `gained` looks: the next move of the champion, or the end."""
    rows: int = 0
    """Labelled rows from the training up to there."""
    gained: float | None = None
    """Mean loss of the champion before less that of this version on these rows; what it would have
    been where the version was rejected. Hindsight: no decision knew it."""

    @property
    def is_trained(self) -> bool:
        """Tell whether a training was paid for."""
        return self.version is not None or self.state is not RequestState.DECLINED


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayedPolicy:
    """What one policy would have brought."""

    name: str
    rule: str
    """When it asks for a new version."""
    loss: float
    """Mean over all labelled rows."""
    rows: int
    stages: tuple[Stage, ...]
    retrainings: tuple[Retraining, ...]
    incidents: dict[Situation, int]
    """How many opened."""
    alerts: int
    """Messages to people, by the rules of the monitor."""
    cpu_seconds: float
    """Of the trainings that it asked for, also where another policy had the same one made; the
    first version, which all share, is left out."""

    def count(self, *states: RequestState) -> int:
        """Count the requests that ended in one of these states."""
        return sum(retraining.state in states for retraining in self.retrainings)

    @property
    def trained(self) -> int:
        """How many trainings there were, those included that gave no version."""
        return sum(retraining.is_trained for retraining in self.retrainings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """How the policy that would be taken compares with another one, on the same rows."""

    name: str
    gain: float
    """By how much its mean loss is larger."""
    low: float | None
    """Lower one-sided confidence bound of the gain; None where the past is too short to tell."""
    high: float | None
    chance: float | None
    """Share of resampled pasts in which the one that would be taken has the lower loss, 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preference:
    """Which policy one would take, and how sure that is."""

    policy: str
    alike: tuple[str, ...]
    """Policies that gave the same answers to the same rows, and cost as much or more."""
    confidence: float
    """Of each bound."""
    rivals: tuple[Rival, ...]
    """All others, the nearest first."""
    cheaper: str | None
    """The cheapest of those that cost less and are not proven worse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """Several policies on the same past."""

    model: str
    metric: str
    source: str
    since: datetime
    until: datetime
    rows: int
    """Rows asked in that time, those without a label included."""
    labelled: int
    seed: int
    policies: tuple[ReplayedPolicy, ...]
    preference: Preference
    trainings: int
    """Versions that were really made: policies that train at the same moment share one."""
    cpu_seconds: float
    """That all of it really took."""
    wall_seconds: float
