"""A request on its way: when it came in, and what goes back."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple


@dataclass(slots=True)
class Reply:
    """What goes back to the caller."""

    status: int
    body: bytes
    request_id: str = ""
    """32 hexadecimal digits; empty where nothing was asked of the model."""
    version: str = ""
    rows: int = 0


class Arrival(NamedTuple):
    """When a request came in: by the wall clock, and by one that never jumps."""

    at: datetime
    ticks: int

    @classmethod
    def now(cls) -> "Arrival":
        """Note the present moment."""
        return cls(datetime.now(UTC), time.perf_counter_ns())

    @property
    def microseconds(self) -> int:
        """How long ago that was."""
        return (time.perf_counter_ns() - self.ticks) // 1000
