"""The time by which the loop decides."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """The system's clock, or that of a replay whose traffic carries its own time."""

    def now(self) -> datetime:
        """Give the present moment, aware, in UTC."""
        ...
