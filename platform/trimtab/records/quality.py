"""How good a version's answers are: what it promised, what labels show, what is estimated."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from .estimates import Method


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Rows that share a value of a column, or a range of its numbers."""

    column: str
    value: str | None = None
    above: float | None = None
    up_to: float | None = None
    """With `above` a range of numbers, open at the ends that are None."""

    def __str__(self) -> str:
        if self.value is not None:
            return f"{self.column}={self.value}"
        above = "" if self.above is None else f"{self.above:g} < "
        up_to = "" if self.up_to is None else f" <= {self.up_to:g}"
        return f"{above}{self.column}{up_to}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SlicePromise:
    """What a version did on the rows of one slice."""

    rows_in: Slice
    expected: float
    limit: float
    rows: int
    """The slice's rows in a usual window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityPromise:
    """What the version did on rows it had not been fitted on."""

    metric: str
    expected: float
    limit: float
    """A window's mean loss stays below it, within the false-alarm budget."""
    rows: int = 0
    """The rows of a usual window, for which the limit holds; 0 where that is not known."""
    slices: tuple[SlicePromise, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelLag:
    """How long labels took to come, from the event to when the truth was known."""

    median: timedelta
    most: timedelta
    """Nine of ten came within it; of those that have come at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceQuality:
    """The measured loss of one slice of a window. It is evidence, and opens no incident."""

    name: str
    rows: int
    """Labelled rows of the slice."""
    value: float | None
    """None with too few of them."""
    limit: float

    @property
    def is_worse(self) -> bool:
        """Tell whether the slice's loss breaks its promise."""
        return self.value is not None and self.value > self.limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Grade:
    """An estimate beside the truth, on the rows of the window whose labels have come."""

    error: float
    """Estimated less measured mean loss."""
    held: bool
    """The measured loss lies in the estimate's interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackRecord:
    """How an estimator did in the version's last windows with labels."""

    windows: int
    held: int
    """Windows whose measured loss lay in the interval; nine of ten should."""
    error: float
    """Mean absolute difference between estimate and measurement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a window's loss should be, told without labels. It is blind to a world that changed
    its answers while asking the same.
    """

    method: Method
    value: float
    low: float
    high: float
    """Nine of ten measured losses lie between both, while only inputs change."""
    limit: float
    rows: int
    """Rows that it rests on: of a very large window a part, evenly spaced."""
    confusion: tuple[tuple[float, ...], ...] = ()
    """Expected rows by true class (down) and answered class (across); only for few classes."""
    grade: Grade | None = None
    """None while there are too few labels."""
    record: TrackRecord | None = None
    """Over the last windows that were graded, this one included."""
    warns: bool = False
    """It is above its limit, and its record is good enough for it to say so where labels lack."""

    @property
    def is_worse(self) -> bool:
        """Tell whether the estimate breaks what the version promised."""
        return self.value > self.limit


class Voice(StrEnum):
    """What a judgement of quality rests on."""

    MEASURED = "measured"
    ESTIMATED = "estimated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """How good the answers of a window were: measured where labels have come, and estimated."""

    metric: str
    value: float | None
    """Mean measured loss; None while there are too few labels to tell."""
    limit: float
    """Above it the loss is worse than the version's own promise."""
    labelled: int
    completeness: float
    """Share of the answered rows whose label is known, 0 to 1."""
    low: float | None = None
    high: float | None = None
    """The mean loss of rows like these lies above `low`, and below `high`, with 95% confidence
    each; None where the rows are too few stretches of time to tell."""
    lag: LabelLag | None = None
    slices: tuple[SliceQuality, ...] = ()
    estimate: Estimate | None = None

    @property
    def voice(self) -> Voice | None:
        """Tell who speaks of this window; None when nobody can.

        Labels have the word where there are enough. An estimate may only warn, and only when it
        has been right before: it cannot see all that may go wrong, so it never says that all is
        well.
        """
        if self.value is not None:
            return Voice.MEASURED
        is_warned = self.estimate is not None and self.estimate.warns
        return Voice.ESTIMATED if is_warned else None

    @property
    def is_worse(self) -> bool:
        """Tell whether the loss breaks the promise, as far as anybody can speak."""
        if self.value is not None:
            return self.value > self.limit
        return self.voice is Voice.ESTIMATED
