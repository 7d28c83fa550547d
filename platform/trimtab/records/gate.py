"""What the gate found when it compared a challenger with the champion."""

from dataclasses import dataclass, field

from .looks import Asked


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
    margin: float = 0.0
    """The gain must be more than this on all rows; on a slice, a loss of this much is allowed."""
    is_worse: bool = False
    """A slice that is proven to be worse than its margin allows."""
    noticed: float | None = None
    """A loss of this much, on a slice, would have been noticed four times of five."""

    @property
    def gain(self) -> float:
        """By how much the challenger's mean loss is lower."""
        return self.champion - self.challenger


@dataclass(frozen=True, slots=True, kw_only=True)
class GateCheck:
    """One condition of the gate."""

    name: str
    passed: bool | None
    """None where it does not apply, or no limit is set: it is told and decides nothing."""
    champion: float | None = None
    challenger: float | None = None
    limit: float | None = None
    unit: str = ""
    """`loss`, `rows`, `share`, `s` or `bytes`."""
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult:
    """The gate's answer, with everything it rests on."""

    passed: bool
    metric: str
    confidence: float
    """As set; one less it is the stated error."""
    overall: Comparison
    slices: tuple[Comparison, ...]
    reasons: tuple[str, ...]
    asked: Asked | None = None
    """What was asked of the gain, for the looks at these rows; None where looks are not counted."""
    checks: tuple[GateCheck, ...] = field(default=())
    """Every condition, in the order of their weight."""
