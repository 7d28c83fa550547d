"""Looks: how often which rows were used to compare two versions, and what that asks of the next."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One comparison of two versions on labelled rows, and the gate's answer."""

    model: str
    number: int
    """From 1, without gaps, for each model."""
    at: datetime
    challenger: str
    challenger_sha256: str
    """SHA-256 of its manifest."""
    champion: str | None
    """None for the baseline."""
    start: float
    """Of the first row: seconds since 1970, or its number where the model has no time."""
    end: float
    """Of the last row, in the same way."""
    rows: int
    digest: str
    """SHA-256 of both versions' losses, row by row: the same comparison again is no new look."""
    confidence: float
    """That was asked of it."""
    passed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The confidence that is asked of a look at rows that may have been looked at before."""

    confidence: float
    look: int = 1
    """The how many-th look it is at the rows that were looked at most."""
    share: float = 0.0
    """Share of the rows that were looked at before, 0 to 1."""
