"""Requests that are in order, read in one pass over the bytes.

What is not taken here is not refused yet: the strict description in `wire.py` judges it, and finds
the words. So everything that is taken here must be what that description takes, value for value.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from operator import itemgetter
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from trimtab.records.contracts import Contract
from trimtab.records.moments import read_moment
from trimtab.records.rows import Rows
from trimtab.records.schema import Column, ColumnType

from .doubles import matrix

LONGEST_TEXT = 4096
"""Characters of one text value."""
LONGEST_NAME = 256
"""Characters of a key or a source."""
LARGEST_FLOAT = (2 - 2**-23) * 2.0**127
_FLOATS = {ColumnType.FLOAT, ColumnType.DOUBLE}
_ORDERS_KEPT = 8
"""Orders of columns whose decoders are kept; a client has one."""

Values = tuple[Any, ...]
_TYPES: dict[ColumnType, Any] = {
    ColumnType.BOOLEAN: bool,
    ColumnType.INTEGER: Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)],
    ColumnType.LONG: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)],
    ColumnType.FLOAT: Annotated[float, Meta(ge=-LARGEST_FLOAT, le=LARGEST_FLOAT)],
    ColumnType.DOUBLE: float,
    ColumnType.STRING: Annotated[str, Meta(max_length=LONGEST_TEXT)],
    ColumnType.DATETIME: str,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request that fits the contract."""

    rows: Rows
    """Values in the order of the schema; times are aware, in UTC."""
    keys: Sequence[str] | None
    """One for each row, or none."""
    times: Sequence[datetime] | None
    """One for each row, or none."""
    source: str


class Reader:
    """Takes the requests of one contract."""

    def __init__(self, contract: Contract, max_rows: int) -> None:
        """Generate the decoders. Raises ValueError for names that no decoder can be made for."""
        self._columns = contract.schema.columns
        self._names = contract.schema.names
        self._max_rows = max_rows
        self._moments = [
            i for i, column in enumerate(self._columns) if column.type is ColumnType.DATETIME
        ]
        self._are_floats = {column.type for column in self._columns} <= _FLOATS
        self._decode = self._decoder(_struct(self._columns), _tuple(self._columns))
        self._decode_in = lru_cache(_ORDERS_KEPT)(self._decoder_in)

    def read(self, body: bytes) -> Asked | None:
        """Read a request; None when it is not plainly in order."""
        try:
            asked = self._decode(body)
            if asked.columns is UNSET:
                values = list(map(msgspec.structs.astuple, _only(asked.rows, asked.data)))
            elif asked.columns == self._names:
                values = _only(asked.data, asked.rows)
            else:
                return self._in_another_order(body, asked.columns)
            return self._asked(asked, values)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return self._in_another_order(body, None)

    def _in_another_order(self, body: bytes, columns: list[str] | None) -> Asked | None:
        """Read rows whose columns are named once, and not in the order of the schema."""
        try:
            order = tuple(columns or msgspec.json.decode(body, type=_Columns).columns)
            if order == tuple(self._names) or sorted(order) != sorted(self._names):
                return None
            asked = self._decode_in(order)(body)
            place = {name: i for i, name in enumerate(order)}
            arrange: Callable[[Values], Values] = itemgetter(*(place[n] for n in self._names))
            return self._asked(asked, list(map(arrange, _only(asked.data, asked.rows))))
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return None

    def _asked(self, asked: Any, values: list[Values]) -> Asked | None:
        if self._moments:
            values = [self._with_moments(row) for row in values]
        keys = None if asked.keys is UNSET else asked.keys
        times = None if asked.times is UNSET else [read_moment(time) for time in asked.times]
        if not (_fits(keys, values) and _fits(times, values)):
            return None
        numbers = matrix(values, len(self._names)) if self._are_floats else None
        rows = Rows(self._names, values, numbers)
        return Asked(rows=rows, keys=keys or None, times=times or None, source=asked.source)

    def _with_moments(self, row: Values) -> Values:
        changed = list(row)
        for i in self._moments:
            if changed[i] is not None:
                changed[i] = read_moment(changed[i])
        return tuple(changed)

    def _decoder_in(self, order: tuple[str, ...]) -> Callable[[bytes], Any]:
        by_name = {column.name: column for column in self._columns}
        return self._decoder(UnsetType, _tuple([by_name[name] for name in order]))

    def _decoder(self, row: Any, values: Any) -> Callable[[bytes], Any]:
        name = Annotated[str, Meta(max_length=LONGEST_NAME)]
        some, many = Meta(min_length=1, max_length=self._max_rows), Meta(max_length=self._max_rows)
        fields: list[tuple[str, Any, Any]] = [
            ("rows", row if row is UnsetType else Annotated[list[row], some] | UnsetType, UNSET),
            ("columns", list[str] | UnsetType, UNSET),
            ("data", Annotated[list[values], some] | UnsetType, UNSET),
            ("keys", Annotated[list[name], many] | UnsetType, UNSET),
            ("times", Annotated[list[str], many] | UnsetType, UNSET),
            ("source", name, ""),
        ]
        request = msgspec.defstruct("Request", fields, forbid_unknown_fields=True, gc=False)
        return msgspec.json.Decoder(request).decode


class _Columns(msgspec.Struct):
    """As much of a request as tells in which order the values come."""

    columns: list[str]


def _struct(columns: Sequence[Column]) -> Any:
    """Make a row's type; its fields are named by position, for a column may be called anything."""
    fields = [(f"c{i}", _type(column)) for i, column in enumerate(columns)]
    names = {f"c{i}": column.name for i, column in enumerate(columns)}
    return msgspec.defstruct("Row", fields, rename=names, forbid_unknown_fields=True, gc=False)


def _tuple(columns: Sequence[Column]) -> Any:
    """Make the type of a row whose columns are named elsewhere."""
    return tuple[tuple(map(_type, columns))]  # type: ignore[misc]  # as many as there are columns


def _type(column: Column) -> Any:
    return _TYPES[column.type] if column.required else _TYPES[column.type] | None


def _only(wanted: Any, unwanted: Any) -> list[Any]:
    if wanted is UNSET or unwanted is not UNSET:
        raise ValueError("rows come in one form, not in both or in none")
    given: list[Any] = wanted
    return given


def _fits(given: Sequence[object] | None, rows: Sequence[object]) -> bool:
    return not given or len(given) == len(rows)
