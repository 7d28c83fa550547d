"""Estimators of a version's loss where labels lack; kept with its reference as plain numbers."""

from dataclasses import dataclass
from enum import StrEnum


class Method(StrEnum):
    """How a loss is estimated without labels."""

    CBPE = "CBPE"
    """From the model's own probabilities, calibrated: confidence-based performance estimation."""
    DLE = "DLE"
    """By a regression of the loss on inputs and prediction: direct loss estimation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """What a probability is worth: a line through points, level beyond the first and the last."""

    scores: tuple[float, ...]
    """What the model says, rising."""
    shares: tuple[float, ...]
    """How often it came true, never falling."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One input of a loss regression, as a number."""

    column: str
    levels: dict[str, float] | None = None
    """Mean loss of each frequent category; None for a column of numbers."""
    otherwise: float = 0.0
    """Mean loss over all rows: what any other category counts as."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A regression tree: one entry a node in each field, the root first."""

    feature: tuple[int, ...]
    """Index of the feature that is asked; -1 at a leaf."""
    threshold: tuple[float, ...]
    below: tuple[int, ...]
    """The next node where the value is smaller than the threshold."""
    above: tuple[int, ...]
    missing: tuple[int, ...]
    """The next node where there is no value."""
    value: tuple[float, ...]
    """What a leaf adds; 0 elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LossTrees:
    """A sum of small trees that gives each row's expected loss."""

    features: tuple[Feature, ...]
    """In the order of the trees' indices; the prediction itself follows as one more."""
    base: float
    trees: tuple[Tree, ...]
    low: float
    high: float
    """Smallest and largest loss of a row seen; no estimate lies outside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimator:
    """Says what the mean loss of a window should be, as long as only the inputs have changed."""

    method: Method
    metric: str
    expected: float
    """Mean estimated loss of the rows it was fitted on, each by a fit that had not seen it."""
    limit: float
    """A window's estimate stays below it, within the false-alarm budget."""
    margin: float
    """An estimate misses the measured loss of a window by no more, in nine windows of ten."""
    rows: int
    """The rows of a usual window, for which limit and margin hold; fewer widen both."""
    curves: tuple[Curve, ...] = ()
    """One a class, for CBPE; for two classes that of the second; none where the model's own
    probabilities are as good."""
    trees: LossTrees | None = None
    """For DLE."""

    def widened(self, rows: int) -> float:
        """Give the factor by which limit and margin grow for a window of fewer rows."""
        return float(max(1.0, (self.rows / rows) ** 0.5)) if rows else 1.0
