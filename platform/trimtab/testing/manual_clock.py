"""A clock that moves when it is told to."""

from datetime import datetime, timedelta


class ManualClock:
    """Shows the same moment until it is moved."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self) -> datetime:
        """Give the moment that the clock shows."""
        return self._now

    def set(self, moment: datetime) -> None:
        """Show another moment."""
        self._now = moment

    def advance(self, by: timedelta) -> None:
        """Move on."""
        self._now += by
