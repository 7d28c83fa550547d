"""The reference: what the monitor compares live windows with. It moves with its version."""

from dataclasses import dataclass, field
from datetime import timedelta

OUTPUT = "(output)"
"""The name under which the model's own output is summarised; no input may bear it."""
DISTANCE = "(distance)"
"""The name of the distance from the centre of a row's cluster; no input may bear it."""
ANOMALY = "(anomaly)"
"""Whether a row is an anomaly, `(output)` being how odd it is; no input may bear it."""
LABEL = "(label)"
"""The name of the label in the sample of training rows; no input may bear it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnSummary:
    """Counts of one column over the training rows; counts of rows and windows add up."""

    name: str
    counts: tuple[int, ...]
    """Rows in each bin; or of each category, and last of all the categories that are not listed."""
    edges: tuple[float, ...] = ()
    """Inner edges of the bins of a numeric column, rising; empty for categories."""
    categories: tuple[str, ...] = ()
    """Most frequent first; empty for numbers."""
    low: float | None = None
    high: float | None = None
    """Smallest and largest value seen, of a numeric column."""
    missing: int = 0

    @property
    def is_numeric(self) -> bool:
        """Tell whether the counts are of bins rather than categories."""
        return not self.categories

    @property
    def rows(self) -> int:
        """All rows, those without a value included."""
        return sum(self.counts) + self.missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What each column's distance may reach in a window of at least so many rows."""

    rows: int
    by_column: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityPromise:
    """What the version did on rows it had not been fitted on."""

    metric: str
    expected: float
    limit: float
    """A window's mean loss stays below it, within the false-alarm budget."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Kept with the version as `reference.json`; a sample of rows lies beside it as Parquet."""

    rows: int
    columns: tuple[ColumnSummary, ...]
    limits: tuple[Limits, ...]
    """For rising numbers of rows; the first is the smallest window that is judged."""
    window: timedelta
    false_alarms: float
    """The rate of false alarms, of a whole window over all columns, that the limits keep to."""
    quality: QualityPromise | None = None
    importance: dict[str, float] = field(default_factory=dict)
    """Share of each input in what the version's answers rest on; the sum is 1."""

    @property
    def rows_needed(self) -> int:
        """With fewer rows a window is not judged."""
        return self.limits[0].rows

    def limits_at(self, rows: int) -> Limits | None:
        """Give the limits for a window of this size; None when it is too small to judge."""
        fitting = [limits for limits in self.limits if limits.rows <= rows]
        return fitting[-1] if fitting else None
