"""Frames of inputs in the exact types a model was trained with, whoever hands them over."""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pandas as pd

from trimtab.errors import ExitCode, TrimtabError
from trimtab.records.schema import Column, ColumnType, Schema


class FrameError(TrimtabError):
    """Rows cannot be brought into the types of a schema."""

    exit_code = ExitCode.REFUSED

    def __init__(self, column: str, why: str) -> None:
        super().__init__(f"Column {column!r} {why}.")
        self.column = column


def coerce(frame: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Give the schema's columns, in its order and types; other columns are left out.

    Missing text is NaN, moments are UTC without a zone (as MLflow hands them over), and a null
    in a column that had none in training stays a null: whether that may be is the endpoint's
    question, the model copes. Raises FrameError, which names the column.
    """
    return pd.DataFrame(
        {column.name: _column(frame, column) for column in schema.columns}, index=frame.index
    )


def _column(frame: pd.DataFrame, column: Column) -> "pd.Series[Any]":
    if column.name not in frame.columns:
        raise FrameError(column.name, "is missing")
    values = frame[column.name]
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(object)
    try:
        return _CASTS[column.type](values, column)
    except (TypeError, ValueError, OverflowError):
        raise FrameError(
            column.name, f"should be {column.type} and is not, for example {_sample(values)}"
        ) from None


def _sample(values: "pd.Series[Any]") -> str:
    """Show a value that is most likely the culprit: text, where there is any."""
    known = values.dropna()
    texts = [value for value in known.head(10_000) if isinstance(value, str)]
    return repr(texts[0]) if texts else str(known.iloc[0]) if len(known) else "only nulls"


def _boolean(values: "pd.Series[Any]", column: Column) -> "pd.Series[Any]":
    if values.dtype == bool and column.required:
        return values
    nullable = values.astype("boolean")
    is_bare = column.required and not nullable.isna().any()
    return nullable.astype(bool) if is_bare else nullable


def _whole(
    dtype: Literal["int32", "int64"],
) -> Callable[["pd.Series[Any]", Column], "pd.Series[Any]"]:
    def cast(values: "pd.Series[Any]", _: Column) -> "pd.Series[Any]":
        if values.dtype == dtype:
            return values
        numbers = _number(values)
        # Fractions, nulls and giants were not there in training; a cast would invent values.
        fits = (numbers == np.trunc(numbers)) & (numbers.abs() < np.iinfo(dtype).max)
        return values.astype(dtype) if bool(fits.all()) else numbers

    return cast


def _number(values: "pd.Series[Any]", dtype: str = "float64") -> "pd.Series[Any]":
    if values.dtype == dtype:
        return values
    if values.dtype == object and any(isinstance(value, str) for value in values):
        raise TypeError  # "7" is text; float("7") would hide a change of type
    if values.dtype.kind in "Mm":
        raise TypeError
    return pd.Series(
        values.to_numpy(dtype=dtype, na_value=np.nan), index=values.index, name=values.name
    )


def _text(values: "pd.Series[Any]", column: Column) -> "pd.Series[Any]":
    texts = values.astype(object)
    if pd.api.types.infer_dtype(texts, skipna=True) not in ("string", "empty"):
        raise TypeError
    missing = texts.isna()
    return texts.mask(missing, np.nan) if missing.any() else texts


def _moment(values: "pd.Series[Any]", column: Column) -> "pd.Series[Any]":
    if values.dtype == "datetime64[ns]":
        return values
    if values.dtype.kind in "iuf" and values.notna().any():
        raise TypeError  # seconds or nanoseconds? nobody knows
    return pd.to_datetime(values, utc=True).dt.tz_localize(None).astype("datetime64[ns]")


_CASTS: dict[ColumnType, Callable[["pd.Series[Any]", Column], "pd.Series[Any]"]] = {
    ColumnType.BOOLEAN: _boolean,
    ColumnType.INTEGER: _whole("int32"),
    ColumnType.LONG: _whole("int64"),
    ColumnType.FLOAT: lambda values, _: _number(values, "float32"),
    ColumnType.DOUBLE: lambda values, _: _number(values),
    ColumnType.STRING: _text,
    ColumnType.DATETIME: _moment,
}


def rows_of(frame: pd.DataFrame, schema: Schema) -> list[dict[str, Any]]:
    """Give coerced rows as Python's own values, as they come over the wire: the way back.

    Times are aware and hold no nanoseconds, nulls are None.
    """
    columns = [_plain(frame[column.name], column) for column in schema.columns]
    return [dict(zip(schema.names, values, strict=True)) for values in zip(*columns, strict=True)]


def _plain(values: "pd.Series[Any]", column: Column) -> list[Any]:
    if column.type is ColumnType.DATETIME:
        moments = values.dt.floor("us").dt.tz_localize("UTC").astype(object)
        return [None if moment is pd.NaT else moment.to_pydatetime() for moment in moments]
    missing = values.isna()
    return [None if gap else value for value, gap in zip(values.tolist(), missing, strict=True)]
