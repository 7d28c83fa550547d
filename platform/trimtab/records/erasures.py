"""Erasure: whose rows have to go, and what was found of them."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whose rows: those of some keys, and some single ones."""

    keys: frozenset[str] = frozenset()
    """As the log has them: what callers gave, or its keyed hash."""
    prediction_ids: frozenset[str] = frozenset()

    def has(self, key: str | None, prediction_id: str | None) -> bool:
        """Tell whether a row is this subject's."""
        return key in self.keys or prediction_id in self.prediction_ids


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """An ask to erase, kept until all of it is done."""

    model: str
    key: str | None
    prediction_id: str | None
    asked_at: datetime
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """What left the inference log."""

    rows: int = 0
    files: int = 0
    """Files that were removed or written anew."""
