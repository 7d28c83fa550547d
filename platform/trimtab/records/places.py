"""Places: which bytes of which segment, as the name of what became of them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_NAME = re.compile(r"(?P<segment>.+)-(?P<start>\d{12})-(?P<end>\d{12})")


@dataclass(frozen=True, slots=True)
class Place:
    """From one offset of a segment up to, but not including, another."""

    segment: str
    start: int
    end: int

    def __str__(self) -> str:
        return f"{self.segment}-{self.start:012d}-{self.end:012d}"

    @classmethod
    def parse(cls, name: str) -> "Place | None":
        """Read a place; None when the name is none."""
        match = _NAME.fullmatch(name)
        return cls(match["segment"], int(match["start"]), int(match["end"])) if match else None


def ends(names: Iterable[str]) -> dict[str, int]:
    """Tell how far each segment was worked off; names that are no places do not count."""
    furthest: dict[str, int] = {}
    for place in filter(None, map(Place.parse, names)):
        furthest[place.segment] = max(place.end, furthest.get(place.segment, 0))
    return furthest


def hulls(names: Iterable[str]) -> list[str]:
    """Put the places of each segment together as one; names that are no places stay as they are.

    A segment is worked off in order, so that up to the end of its last place all of it is settled.

    >>> hulls(["s-000000000012-000000000040", "s-000000000060-000000000080", "by hand"])
    ['by hand', 's-000000000012-000000000080']
    """
    found: dict[str, Place] = {}
    others: set[str] = set()
    for name in names:
        place = Place.parse(name)
        if place is None:
            others.add(name)
            continue
        known = found.get(place.segment, place)
        first, last = min(known.start, place.start), max(known.end, place.end)
        found[place.segment] = Place(place.segment, first, last)
    return [*sorted(others), *sorted(map(str, found.values()))]
