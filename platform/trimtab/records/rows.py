"""Rows of inputs: the names once, the values row by row."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload


@dataclass(frozen=True, slots=True)
class Rows(Sequence[Mapping[str, Any]]):
    """Looks like a list of dictionaries; who is in a hurry takes `values` as they are.

    >>> Rows(("temp", "wind"), ((11.5, 3.0), (9.0, None)))[1]
    {'temp': 9.0, 'wind': None}
    """

    names: Sequence[str]
    values: Sequence[tuple[Any, ...]]
    """One tuple a row, in the order of the names."""

    def __len__(self) -> int:
        return len(self.values)

    @overload
    def __getitem__(self, index: int) -> Mapping[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> "Rows": ...
    def __getitem__(self, index: int | slice) -> "Mapping[str, Any] | Rows":
        if isinstance(index, slice):
            return Rows(self.names, self.values[index])
        return dict(zip(self.names, self.values[index], strict=True))

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        return (dict(zip(self.names, row, strict=True)) for row in self.values)
