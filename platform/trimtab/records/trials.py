"""A trial: a version tried beside the champion, or a new champion beside the one before."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class TrialKind(StrEnum):
    """How a version is tried."""

    CANARY = "canary"
    """It answers a share of the requests."""
    SHADOW = "shadow"
    """It answers nobody; it is asked afterwards what it would have said."""
    BAKE = "bake"
    """It was champion before: it is asked what it would have said in the place of the new one."""


class TrialState(StrEnum):
    """Where a trial is in its life."""

    RUNNING = "running"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One version tried against one champion; a model has at most one running at a time."""

    id: str
    """Also the salt of its routing: another trial picks other keys."""
    model: str
    kind: TrialKind
    champion: str
    epoch: int
    """Of the promotion that made it champion; once another is in force the trial is over."""
    challenger: str
    manifest_sha256: str
    """The challenger's bytes as they were looked at when the trial began."""
    by: str
    why: str
    began_at: datetime
    since: datetime
    """Captured requests are compared from this event time on."""
    until: datetime | None = None
    """Where it ends by itself; None until somebody ends it."""
    share: float | None = None
    """Of the requests that a canary answers, above 0 and below 1; None for a shadow."""
    compared_through: datetime
    """Captured requests of an earlier event time have been compared."""
    revision: int = 1
    """Rises by one with every write, so that of two writers one wins."""
    state: TrialState = TrialState.RUNNING
    ended_at: datetime | None = None
    ended_because: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if (self.kind is TrialKind.CANARY) != (self.share is not None):
            raise ValueError("a canary has a share, all others have none")
        if self.share is not None and not 0 < self.share < 1:
            raise ValueError(f"a share is above 0 and below 1, not {self.share:g}")

    @property
    def is_running(self) -> bool:
        """Tell whether nobody and nothing has ended it yet."""
        return self.state is TrialState.RUNNING

    @property
    def on_trial(self) -> str:
        """The version that is in question: of a bake the champion itself."""
        return self.champion if self.kind is TrialKind.BAKE else self.challenger

    def answers_at(self, now: datetime) -> bool:
        """Tell whether the challenger may answer requests at this moment."""
        is_in_time = self.until is None or now < self.until
        return self.kind is TrialKind.CANARY and self.is_running and is_in_time


def parse_share(text: object) -> float:
    """Read a share of the requests: `10%` or `0.1`.

    >>> parse_share("10%")
    0.1

    Raises ValueError unless it is above 0 and below 1.
    """
    written = str(text).strip()
    try:
        share = float(written.removesuffix("%")) / (100 if written.endswith("%") else 1)
    except ValueError:
        raise ValueError(f"{text!r} is no share; write 10% or 0.1") from None
    if not 0 < share < 1:
        raise ValueError(f"{text!r} is not above 0% and below 100%; write 10% or 0.1")
    return share


_FAILED = "challenger {} failed: "


def failure_detail(challenger: str, error: BaseException) -> str:
    """Word what stands beside an answer that the champion gave because the challenger could not.

    The error's kind only: its text may hold values of the caller's.
    """
    return _FAILED.format(challenger) + type(error).__name__


def tells_of_failure(detail: object, challenger: str) -> bool:
    """Tell whether the detail of an answered request says that this challenger failed."""
    return isinstance(detail, str) and detail.startswith(_FAILED.format(challenger))
