"""Earlier windows seen again: which are worth another look, and how estimates of them did."""

from collections.abc import Sequence
from dataclasses import replace

from trimtab.records.estimates import Estimator
from trimtab.records.quality import Quality
from trimtab.records.verdicts import Verdict

from .grading import with_record

MEMORY = 64
"""Windows that are looked back upon; a label that comes later than that many is not counted."""


def worth_measuring(windows: int, newest: int) -> list[int]:
    """Choose from so many past windows, 0 being the newest, those to measure again; oldest first.

    The `newest` ones always, as most labels come soon. Of the others every window has its turn
    when it is 4, 8, 16, ... windows old: labels that are late, and corrections, are found at less
    than twice their age, and what a look back costs hardly grows with how far it goes.

    >>> worth_measuring(20, 3)
    [15, 7, 3, 2, 1, 0]
    """
    older = {2**power - 1 for power in range(2, MEMORY.bit_length())}
    chosen = older | set(range(newest))
    return sorted((age for age in chosen if age < windows), reverse=True)


def with_hindsight(
    verdict: Verdict, known: Sequence[Verdict], estimator: Estimator | None
) -> Verdict:
    """Put beside a verdict how estimates of its version's earlier windows did; newest first."""
    if verdict.quality is None or estimator is None:
        return verdict
    before = [v.quality for v in known if v.window.end <= verdict.window.start and v.quality]
    return replace(verdict, quality=with_record(verdict.quality, before, estimator))


def merged(known: Sequence[Verdict], changed: Sequence[Verdict]) -> list[Verdict]:
    """Take what changed in place of what was known, by version and window."""
    newer = {(v.version, v.window): v for v in changed}
    return [newer.get((v.version, v.window), v) for v in known]


def has_news(before: Verdict, after: Verdict) -> bool:
    """Tell whether more has changed than how other windows' estimates did."""
    return _itself(before) != _itself(after)


def _itself(verdict: Verdict) -> Quality | None:
    quality = verdict.quality
    if quality is None or quality.estimate is None:
        return quality
    return replace(quality, estimate=replace(quality.estimate, record=None))
