"""From rows of typed values to one matrix of numbers, with as little Python a value as can be."""

import struct
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any

import numpy as np

from trimtab.records.rows import Rows

from .limits import OddRowsError
from .values import Read

_NAN = float("nan")


class Reading:
    """Reads columns in the order of a plan."""

    def __init__(self, columns: Sequence[tuple[str, Read | None]], *, whole: bool = False) -> None:
        """Take names and readers; `whole` numbers are kept as 64-bit integers."""
        names = [name for name, _ in columns]
        self._names = names
        self._pick: Any = _picker(names)
        self._met: Sequence[str] = ()
        self._order: list[int] | None = None
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
            if not isinstance(rows, Rows):
                return self._matrix(rows)
            self._meet(rows.names)
            if rows.numbers is None or self._special or self._kind != "f8":
                return self._matrix(rows)
            return self._copied(rows.numbers)
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
            return list(chain.from_iterable(self._picked(rows)))
        values: list[Any] = []
        for row in self._picked(rows):
            picked = list(row)
            for at, read in self._special:
                picked[at] = read(picked[at])
            values += picked
        return values

    def _picked(self, rows: Sequence[Mapping[str, Any]]) -> Iterable[tuple[Any, ...]]:
        """Give the values of every row in the order of the plan."""
        if not isinstance(rows, Rows):
            return map(self._pick, rows)
        return rows.values if self._order is None else map(_picker(self._order), rows.values)

    def _copied(self, numbers: np.ndarray) -> np.ndarray:
        """Give a matrix of its own, one row behind the other, in the order of the plan."""
        return numbers.copy() if self._order is None else np.take(numbers, self._order, axis=1)

    def _meet(self, names: Sequence[str]) -> None:
        """Find the columns among these names; an endpoint's rows all share one list of them."""
        if names is not self._met:
            places = {name: at for at, name in enumerate(names)}
            order = [places[name] for name in self._names]
            self._order = None if order == list(range(len(places))) else order
            self._met = names


def _picker(keys: Sequence[Any]) -> Any:
    return itemgetter(*keys) if len(keys) > 1 else lambda row: (row[keys[0]],)
