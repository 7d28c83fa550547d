"""What contenders are asked, and what they may say."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from .subjects import Subject, Traffic


class Kind(StrEnum):
    """What a monitor says of a window."""

    QUIET = "quiet"
    DRIFT = "drift"
    BROKEN = "broken data"
    UNJUDGED = "not judged"

    @property
    def is_alarm(self) -> bool:
        """Tell whether somebody is called."""
        return self in (Kind.DRIFT, Kind.BROKEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What a monitor says of a window, and which columns it blames."""

    kind: Kind
    columns: tuple[str, ...] = ()


Stream = Sequence[Traffic]
"""Windows that follow each other; a monitor may remember the earlier ones."""
Judge = Callable[[Sequence[Stream]], list[list[Opinion]]]
"""Says something of each window of each stream; streams know nothing of each other."""
Prepare = Callable[[Subject, float], Judge]
"""Gets ready with what is known at training, for a rate of false alarms of one window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A way to watch."""

    name: str
    words: str
    prepare: Prepare
    has_budget: bool = True
    """The rate of false alarms can be chosen."""
