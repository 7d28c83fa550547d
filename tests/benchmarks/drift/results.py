"""All that a run found, as it is kept."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from .accuracy import Accuracy
from .cost import Cost
from .pays import Paid
from .power import Delay, Found
from .undisturbed import Alarms


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the figures depend on."""

    machine: str
    versions: dict[str, str]
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """One run."""

    surroundings: Surroundings
    words: dict[str, str]
    """What each contender is."""
    alarms: Sequence[Alarms] = field(default_factory=tuple)
    found: Sequence[Found] = field(default_factory=tuple)
    delays: Sequence[Delay] = field(default_factory=tuple)
    paid: Sequence[Paid] = field(default_factory=tuple)
    accuracy: Sequence[Accuracy] = field(default_factory=tuple)
    costs: Sequence[Cost] = field(default_factory=tuple)
