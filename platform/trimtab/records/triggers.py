"""When to ask for a new version: a list, any of whose entries is enough; `and` joins conditions."""

import difflib
import re
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from .durations import format_duration, parse_duration


class Cause(StrEnum):
    """What may be true of a model that calls for a new version."""

    DRIFT = "drift"
    QUALITY = "quality"
    """Lost, measured or estimated."""
    MEASURED = "measured quality"
    ESTIMATED = "estimated quality"
    SCHEDULE = "every 30d"
    LABELS = "1000 new labels"


_PLAIN = {c.value: c for c in Cause if c not in (Cause.SCHEDULE, Cause.LABELS)}
_EVERY = re.compile(r"every\s+(\S+)")
_LABELS = re.compile(r"(\d[\d_,]*)\s+new\s+labels?")
_BY_HAND = ("by hand", "manual", "by a person")


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One thing that has to be so."""

    cause: Cause
    every: timedelta | None = None
    """Of a schedule: how long the last training lies back."""
    labels: int | None = None
    """Of new labels: how many labelled rows the champion has not seen."""

    @classmethod
    def parse(cls, text: str) -> "Condition":
        """Read `drift`, `quality`, `measured quality`, `estimated quality`, `every 30d` or
        `1000 new labels`.

        >>> str(Condition.parse("1000 new labels"))
        '1,000 new labels'

        Raises ValueError for anything else.
        """
        words = " ".join(text.lower().split())
        if words in _PLAIN:
            return cls(cause=_PLAIN[words])
        if match := _EVERY.fullmatch(words):
            return cls(cause=Cause.SCHEDULE, every=parse_duration(match[1]))
        if match := _LABELS.fullmatch(words):
            labels = int(re.sub(r"[_,]", "", match[1]))
            if not labels:
                raise ValueError("0 new labels are always there; write at least 1")
            return cls(cause=Cause.LABELS, labels=labels)
        raise ValueError(_unread(text, words))

    def __str__(self) -> str:
        if self.every is not None:
            return f"every {format_duration(self.every)}"
        if self.labels is not None:
            return f"{self.labels:,} new labels"
        return str(self.cause)


@dataclass(frozen=True, slots=True, kw_only=True)
class AllOf:
    """An entry of the list: all of its conditions have to be so at the same time."""

    conditions: tuple[Condition, ...]

    @classmethod
    def parse(cls, given: object) -> "AllOf":
        """Read `drift and 1000 new labels`.

        >>> str(AllOf.parse("drift and 1000 new labels"))
        'drift and 1,000 new labels'

        Raises ValueError for what is no text, no condition, or says a thing twice.
        """
        if isinstance(given, AllOf):
            return given
        if not isinstance(given, str):
            raise ValueError('each entry is a text; all of some is "drift and 1000 new labels"')
        conditions = tuple(Condition.parse(part) for part in re.split(r"(?i)\s+and\s+", given))
        causes = [condition.cause for condition in conditions]
        for cause in causes:
            if causes.count(cause) > 1:
                raise ValueError(f"{given!r} names {cause.value!r} twice")
        return cls(conditions=conditions)

    def __str__(self) -> str:
        return " and ".join(map(str, self.conditions))


def _unread(given: str, words: str) -> str:
    if words in _BY_HAND:
        return "a person may always ask; leave it out (`on = []` lets nobody else)"
    if words == "schedule":
        return 'say how often: "every 30d"'
    if words in ("labels", "new labels"):
        return 'say how many: "1000 new labels"'
    if " or " in words:
        return f"{given!r}: what is enough alone is an entry of its own, without `or`"
    nearest = difflib.get_close_matches(words, _PLAIN, n=1)
    hint = f"Did you mean {nearest[0]!r}? " if nearest else ""
    known = ", ".join(f'"{cause.value}"' for cause in Cause)
    return f"{given!r} is no condition. {hint}There are {known}, and `and` between them"
