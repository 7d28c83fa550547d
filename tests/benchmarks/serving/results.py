"""What a run found, as it is printed and kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median


class Role(StrEnum):
    """What a contender is there for."""

    OURS = "ours"
    PEER = "peer"
    INFORMATION = "information"
    """Measured, and compared with nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """How much is asked at once, and by how many."""

    rows: int
    connections: int

    def __str__(self) -> str:
        rows = "1 row" if self.rows == 1 else f"{self.rows} rows"
        return f"{rows}, {self.connections} connection{'s' if self.connections > 1 else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measurement of one contender."""

    shape: str
    contender: str
    condition: Condition
    cpu_us: float
    """Microseconds of CPU a request, user and system, of the server's whole process tree."""
    per_second: float
    p50_ms: float
    p99_ms: float
    worst_ms: float
    requests: int
    peak_mb: float
    """The most that the server's processes ever had resident, up to now."""
    others: float
    """Share of the machine that other processes used meanwhile, 0 to 1."""
    load: float
    """Load average of the minute before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """What a server took from its start to its first 200."""

    shape: str
    server: str
    seconds: float
    cpu_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Swapped:
    """A swap under load."""

    seconds: float
    """From the supervisor's order to the first answer of the new version."""
    requests: int
    worst_ms: float
    """The slowest answer while it went on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """The middle of some repeats, and how far they lie apart."""

    middle: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Sum up at least one value."""
        return cls(middle=median(values), lowest=min(values), highest=max(values))


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the figures were taken with."""

    machine: str
    """In words, without a name."""
    versions: dict[str, str]
    trees: dict[str, int]
    seconds: float
    repeats: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """All of a run."""

    surroundings: Surroundings
    figures: list[Figure]
    starts: list[Started]
    swaps: list[Swapped]
    skipped: dict[str, str]
    """Contenders that were not measured, and why."""
    words: dict[str, str]
    """What each contender is."""
    roles: dict[str, Role]
