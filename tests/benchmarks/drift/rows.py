"""A data set as the benchmark takes it: inputs, target and, where it has them, times."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pandas as pd

from trimtab.records.schema import Column, ColumnType, Schema


class Use(StrEnum):
    """What a data set may be used for. Split before any of them was measured."""

    TUNING = "tuning"
    """Look at it as often as you like."""
    HELD_OUT = "held out"
    """Measure on it, and change nothing because of what it shows."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """Real rows; in order of time where `times` is not None."""

    name: str
    inputs: pd.DataFrame
    """Numbers as float64 or int64, truths as bool, categories as text; any may be missing."""
    target: "pd.Series[Any]"
    """Of type bool, or numbers; never missing."""
    times: "pd.Series[pd.Timestamp] | None" = None
    has_weeks: bool = False
    """What happens follows the hour of the day and the day of the week."""

    @property
    def is_binary(self) -> bool:
        """Tell whether the target is a truth rather than a number."""
        return self.target.dtype == bool

    @property
    def schema(self) -> Schema:
        """The schema that the signature of a model of these inputs has."""
        return schema_of(self.inputs)


_TYPES = {"b": ColumnType.BOOLEAN, "i": ColumnType.LONG, "f": ColumnType.DOUBLE}


def schema_of(inputs: pd.DataFrame) -> Schema:
    """Read the schema off a frame."""
    types = [_TYPES.get(inputs[name].dtype.kind, ColumnType.STRING) for name in inputs]
    return Schema(
        columns=tuple(
            Column(name=str(name), type=type_, required=False)
            for name, type_ in zip(inputs, types, strict=True)
        )
    )


def rows_of(
    name: str,
    inputs: pd.DataFrame,
    target: "pd.Series[Any]",
    times: "pd.Series[pd.Timestamp] | None" = None,
    *,
    has_weeks: bool = False,
) -> Rows:
    """Leave out rows without a target, put the rest in order of time, and settle the types."""
    kept = target.notna()
    if times is not None:
        moments = pd.to_datetime(times, utc=True)
        kept &= moments.notna()
        order = moments[kept].sort_values(kind="stable").index
        times = moments.loc[order].reset_index(drop=True)
    else:
        order = target[kept].index
    ordered = inputs.loc[order]
    return Rows(
        name=name,
        inputs=pd.DataFrame({str(n): _settled(ordered[n]) for n in ordered}),
        target=_settled(target.loc[order]),
        times=times,
        has_weeks=has_weeks,
    )


def _settled(values: "pd.Series[Any]") -> "pd.Series[Any]":
    found = values.reset_index(drop=True)
    if found.dtype.kind in "iu":
        return found.astype("int64")
    if found.dtype.kind in "fb":
        return found
    texts = found.astype(object).to_numpy(copy=True)
    texts[found.isna().to_numpy()] = None
    return pd.Series(texts, dtype=object)


def with_columns(frame: pd.DataFrame, columns: Mapping[str, Any]) -> pd.DataFrame:
    """Give a copy with other columns; unlike `assign` it takes one whose name is `self`."""
    changed = frame.copy()
    for name, values in columns.items():
        changed[name] = values
    return changed
