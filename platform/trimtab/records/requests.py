"""A retrain request: the ask for a new version, and how it ended."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from .previews import Preview


class RequestState(StrEnum):
    """Where a request is in its life."""

    ASKED = "asked"
    RUNNING = "running"
    WAITING = "waiting"
    """The challenger won; a person has to approve it."""
    PROMOTED = "promoted"
    REJECTED = "rejected"
    """A challenger was trained and did not win."""
    DECLINED = "declined"
    """Nothing was trained, for the reasons given."""
    FAILED = "failed"

    @property
    def is_open(self) -> bool:
        """Tell whether the request still stands in the way of another one."""
        return self in (self.ASKED, self.RUNNING, self.WAITING)


class Trigger(StrEnum):
    """What made somebody ask."""

    FIRST = "first version"
    DRIFT = "drift"
    QUALITY = "quality"
    """Measured by labels."""
    ESTIMATE = "estimated quality"
    SCHEDULE = "schedule"
    LABELS = "new labels"
    MANUAL = "by hand"


class Obstacle(StrEnum):
    """What stands in the way of a training."""

    POLICY = "policy"
    """The settings do not let this trigger ask."""
    BROKEN_DATA = "broken data"
    OPEN = "open request"
    COOLDOWN = "cool-down"
    BUDGET = "budget"
    ROWS = "too few new labelled rows"
    PREVIEW = "no gain predicted"
    GIVEN_UP = "a person is asked"
    DATA = "data refused"
    """Nothing can be trained on the source as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrainRequest:
    """One ask; a model has at most one open at a time."""

    id: str
    model: str
    trigger: Trigger
    asked_by: str
    asked_at: datetime
    state: RequestState = RequestState.ASKED
    incident: str | None = None
    reasons: tuple[str, ...] = ()
    """Why it was asked and, once it has ended, why it ended as it did."""
    version: str | None = None
    """The challenger that came of it."""
    finished_at: datetime | None = None
    cause: str = ""
    """What the trigger goes by, so that one cause is declined once: `drift incident ID`."""
    obstacles: tuple[Obstacle, ...] = ()
    """What stood in the way, where it was declined."""
    not_before: datetime | None = None
    """Before this moment it would be declined again; None where no moment is known."""
    new_rows: int | None = None
    """Labelled rows that the champion had not seen, when they were counted last."""
    preview: Preview | None = None
    """What a cheap fit predicted, where there was one."""
    override: str | None = None
    """Why a person has it trained although the data is broken; the winner then waits for them."""
    manifest_sha256: str | None = None
    """The challenger's bytes as the gate judged them."""
