"""Amounts as people write them: a margin of `0.01` or `2%`, a size of `50 MB`, a time of `5ms`."""

import math
import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer

_SIZES = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_TIMES = {"us": 1e-6, "ms": 1e-3, "s": 1.0}
_NUMBER = r"(\d+(?:\.\d+)?)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """By how much losses may or must differ: in the loss's own unit, or as a share of a loss."""

    amount: float = 0.0
    is_relative: bool = False

    @classmethod
    def parse(cls, text: object) -> "Margin":
        """Read `0.01` (of the loss's own unit) or `2%` (of the champion's loss).

        >>> Margin.parse("2%").of(0.5)
        0.01

        Raises ValueError for anything else, negative ones included.
        """
        if isinstance(text, Margin):
            return text
        match = re.fullmatch(rf"{_NUMBER}\s*(%)?", _plain(text))
        if match is None or (match[2] and float(match[1]) >= 100):
            raise ValueError(f"{text!r} is no margin; write 0.01, or 2% of the champion's loss")
        is_relative = match[2] is not None
        amount = float(match[1]) / 100 if is_relative else float(match[1])
        return cls(amount=amount, is_relative=is_relative)

    def of(self, loss: float) -> float:
        """Give the margin in the unit of a loss."""
        return self.amount * abs(loss) if self.is_relative else self.amount

    def __str__(self) -> str:
        return f"{self.amount * 100:g}%" if self.is_relative else f"{self.amount:g}"


NO_MARGIN = Margin()
"""Any difference counts."""


def parse_size(text: object) -> int:
    """Read a number of bytes, or `800 kB`, `50 MB`, `1.5 GiB`.

    >>> parse_size("50 MB")
    50000000

    Raises ValueError for anything else, zero included.
    """
    match = re.fullmatch(rf"{_NUMBER}\s*(\w+)?", _plain(text))
    unit = _SIZES.get(match[2] or "B") if match else None
    if match is None or unit is None or round(float(match[1]) * unit) < 1:
        raise ValueError(f"{text!r} is no size; write 800 kB, 50 MB or 1.5 GiB")
    return round(float(match[1]) * unit)


def format_size(size: float) -> str:
    """Write a number of bytes with three figures.

    >>> format_size(2_340_000)
    '2.34 MB'
    """
    unit = next((u for u in ("GB", "MB", "kB") if size >= _SIZES[u]), "B")
    return f"{_figures(size / _SIZES[unit])} {unit}"


def parse_seconds(text: object) -> float:
    """Read a short time, `200us`, `5ms` or `1.5s`, as seconds.

    >>> parse_seconds("5ms")
    0.005

    Raises ValueError for anything else, zero included.
    """
    if isinstance(text, float) and text > 0 and math.isfinite(text):
        return text  # a setting that was read before
    match = re.fullmatch(rf"{_NUMBER}\s*(us|ms|s)", _plain(text))
    if match is None or float(match[1]) == 0:
        raise ValueError(f"{text!r} is no time for an answer; write 200us, 5ms or 1.5s")
    return float(match[1]) * _TIMES[match[2]]


def format_seconds(seconds: float) -> str:
    """Write a short time with three figures.

    >>> format_seconds(0.00123), format_seconds(0.000052)
    ('1.23ms', '52us')
    """
    unit = next((u for u in ("s", "ms") if seconds >= _TIMES[u]), "us")
    return f"{_figures(seconds / _TIMES[unit])}{unit}"


def _figures(number: float) -> str:
    return f"{number:.0f}" if number >= 99.5 else f"{number:.3g}"  # no exponents


def _plain(text: object) -> str:
    """Spell a setting; true and false are no numbers here."""
    return "" if isinstance(text, bool) else str(text).strip()


MarginSetting = Annotated[
    Margin, BeforeValidator(Margin.parse), PlainSerializer(str, return_type=str, when_used="json")
]
Size = Annotated[
    int,
    BeforeValidator(parse_size),
    PlainSerializer(format_size, return_type=str, when_used="json"),
]
Seconds = Annotated[
    float,
    BeforeValidator(parse_seconds),
    PlainSerializer(format_seconds, return_type=str, when_used="json"),
]
