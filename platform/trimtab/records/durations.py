"""Lengths of time and rates as people write them: `7d`, `90d`, `4 per month`."""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer

_UNITS = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_PERIODS = {
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
    "month": timedelta(days=30),
    "quarter": timedelta(days=91),
    "year": timedelta(days=365),
}


def parse_duration(text: object) -> timedelta:
    """Read `90s`, `15m`, `12h`, `7d` or `2w`.

    >>> parse_duration("7d")
    datetime.timedelta(days=7)

    Raises ValueError for anything else, zero included.
    """
    if isinstance(text, timedelta):
        return text
    match = re.fullmatch(r"(\d+)\s*([smhdw])", str(text).strip())
    if match is None or int(match[1]) == 0:
        raise ValueError(f"{text!r} is no length of time; write 90s, 15m, 12h, 7d or 2w")
    return int(match[1]) * _UNITS[match[2]]


def format_duration(length: timedelta) -> str:
    """Write a length of time as `parse_duration` reads it.

    >>> format_duration(timedelta(days=7))
    '1w'
    """
    for unit, size in reversed(_UNITS.items()):
        if length % size == timedelta(0):
            return f"{length // size}{unit}"
    return f"{max(1, round(length.total_seconds()))}s"


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str, when_used="json"),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """So many in a period."""

    count: int
    period: timedelta

    @classmethod
    def parse(cls, text: object) -> "Rate":
        """Read `1 per quarter`; periods are hour, day, week, month (30 d), quarter (91 d), year.

        >>> Rate.parse("4 per month").count
        4

        Raises ValueError for anything else.
        """
        if isinstance(text, Rate):
            return text
        match = re.fullmatch(r"(\d+) per (\w+)", str(text).strip())
        if match is None or match[2] not in _PERIODS:
            periods = ", ".join(_PERIODS)
            raise ValueError(f"{text!r} is no rate; write `1 per quarter` (periods: {periods})")
        return cls(count=int(match[1]), period=_PERIODS[match[2]])

    def per(self, length: timedelta) -> float:
        """Give the expected number within a length of time.

        >>> Rate.parse("1 per week").per(timedelta(days=14))
        2.0
        """
        return self.count * (length / self.period)

    def __str__(self) -> str:
        period = next(name for name, size in _PERIODS.items() if size == self.period)
        return f"{self.count} per {period}"


RateSetting = Annotated[Rate, BeforeValidator(Rate.parse)]
