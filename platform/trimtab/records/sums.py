"""Sums of a window: all that the checks ask for, added up row by row, hour by hour."""

from dataclasses import dataclass, field

from .windows import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnSums:
    """One column, counted as the reference counts; the sums of two stretches of rows add up."""

    counts: tuple[int, ...]
    """Rows in each bin of the reference, and behind them the rows without a value."""
    unseen: int = 0
    """Rows with a category that the reference does not list, or a number out of its range."""
    far: int = 0
    """Rows with a number beyond the range widened on each side by its own width."""
    unreadable: int = 0
    """Rows with a value that is not of the column's type; they count as missing."""
    low: float | str | None = None
    high: float | str | None = None
    """The smallest and the largest value; both are one where a column is frozen."""

    @property
    def rows(self) -> int:
        """All rows, those without a value included."""
        return sum(self.counts)

    @property
    def missing(self) -> int:
        """Rows without a value."""
        return self.counts[-1]

    @property
    def is_constant(self) -> bool:
        """All values are one value, and there are some."""
        return self.low is not None and self.low == self.high and self.rows - self.missing > 1

    def share(self, rows: int) -> float:
        """Express a number of rows as a share of the window, 0 to 1."""
        return rows / self.rows if self.rows else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowSums:
    """What is known of the rows of a stretch of time without reading them again."""

    rows: int = 0
    columns: dict[str, ColumnSums] = field(default_factory=dict)
    """Columns of the reference that the rows have."""
    products: tuple[float, ...] = ()
    """Sums of the products of two columns' scores, in the order of the reference's pairs."""
    seasons: tuple[int, ...] = ()
    """Rows in each part of the reference's season."""
    hashes: dict[int, int] = field(default_factory=dict)
    """Rows by the hash of their inputs, of the smallest hashes only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """What a version was asked and answered in a stretch of event time, added up."""

    model: str
    version: str
    window: Window
    """The stretch; a whole window once that is judged."""
    sums: WindowSums
    """Of the answered rows."""
    refused: int = 0
    """Requests that were answered with an error."""

    @property
    def logged(self) -> int:
        """How many rows of the inference log it was read from: with more, some came later."""
        return self.sums.rows + self.refused
