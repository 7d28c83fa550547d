"""What the gate found when it compared a challenger with the champion."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One paired comparison on the same rows; a lower loss is better."""

    name: str
    """`all rows`, or the slice: `origin=JFK`."""
    rows: int
    champion: float
    """Mean loss of the champion, or of the baseline where there is no champion."""
    challenger: float
    low: float
    """Lower end of the one-sided confidence bound on the gain (champion less challenger)."""
    high: float
    """Upper end of the same at the other side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult:
    """The gate's answer, with everything it rests on."""

    passed: bool
    metric: str
    confidence: float
    overall: Comparison
    slices: tuple[Comparison, ...]
    reasons: tuple[str, ...]
