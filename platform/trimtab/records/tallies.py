"""What is kept of a trial while it runs: sums and counts that add up, whatever the traffic.

The rows themselves stay in the inference log alone: there is no second copy to retain or erase.
"""

from dataclasses import dataclass, field

from .agreement import TrialResult
from .bakes import BakeLook


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockSums:
    """Sums of some figures over blocks of rows that share their luck."""

    blocks: tuple[int, ...] = ()
    """Their numbers, rising: stretches of time since 1970, or groups of callers."""
    sums: tuple[tuple[float, ...], ...] = ()
    """One row a block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is counted, fixed when a trial begins."""

    scores: tuple[str, ...]
    """Names of the scores of a row: classes, for their probabilities, or `prediction`."""
    columns: tuple[int, ...]
    """The classes behind `scores`: the last one alone of two, a few of many; empty for numbers."""
    classes: tuple[str, ...]
    """Empty for numbers."""
    edges: tuple[float, ...]
    """Inner edges of the bins of the only score; empty where classes are counted."""
    tolerance: float | None
    slices: dict[str, tuple[str, ...]]
    """The values of each slice column that are looked at."""
    remarks: tuple[str, ...] = ()

    @property
    def counts_classes(self) -> bool:
        """Tell whether answers are counted by class, rather than in bins of the only score."""
        return bool(self.classes) and not self.edges

    @property
    def bins(self) -> int:
        """How many bins answers are counted in."""
        return len(self.classes) if self.counts_classes else len(self.edges) + 1

    @property
    def caller_groups(self) -> int:
        """Over how many groups of callers answers are summed up; fewer where bins are many."""
        return 128 if self.bins <= 64 else 32


@dataclass(frozen=True, slots=True, kw_only=True)
class PairTally:
    """Both versions' answers to the same rows."""

    sums: BlockSums = BlockSums()
    """Of rows, agreements, the champion's scores and the challenger's."""
    champion: tuple[int, ...] = ()
    """Answers in each bin."""
    challenger: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedTally:
    """What one version answered to callers."""

    requests: int = 0
    failed: int = 0
    latencies: dict[int, int] = field(default_factory=dict)
    """Requests by the step of a geometric scale that their latency falls on."""
    callers: BlockSums = BlockSums()
    """Of rows, scores and answers in each bin, over groups of callers."""

    @property
    def rows(self) -> int:
        """Rows with an answer."""
        return round(sum(sums[0] for sums in self.callers.sums))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Everything that was counted so far."""

    plan: Plan
    block_seconds: int
    """Length of a block; it doubles as the trial grows long, so that their number stays small."""
    pairs: dict[str, PairTally] = field(default_factory=dict)
    """By name: `all rows` and the slices."""
    changes: dict[str, int] = field(default_factory=dict)
    """Rows by `champion's class>challenger's class`, as numbers of classes."""
    unanswered: int = 0
    served: dict[str, ServedTally] = field(default_factory=dict)
    """By version."""
    timings: dict[str, dict[int, int]] = field(default_factory=dict)
    """By version: single rows by the step of the latency scale."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a trial rests on, kept beside it."""

    tally: Tally
    result: TrialResult
    looks: tuple[BakeLook, ...] = ()
    """Of a bake: those that were taken."""
