"""A window: the slice of time under judgement."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 5, tzinfo=UTC)  # a Monday, so that weekly windows start on Mondays


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """From `start` up to, but not including, `end`."""

    start: datetime
    end: datetime

    @classmethod
    def around(cls, moment: datetime, length: timedelta) -> "Window":
        """Find the window of the fixed grid of this length that holds a moment.

        >>> Window.around(datetime(2013, 4, 3, 12, tzinfo=UTC), timedelta(days=1)).start.day
        3
        """
        start = _EPOCH + (moment - _EPOCH) // length * length
        return cls(start, start + length)

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment < self.end

    def __str__(self) -> str:
        return f"{self.start:%Y-%m-%d %H:%M} to {self.end:%Y-%m-%d %H:%M}"
