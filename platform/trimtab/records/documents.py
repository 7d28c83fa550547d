"""Records as JSON text, and back, checked: one way for files and database columns."""

from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter

Record = TypeVar("Record")


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def to_json(record: object, *, kind: Any = None, indent: int | None = None) -> bytes:
    """Write a record as JSON; `kind` names the type where it is not the record's own class."""
    shape: Any = kind or type(record)
    return _adapter(shape).dump_json(record, indent=indent)


def from_json(kind: type[Record], text: bytes | str) -> Record:
    """Read a record. Raises pydantic.ValidationError when the text is not one."""
    shape: Any = kind
    record: Record = _adapter(shape).validate_json(text)
    return record
