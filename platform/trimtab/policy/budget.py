"""How one budget of false alarms is shared out among all that may alarm of a window."""

from dataclasses import dataclass

_QUALITY, _SLICES = 0.3, 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """False alarms of one window that each may raise; together they are the budget."""

    drift: float
    quality: float
    """Of the measured loss; of the estimated one where there are no labels: only one of both
    speaks."""
    slices: float


def shared(false_alarms: float, *, has_labels: bool) -> Shares:
    """Share a budget out: whatever correlates, all together raise no more than it allows.

    Bonferroni's inequality. Without labels drift alone can alarm, and has all of it.

    >>> shared(0.05, has_labels=True).drift
    0.03
    """
    quality, slices = (_QUALITY, _SLICES) if has_labels else (0.0, 0.0)
    return Shares(
        drift=false_alarms * (1 - quality - slices),
        quality=false_alarms * quality,
        slices=false_alarms * slices,
    )
