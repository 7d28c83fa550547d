"""The system's clock, and the clock of a replay, which lives in a file."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path


class SystemClock:
    """The time it is."""

    def now(self) -> datetime:
        """Give the present moment in UTC."""
        return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class FileClock:
    """The time that a replay has reached; every process of the platform reads the same file."""

    path: Path

    def now(self) -> datetime:
        """Read the moment. Raises OSError or ValueError when the file holds none."""
        return datetime.fromisoformat(self.path.read_text())

    def set(self, moment: datetime) -> None:
        """Move the time on, in one step for all readers."""
        fresh = self.path.with_suffix(".new")
        fresh.write_text(moment.isoformat())
        fresh.replace(self.path)
