"""How many labelled rows a champion has not seen, and how far their labels have come."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """How far the labels of the rows have come that the champion has not seen."""

    labelled: int
    """Rows whose label has come."""
    expected: int
    """About so many rows there are, those without a label included: estimated from how late labels
    come."""
    share: float
    """What counts as complete: this share of the labels, 0 to 1."""
    after: timedelta
    """So long after a row this share of the labels has come, as far as is known."""
    enough_at: datetime | None = None
    """When as many rows are complete as are needed; None where there are not so many rows yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowCount:
    """What one count found; a model has one, the newest."""

    model: str
    epoch: int
    """Of the champion that has not seen the rows; 0 where there is none."""
    counted_at: datetime
    new_rows: int
    """Labelled rows that it has not seen and whose time is long enough past for their labels to be
    complete."""
    arrival: Arrival | None = None
    """None where nothing is known of how late labels come."""
