"""A drill: a known change, put into live-like traffic, and how the platform reacted to it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from .incidents import Situation
from .requests import RequestState, Trigger


class Change(StrEnum):
    """What is done to the traffic; the names are those of the command line."""

    NOTHING = "nothing"
    """The control: traffic like that of the training, and nothing else."""
    CYCLE = "cycle"
    """A column swings to and fro, as it did in training: a season, and no drift."""
    MEAN_SHIFT = "mean-shift"
    """All values of a numeric column move; the labels stay what they were."""
    NEW_CATEGORY = "new-category"
    """Some rows have a category that training has never seen."""
    NULL_BURST = "null-burst"
    """For some windows, many rows have no value in a column."""
    UNIT_CHANGE = "unit-change"
    """For some windows, a column comes in another unit."""
    LABEL_FLIP = "label-flip"
    """The same inputs come true the other way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """How far the traffic was since the change began."""

    windows: int
    """Whole windows, 1 for the first that holds the change."""
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    """An incident that opened after the change began."""

    situation: Situation
    opened: Moment
    is_over: bool
    evidence: tuple[str, ...] = ()
    resolution: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request for a new version that an incident gave rise to."""

    trigger: Trigger
    state: RequestState
    asked_at: datetime
    """In the time of the traffic."""
    reasons: tuple[str, ...] = ()

    @property
    def has_trained(self) -> bool:
        """Tell whether a training was run, whatever came of it."""
        return not self.state.is_open and self.state is not RequestState.DECLINED


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What was seen of the platform from the beginning of a change to the end of its drill."""

    change: Change
    done: str
    """What was done to the traffic, in words."""
    sent: Moment
    """How much traffic there was since the change began."""
    noticed: Moment | None
    """The first window whose verdict shows a situation that the change calls for."""
    reactions: tuple[Reaction, ...]
    """Incidents, oldest first."""
    asked: tuple[Asked, ...]
    """Requests for new versions, oldest first."""
    alerts: int
    """Alerts that the platform wrote."""
    received: int
    """Of these, those that a receiver got, with a good signature."""
    unsettled: str
    """Why the loop cannot be said to have come to rest; empty when it has."""
    failed_requests: int
    """Requests over HTTP without an answer of 200."""
    asks_person: bool = False
    """It came to rest by asking a person: retraining gave no better version, again and again."""
    failure: str = ""
    """What most of these were answered with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drilled:
    """What was observed, and what was wrong with it."""

    observed: Observed
    faults: tuple[str, ...]
    """What the platform did otherwise than it should; empty when it reacted as it should."""
