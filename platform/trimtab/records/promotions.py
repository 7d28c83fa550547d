"""The moves of a champion: the desired state of every endpoint."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """One move of `champion`; the one with the highest epoch is in force."""

    model: str
    epoch: int
    """Rises by one with every move of this model, rollbacks included."""
    version: str
    previous: str | None
    """The version that was champion before; None for the first."""
    manifest_sha256: str
    """The bytes that were judged; whoever loads the version compares."""
    actor: str
    reasons: tuple[str, ...]
    at: datetime
