"""A label: the ground truth that comes later for a key."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What really happened; a second label for a key replaces the first."""

    key: str
    value: str
    """As text; the contract's classes, or a number for regression, say how to read it."""
    known_at: datetime
    """When it became known."""
