"""A retrain request: the ask for a new version, and how it ended."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


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
    MANUAL = "by hand"


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
    manifest_sha256: str | None = None
    """The challenger's bytes as the gate judged them."""
