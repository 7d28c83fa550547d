"""From one value of a row to one number, for what is no number yet."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import numpy as np

from trimtab.records.schema import Column, ColumnType

from .limits import CannotLowerError, OddRowsError

Read = Callable[[Any], float]

NO_MOMENT = float(np.iinfo("int64").min)
"""A missing moment, as a frame of nanoseconds holds it."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FLAGS: dict[Any, float] = {True: 1.0, False: 0.0}


class Codes(dict[Any, float]):
    """The codes of one column's categories; text that is none of them has one of its own."""

    def __init__(self, known: Iterable[tuple[str, float]], missing: float, unknown: float) -> None:
        super().__init__(known)
        self[None] = missing
        self._unknown = unknown

    def __missing__(self, value: object) -> float:
        if not isinstance(value, str):
            raise OddRowsError
        return self._unknown


def reader(column: Column) -> Read | None:
    """Tell how a number, flag or moment is read; None where it is a number already."""
    match column.type:
        case ColumnType.BOOLEAN:
            flags = _FLAGS if column.required else {**_FLAGS, None: float("nan")}
            return flags.__getitem__
        case ColumnType.DATETIME:
            return nanoseconds
        case ColumnType.STRING:
            raise CannotLowerError(f"the text {column.name!r} is treated as a number")
    return None


def nanoseconds(moment: object) -> float:
    """Count from 1970 on, as pandas does; a double holds it to a quarter of a microsecond."""
    if moment is None:
        return NO_MOMENT
    if type(moment) is not datetime:
        raise OddRowsError
    passed = moment - _EPOCH  # TypeError where it has no zone
    whole = (passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds
    if not -(2**63) < whole * 1_000 < 2**63:
        raise OddRowsError
    return float(whole * 1_000)
