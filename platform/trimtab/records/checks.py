"""What is checked of a window, and how windows of the training rows have differed in it."""

from dataclasses import dataclass
from enum import StrEnum


class CheckKind(StrEnum):
    """One question to a window; each has a p-value of its own."""

    LOCATION = "location"
    """The mean rank; for categories the mean of the answers that go with them."""
    SPREAD = "spread"
    FIT = "fit"
    """The whole distribution, by groups of bins (Pearson's chi-square)."""
    MISSING = "missing"
    """The share of rows without a value."""
    UNSEEN = "unseen"
    """The share of categories, or numbers out of range, that training has not seen."""
    CORRELATION = "correlation"
    """How two columns move together, whatever each of them does alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One question to one column, or to a pair of them."""

    column: str
    kind: CheckKind
    other: str = ""
    """The second column of a correlation."""
    weight: float = 0.0
    """The part of the false-alarm budget that it may spend; all weights add up to 1."""
    memory: float = 0.0
    """Autocorrelation between a window and the next, 0 to below 1."""
    expected: float = 0.0
    """The mean product of a correlation's scores over the training rows."""
    scale: float = 1.0
    """The standard deviation of that product, from row to row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How windows of one size differed although nothing had changed.

    The arrays have one entry a check, in the order of the reference's checks.
    """

    rows: int
    """For windows of this many rows and more."""
    windows: int
    """Windows of the training rows that it rests on."""
    freedom: tuple[float, ...]
    """Degrees of freedom of each variance; a large number stands for `known`."""
    inflation: tuple[float, ...]
    """Variance over that of independent rows: the design effect, 1 or more."""
    centre: tuple[float, ...]
    """The mean of a fit's cube root; the expected share of unseen values; 0 for the others."""
    deviation: tuple[float, ...]
    """The standard deviation of a fit's cube root; 1 for the others."""
    tail: tuple[float, ...]
    """How much heavier the tail is than that of the distributions assumed, the same for all checks
    of a kind; 1 is as assumed."""
    limit: tuple[float, ...]
    """A p-value below this times the check's weight is drift, at the budget's rate for one window.
    """
