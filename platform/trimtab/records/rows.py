"""Rows of inputs: the names once, the values row by row."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Rows(Sequence[Mapping[str, Any]]):
    """Looks like a list of dictionaries; who is in a hurry takes `values` as they are.

    >>> Rows(("temp", "wind"), ((11.5, 3.0), (9.0, None)))[1]
    {'temp': 9.0, 'wind': None}
    """

    names: Sequence[str]
    values: Sequence[tuple[Any, ...]]
    """One tuple a row, in the order of the names."""
    numbers: NDArray[np.float64] | None = field(default=None, compare=False, repr=False)
    """The same values as a matrix, rows by names, where every one is a float and somebody has
    made it; nobody changes it."""

    @classmethod
    def joined(cls, parts: Sequence["Rows"]) -> "Rows":
        """Put rows of the same names behind each other.

        >>> Rows.joined([Rows(["t"], [(1.0,)]), Rows(["t"], [(2.0,)])]).values
        [(1.0,), (2.0,)]
        """
        matrices = [part.numbers for part in parts if part.numbers is not None]
        return cls(
            parts[0].names,
            list(chain.from_iterable(part.values for part in parts)),
            np.concatenate(matrices) if len(matrices) == len(parts) else None,
        )

    def __len__(self) -> int:
        return len(self.values)

    @overload
    def __getitem__(self, index: int) -> Mapping[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> "Rows": ...
    def __getitem__(self, index: int | slice) -> "Mapping[str, Any] | Rows":
        if isinstance(index, slice):
            numbers = None if self.numbers is None else self.numbers[index]
            return Rows(self.names, self.values[index], numbers)
        return dict(zip(self.names, self.values[index], strict=True))

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        return (dict(zip(self.names, row, strict=True)) for row in self.values)
