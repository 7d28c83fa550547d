"""A window: the slice of time under judgement."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

_STRETCHES = (24, 12, 8, 6, 5, 4, 3, 2)
_SECOND = timedelta(seconds=1)
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

    def stretches(self) -> "list[Window]":
        """Cut the window into as many equal parts of whole seconds as it has, 24 at most.

        >>> day = Window.around(datetime(2013, 4, 3, 12, tzinfo=UTC), timedelta(days=1))
        >>> len(day.stretches()), str(day.stretches()[1])
        (24, '2013-04-03 01:00 to 2013-04-03 02:00')
        """
        length = self.end - self.start
        parts = next((n for n in _STRETCHES if length % (n * _SECOND) == timedelta(0)), 1)
        edges = [self.start + i * (length // parts) for i in range(parts)] + [self.end]
        return [Window(start, end) for start, end in pairwise(edges)]

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment < self.end

    def __str__(self) -> str:
        return f"{self.start:%Y-%m-%d %H:%M} to {self.end:%Y-%m-%d %H:%M}"
