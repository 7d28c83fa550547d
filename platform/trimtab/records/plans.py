"""The serving plan: how a bento's version is best asked, as it was measured when it was built."""

from dataclasses import dataclass
from typing import Literal

Engine = Literal["pipeline", "lowered"]
"""The fitted pipeline itself, or its fast path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What an engine costs, in microseconds of CPU; medians."""

    one_row: float
    sixteen_rows: float
    """In one call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingPlan:
    """Kept in every bento as `plan.json`."""

    engine: Engine
    """Who answers. It reproduced the golden rows when the bento was proven."""
    batching: bool
    """Whether gathering the rows of several requests into one call saves CPU."""
    pipeline: Cost
    lowered: Cost | None
    """None where there is no fast path, or one that does not agree."""
    note: str
    """Why this engine, for people."""

    @property
    def cost(self) -> Cost:
        """What the engine that answers costs."""
        return self.lowered if self.engine == "lowered" and self.lowered else self.pipeline
