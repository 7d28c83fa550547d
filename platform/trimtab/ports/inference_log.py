"""The inference log: every request that an endpoint answered or refused."""

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, TypeVar

from trimtab.records.erasures import Removed, Subject
from trimtab.records.predictions import LoggedPrediction

if TYPE_CHECKING:  # ports are imported by every verb; Arrow and pandas cost a second
    import pyarrow as pa

    from trimtab.records.logged import LoggedRows


Result = TypeVar("Result")


class InferenceLog(Protocol):
    """A log that grows, by model and version."""

    def append(self, model: str, version: str, part: str, rows: "pa.Table") -> None:
        """Add a part (columns of `log_schema`), once: a part that is there already stays as is."""
        ...

    def parts(self, model: str) -> Sequence[str]:
        """List the names of the parts that are in the log, or `hulls` of them."""
        ...

    def read(
        self, model: str, version: str, start: datetime | None = None, end: datetime | None = None
    ) -> "LoggedRows | None":
        """Read rows of one version by event time, in that order; None when there are none."""
        ...

    def count(self, model: str, version: str, edges: Sequence[datetime]) -> Sequence[int]:
        """Count the rows, refusals included, from each of these event times up to the next."""
        ...

    def scan(
        self,
        model: str,
        version: str,
        start: datetime,
        end: datetime,
        work: "Callable[[Iterator[LoggedRows]], Result]",
        *,
        columns: Sequence[str] | None = None,
    ) -> Result:
        """Give rows to `work` in batches of a bounded length, in no order, and give what it makes.

        Files that are merged meanwhile make it begin again: `work` may be called more than once,
        and must keep nothing of a call that did not end. `columns` are those of `log_schema` that
        are needed; the others are left unread.
        """
        ...

    def sample(
        self,
        model: str,
        version: str,
        start: datetime,
        end: datetime,
        rows: int,
        *,
        columns: Sequence[str] | None = None,
    ) -> "LoggedRows | None":
        """Read so many answered rows, evenly spaced in their order in time; None without any."""
        ...

    def first_time(self, model: str) -> datetime | None:
        """Give the earliest event time in the log."""
        ...

    def find(self, model: str, names: Collection[str]) -> set[str]:
        """Tell which of these are the key, or the prediction id, of an answered row.

        The newest rows are looked at first, and no more than it takes.
        """
        ...

    def versions(self, model: str) -> Sequence[str]:
        """List the versions that have rows, in the order of their numbers."""
        ...

    def span(self, model: str, version: str) -> tuple[datetime, datetime] | None:
        """Give the earliest and the latest event time of a version; None without a row."""
        ...

    def get(self, model: str, prediction_id: str) -> LoggedPrediction | None:
        """Find one answered row, without reading the log where the id tells its time."""
        ...

    def answered(
        self,
        model: str,
        version: str,
        start: datetime,
        end: datetime,
        keys: Collection[str] | None = None,
    ) -> Sequence[LoggedPrediction]:
        """Read the answered rows of a slice, of some keys alone where they are named.

        In their order in time. All are in memory: `count` tells how many rows a slice has.
        """
        ...


class LogUpkeep(Protocol):
    """What is done to a log besides adding to it; `parts` and the other rows stay as they are."""

    def compact(self, model: str) -> int:
        """Make fewer files of many, a bounded piece of work; gives how many went into others."""
        ...

    def expire(self, model: str, before: datetime) -> Removed:
        """Remove the rows whose event time is before a moment."""
        ...

    def erase(self, model: str, subject: Subject) -> Removed:
        """Remove the rows of a subject; no copy of them is left in the log."""
        ...

    def sweep(self, model: str) -> None:
        """Clear away what compaction left for readers that were under way."""
        ...
