"""Captured requests as rows of the inference log."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import NoneType
from typing import Any

import pyarrow as pa

from trimtab.records.contracts import Contract
from trimtab.records.logged import inputs_schema, log_schema
from trimtab.records.schema import Column, ColumnType

from .captured import CapturedRequest, CapturedRow

_OF_REQUEST = (
    "request_id",
    "version",
    "received",
    "source",
    "status",
    "latency_us",
    "device",
    "detail",
)
_OF_ROW = ("prediction_id", "key", "probabilities")


class UnfitRequestError(ValueError):
    """A request does not fit the contract of the version that is said to have answered it."""


def log_table(contract: Contract, requests: Sequence[CapturedRequest]) -> pa.Table:
    """Give one row for each row that was asked about, and one for each refusal.

    Raises UnfitRequestError.
    """
    schema = log_schema(contract)
    try:
        values = _values(contract, requests)
        rows = [row for request in requests for row in request.rows or (None,)]
        arrays = {
            name: pa.array(column, schema.field(name).type) for name, column in values.items()
        }
        arrays["inputs"] = _inputs(contract, rows)
        return pa.table([arrays[name] for name in schema.names], schema=schema)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise UnfitRequestError(str(error)) from error


def _values(contract: Contract, requests: Sequence[CapturedRequest]) -> dict[str, list[Any]]:
    """List the values of every column but `inputs`."""
    pairs = [(request, row) for request in requests for row in request.rows or (None,)]
    answer: Callable[[Any], object] = float if contract.task.answers_numbers else str
    return {
        **{name: [getattr(request, name) for request, _ in pairs] for name in _OF_REQUEST},
        **{name: [row and getattr(row, name) for _, row in pairs] for name in _OF_ROW},
        "time": [row.time if row else request.time or request.received for request, row in pairs],
        "prediction": [
            None if row is None or row.prediction is None else answer(row.prediction)
            for _, row in pairs
        ],
    }


def _inputs(contract: Contract, rows: Sequence[CapturedRow | None]) -> pa.Array:
    types = inputs_schema(contract)
    known = set(types.names)
    for row in rows:
        if row is not None and not known.issuperset(row.inputs):
            extra = sorted(set(row.inputs) - known)
            raise UnfitRequestError(f"{extra[0]!r} is no input of this version")
    given: list[Mapping[str, object]] = [row.inputs if row else {} for row in rows]
    columns = [
        pa.array(_exact(column, [inputs.get(column.name) for inputs in given]), field.type)
        for column, field in zip(contract.schema.columns, types, strict=True)
    ]
    mask = pa.array([row is None for row in rows], pa.bool_())
    return pa.StructArray.from_arrays(columns, fields=list(types), mask=mask)


def _exact(column: Column, values: list[Any]) -> list[Any]:
    """Make sure that Arrow will not bend a value: it would cut 3.5 down to 3 without a word."""
    kind = _KINDS[column.type]
    if set(map(type, values)) <= {kind, NoneType}:
        return values
    return [None if value is None else _widened(column, kind, value) for value in values]


def _widened(column: Column, kind: type, value: object) -> object:
    if type(value) is kind:
        return value
    if kind is float and type(value) is int:
        return float(value)
    if kind is int and isinstance(value, float) and value.is_integer():
        return int(value)
    if kind is datetime and isinstance(value, str):
        return datetime.fromisoformat(value)
    raise UnfitRequestError(f"{column.name!r} should be {column.type} and is {value!r:.50}")


_KINDS: dict[ColumnType, type] = {
    ColumnType.BOOLEAN: bool,
    ColumnType.INTEGER: int,
    ColumnType.LONG: int,
    ColumnType.FLOAT: float,
    ColumnType.DOUBLE: float,
    ColumnType.STRING: str,
    ColumnType.DATETIME: datetime,
}
