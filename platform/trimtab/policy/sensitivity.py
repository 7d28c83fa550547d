"""How much less sensitive the monitor is to columns of incidents that were marked false."""

from collections.abc import Iterable
from datetime import datetime

from trimtab.records.incidents import FalseMark

DIVISOR = 4
"""Each mark divides the column's share of the false-alarm budget by this."""


def sensitivity(marks: Iterable[FalseMark], now: datetime) -> dict[str, float]:
    """Give each marked column's factor, above 0 and below 1; a column that is not in it has 1.

    The limit of the column's p-value is to be multiplied by it. Marks that have ended or were
    undone do not count.
    """
    factors: dict[str, float] = {}
    for mark in marks:
        if mark.is_in_force(now):
            factors[mark.column] = factors.get(mark.column, 1.0) / DIVISOR
    return factors
