"""A bake: what the looks at a new champion found, beside what the one before would have done."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One question asked of a new champion and of the one before."""

    question: str
    """`log_loss, measured`, `failed requests`, `latency at p99, ms`."""
    champion: float
    before: float
    rows: int
    """Rows or requests of the champion that it rests on."""
    low: float | None
    """By so much, or so many times, the champion is worse at least, with the look's confidence;
    None where too little is known."""
    limit: float
    """It counts as worse when `low` lies above."""

    @property
    def is_worse(self) -> bool:
        """Tell whether the champion is proven worse."""
        return self.low is not None and self.low > self.limit


@dataclass(frozen=True, slots=True, kw_only=True)
class BakeLook:
    """One of the few looks that may end a bake."""

    number: int
    """Counted from 0; see `trimtab.policy.baking.LOOKS`."""
    at: datetime
    through: datetime
    """Captured requests of an earlier event time are in it."""
    confidence: float
    """Of each bound: what the whole bake may err is shared out over looks and questions."""
    figures: tuple[Figure, ...]
    remarks: tuple[str, ...] = ()
    """What could not be asked, and why."""

    @property
    def worse(self) -> tuple[Figure, ...]:
        """The figures by which the champion is proven worse."""
        return tuple(figure for figure in self.figures if figure.is_worse)
