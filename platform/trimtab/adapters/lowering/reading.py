"""From rows of typed values to one matrix of numbers, with as little Python a value as can be."""

import struct
from collections.abc import Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any

import numpy as np

from .limits import OddRowsError
from .values import Read

_NAN = float("nan")


class Reading:
    """Reads columns in the order of a plan."""

    def __init__(self, columns: Sequence[tuple[str, Read | None]], *, whole: bool = False) -> None:
        """Take names and readers; `whole` numbers are kept as 64-bit integers."""
        names = [name for name, _ in columns]
        self._pick: Any = itemgetter(*names) if len(names) > 1 else lambda row: (row[names[0]],)
        self._special = [(at, read) for at, (_, read) in enumerate(columns) if read is not None]
        self._width = len(names)
        self._code, self._kind = ("q", "i8") if whole else ("d", "f8")

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """Give a new matrix, rows by columns; what is missing in it is NaN.

        Raises OddRowsError for values of other types than the wire lets through.
        """
        if not rows:
            raise OddRowsError
        try:
            return self._matrix(rows)
        except (KeyError, TypeError, OverflowError, struct.error):
            raise OddRowsError from None

    def _matrix(self, rows: Sequence[Mapping[str, Any]]) -> np.ndarray:
        values = self._values(rows)
        packed = bytearray(8 * len(values))
        layout = f"{len(values)}{self._code}"
        try:  # this is the fastest way from Python's numbers to a matrix, and takes no text
            struct.pack_into(layout, packed, 0, *values)
        except struct.error:
            values = [_NAN if value is None else value for value in values]
            struct.pack_into(layout, packed, 0, *values)
        return np.frombuffer(packed, self._kind).reshape(len(rows), self._width)

    def _values(self, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
        if not self._special:
            return list(chain.from_iterable(map(self._pick, rows)))
        values: list[Any] = []
        for row in rows:
            picked = list(self._pick(row))
            for at, read in self._special:
                picked[at] = read(picked[at])
            values += picked
        return values
