"""Between rows and records: fields and columns of the same name."""

from dataclasses import fields
from enum import Enum
from functools import cache
from typing import Any, TypeVar, get_type_hints

from .tables import Table

Record = TypeVar("Record")


@cache
def _enums(kind: Any) -> dict[str, type[Enum]]:
    hints = get_type_hints(kind)
    return {n: t for n, t in hints.items() if isinstance(t, type) and issubclass(t, Enum)}


def as_record(kind: type[Record], row: Table) -> Record:
    """Read a record out of a row."""
    shape: Any = kind
    values = {field.name: getattr(row, field.name) for field in fields(shape)}
    for name, enum in _enums(shape).items():
        values[name] = enum(values[name])
    return kind(**values)


def as_values(record: Any) -> dict[str, Any]:
    """Give a record's fields as column values."""
    return {field.name: getattr(record, field.name) for field in fields(record)}
