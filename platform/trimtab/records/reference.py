"""The reference: what the monitor compares live windows with. It moves with its version."""

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from .checks import Calibration, Check
from .estimates import Estimator
from .quality import QualityPromise

OUTPUT = "(output)"
"""The name under which the model's own output is summarised; no input may bear it."""
TOGETHER = "(together)"
"""The name of the finding on how columns move together; no input may bear it."""
REGIONS = "(regions)"
"""The name of the finding on where among regions of the inputs rows lie; no input may bear it."""
DISTANCE = "(distance)"
"""The name of the distance from the centre of a row's cluster; no input may bear it."""
ANOMALY = "(anomaly)"
"""Whether a row is an anomaly, `(output)` being how odd it is; no input may bear it."""
OUTPUTS = (OUTPUT, DISTANCE, ANOMALY)
"""The columns that are answers, not inputs."""
LABEL = "(label)"
"""The name of the label in the sample of training rows; no input may bear it."""


class Season(StrEnum):
    """A cycle of the calendar, in UTC, that the training rows follow."""

    NONE = "none"
    DAY_OF_WEEK = "day_of_week"
    HOUR_OF_DAY = "hour_of_day"
    """The hours of working days, and those of weekends."""


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
    output_means: tuple[float | None, ...] = ()
    """Mean output of the rows in each bin, of categories; None for bins without rows."""
    by_season: tuple[tuple[int, ...], ...] = ()
    """Rows in each bin, those without a value last, season by season; empty without seasons."""

    @property
    def is_numeric(self) -> bool:
        """Tell whether the counts are of bins rather than categories."""
        return not self.categories

    @property
    def rows(self) -> int:
        """All rows, those without a value included."""
        return sum(self.counts) + self.missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A node of a small tree: rows whose value is in some bins go one way, all others the other."""

    column: str
    bins: tuple[int, ...]
    inside: int
    """The split that follows; below zero it is region -1 - number."""
    outside: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Regions:
    """Regions of the inputs, told apart by how well the model did in them."""

    splits: tuple[Split, ...]
    """The first one is asked first."""
    summary: ColumnSummary
    """Training rows in each region, with the mean loss there in the place of the output's."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The inputs that the regions are made of, the first asked first."""
        return tuple(dict.fromkeys(split.column for split in self.splits))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Kept with the version as `reference.json`; a sample of rows lies beside it as Parquet."""

    rows: int
    columns: tuple[ColumnSummary, ...]
    checks: tuple[Check, ...]
    calibrations: tuple[Calibration, ...]
    """For rising numbers of rows."""
    rows_needed: int
    """With fewer rows a window is not judged."""
    window: timedelta
    false_alarms: float
    """The rate of false alarms, of a whole window over all columns, that the limits keep to."""
    season: Season = Season.NONE
    """A window is compared with training rows of the same part of this cycle."""
    ages: bool = False
    """Moments are summarised as seconds before the row's own time, rather than since 1970."""
    repeated: float = 0.0
    """The largest share of rows that repeated another of their window, 0 to 1."""
    importance: dict[str, float] = field(default_factory=dict)
    """What each input means to the model; together 1."""
    regions: Regions | None = None
    """None where no losses were known."""
    quality: QualityPromise | None = None
    estimator: Estimator | None = None

    @property
    def summaries(self) -> tuple[ColumnSummary, ...]:
        """All that is counted: the columns, and the regions where there are any."""
        return self.columns if self.regions is None else (*self.columns, self.regions.summary)

    @property
    def usual_rows(self) -> int:
        """The number of rows that nine of ten windows of the training rows had, where known."""
        return self.calibrations[-1].rows

    def calibration_at(self, rows: int) -> Calibration:
        """Give the calibration for a window of this size."""
        fitting = [known for known in self.calibrations if known.rows <= rows]
        return fitting[-1] if fitting else self.calibrations[0]
