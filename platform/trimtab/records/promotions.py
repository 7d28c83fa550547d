"""The moves of a champion: the desired state of every endpoint."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Move(StrEnum):
    """How a version came to be champion."""

    GATE = "gate"
    """It was compared with the champion before, and won."""
    APPROVAL = "approval"
    """It had won, and a person approved it."""
    FORCE = "force"
    """A person put it in without the gate."""
    ROLLBACK = "rollback"
    """A person went back to it."""
    ADOPTION = "adoption"
    """Its alias was set by hand in MLflow, and it passed the checks."""
    BAKE = "bake"
    """The champion after it did not prove itself, and was taken back."""


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
    how: Move = Move.GATE
