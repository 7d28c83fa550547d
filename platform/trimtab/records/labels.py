"""A label: the ground truth that comes later for a prediction, by its key or its id."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What really happened."""

    key: str
    """Of the predictions that it is for, or the id of one prediction."""
    value: str
    """As text; the contract's classes, or a number for regression, say how to read it."""
    known_at: datetime
    """When it became known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingLabel:
    """The label of a key that counts, with who told it."""

    key: str
    value: str
    known_at: datetime
    """When this value became known first."""
    confirmed_at: datetime
    """The latest moment for which it was told again."""
    told_at: datetime
    told_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PastLabel:
    """What was said of a key and does not count any more, or never did."""

    key: str
    value: str
    known_at: datetime
    told_at: datetime
    told_by: str
    replaced_at: datetime
    """When something newer was told; `told_at` itself where something newer was known before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """What became of labels that were told."""

    added: int = 0
    """Of keys that had none."""
    unchanged: int = 0
    """Told before, with the same value."""
    corrected: int = 0
    """They replace an earlier one, which is in the history."""
    outdated: int = 0
    """Something newer was known already; they are in the history alone."""

    def __add__(self, other: "Delivered") -> "Delivered":
        return Delivered(
            added=self.added + other.added,
            unchanged=self.unchanged + other.unchanged,
            corrected=self.corrected + other.corrected,
            outdated=self.outdated + other.outdated,
        )

    @property
    def total(self) -> int:
        """All of them."""
        return self.added + self.unchanged + self.corrected + self.outdated


class Search(StrEnum):
    """Whether the inference log has the prediction that a label is for."""

    UNSOUGHT = "unsought"
    """Nobody has looked yet."""
    UNKNOWN = "unknown"
    """It is not there, or not yet."""
    FOUND = "found"
