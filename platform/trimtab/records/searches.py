"""Search trials: the settings that a search tried for a version, and how good each was."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

SearchValue = int | float | str


class SearchState(StrEnum):
    """How a search trial ended."""

    DONE = "done"
    PRUNED = "pruned"
    """It was so far behind the others on the newest rows that the older ones were left out."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchTrial:
    """One learner with one choice of settings in one window, asked about blocks of time."""

    number: int
    """From 0, in the order in which they were tried."""
    candidate: str
    window: str
    settings: Mapping[str, SearchValue] = field(default_factory=dict)
    """What differs from the learner's usual settings."""
    state: SearchState = SearchState.DONE
    blocks: tuple[tuple[float, ...], ...] = ()
    """Mean losses of the pieces of each block that it was asked about, the newest block first."""
    loss: float | None = None
    """Over the blocks it was asked about, newer ones counting more; None where it failed."""
    seconds: float = 0.0
    reason: str = ""
    """Why it failed, or was pruned."""

    @property
    def is_whole(self) -> bool:
        """Tell whether it was asked about every block."""
        return self.state is SearchState.DONE
