"""From a frame's columns to the one schema; what could not be served exactly is refused."""

from typing import Any

import numpy as np
import pandas as pd

from trimtab.records.schema import Column, ColumnType, Schema

from .errors import ColumnError

_OF_OBJECTS = {
    "boolean": ColumnType.BOOLEAN,
    "string": ColumnType.STRING,
    "integer": ColumnType.LONG,
    "floating": ColumnType.DOUBLE,
    "mixed-integer-float": ColumnType.DOUBLE,
    "decimal": ColumnType.DOUBLE,
    "date": ColumnType.DATETIME,
    "datetime": ColumnType.DATETIME,
    "datetime64": ColumnType.DATETIME,
}


def infer_schema(inputs: pd.DataFrame) -> Schema:
    """Find each column's type; one without nulls is required. Raises ColumnError."""
    return Schema(columns=tuple(_column(name, inputs[name]) for name in inputs.columns))


def _column(name: object, values: "pd.Series[Any]") -> Column:
    if not isinstance(name, str) or not name.strip():
        raise ColumnError(str(name), "is no name for a column. Name it by text.")
    if name.startswith("("):
        raise ColumnError(name, "may not start with '(': such names are Trimtab's own. Rename it.")
    required = not values.isna().any()
    return Column(name=name, type=_type(name, values, required), required=bool(required))


def _type(name: str, values: "pd.Series[Any]", required: bool) -> ColumnType:
    dtype: Any = values.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return _of_objects(name, values.astype(object), required)
    match dtype.kind:
        case "b":
            return ColumnType.BOOLEAN
        case "i" | "u":
            return _whole(name, values) if required else ColumnType.DOUBLE
        case "f":
            return ColumnType.FLOAT if dtype.itemsize <= 4 else ColumnType.DOUBLE
        case "M":
            return ColumnType.DATETIME
    return _of_objects(name, values, required)


def _whole(name: str, values: "pd.Series[Any]") -> ColumnType:
    if values.max() > np.iinfo("int64").max:
        raise ColumnError(name, "holds integers above 64 bits. Make it text, or exclude it.")
    bounds, dtype = np.iinfo("int32"), np.dtype(str(values.dtype).lower())  # Int32 is int32, too
    is_small = dtype.itemsize < 8 and bounds.min <= values.min() <= values.max() < bounds.max
    return ColumnType.INTEGER if is_small else ColumnType.LONG


def _of_objects(name: str, values: "pd.Series[Any]", required: bool) -> ColumnType:
    kind = pd.api.types.infer_dtype(values, skipna=True)
    if kind in ("mixed", "mixed-integer"):
        kinds = sorted({type(value).__name__ for value in values.dropna().head(100_000)})
        advice = "Make it one type in the source, or exclude it."
        raise ColumnError(name, f"mixes types ({', '.join(kinds)}). {advice}")
    if kind not in _OF_OBJECTS:
        raise ColumnError(name, f"holds {kind}, which is not served. Convert or exclude it.")
    type_ = _OF_OBJECTS[kind]
    return ColumnType.DOUBLE if type_ is ColumnType.LONG and not required else type_
