"""How much of the log is read at once: stretches of time that hold a bounded number of rows."""

from dataclasses import dataclass
from datetime import datetime, timedelta

ROWS = 20_000
"""About so many rows are in memory at once."""
_SHORTEST, _LONGEST = timedelta(seconds=10), timedelta(days=7)


@dataclass(slots=True)
class Pace:
    """Learns from each stretch how long the next one may be.

    >>> pace = Pace()
    >>> pace.saw(0)
    >>> pace.length
    datetime.timedelta(seconds=1200)
    """

    length: timedelta = timedelta(minutes=10)

    def end(self, start: datetime, horizon: datetime) -> datetime:
        """Give the end of the stretch that begins here."""
        return min(start + self.length, horizon)

    def start(self, end: datetime, since: datetime) -> datetime:
        """Give the beginning of the stretch that ends here."""
        return max(end - self.length, since)

    def saw(self, rows: int) -> None:
        """Take note of how many rows the last stretch had."""
        if rows > ROWS:
            self.length = max(self.length / 2, _SHORTEST)
        elif rows < ROWS / 4:
            self.length = min(self.length * 2, _LONGEST)
