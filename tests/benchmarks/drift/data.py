"""All data sets of the benchmark, and which of them may be looked at while building."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from . import timed, untimed
from .rows import Rows, Use


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """A data set that is read when it is asked for."""

    load: Callable[[], Rows]
    use: Use

    @property
    def name(self) -> str:
        """The name of the function that reads it."""
        return self.load.__name__

    def rows(self) -> Rows:
        """Read it once a process. Raises NoDataError."""
        return _read(self.load)


@cache
def _read(load: Callable[[], Rows]) -> Rows:
    return load()


def _of(use: Use, *loads: Callable[[], Rows]) -> tuple[DataSet, ...]:
    return tuple(DataSet(load=load, use=use) for load in loads)


TIMED = (
    *_of(
        Use.TUNING,
        timed.electricity,
        timed.rain,
        timed.flights,
        timed.air_quality,
        timed.hotel,
    ),
    *_of(
        Use.HELD_OUT,
        timed.pollution,
        timed.bikes,
        timed.demand,
        timed.transformer,
        timed.storms,
        timed.ridership,
        timed.weather,
        timed.pizzas,
    ),
)
"""In order of time."""
UNTIMED = (
    *_of(Use.TUNING, untimed.diamonds, untimed.adults, untimed.wages),
    *_of(
        Use.HELD_OUT,
        untimed.loans,
        untimed.crashes,
        untimed.health,
        untimed.churn,
        untimed.caravan,
    ),
)
"""In no order."""
