"""Making a version's reference out of the rows that it was trained on."""

from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trimtab.records.reference import OUTPUT, Reference
from trimtab.records.schema import ColumnType, Schema

from .limits import calibrate, rate_in_budget
from .summaries import CodedColumn, read, summarise
from .time_order import in_time


def build_reference(
    inputs: pd.DataFrame,
    output: NDArray[np.generic],
    times: "pd.Series[pd.Timestamp] | None",
    schema: Schema,
    *,
    window: timedelta,
    false_alarms: float,
    min_rows: int,
    seed: int,
) -> Reference:
    """Summarise the training rows and the model's output on them, and calibrate the limits.

    `output` is the probability of the second class, the class predicted, or the number predicted.
    `false_alarms` is how many the budget allows in one window. Without `times` rows are taken to
    be in time order.
    """
    order, seconds = in_time(times, len(inputs))
    columns = [
        _coded(column.name, inputs[column.name].iloc[order], column.type)
        for column in schema.columns
    ]
    columns.append(_coded(OUTPUT, pd.Series(output[order]), output_type(output)))
    rate = rate_in_budget(false_alarms)
    return Reference(
        rows=len(inputs),
        columns=tuple(column.summary for column in columns),
        limits=calibrate(columns, seconds, window=window, rate=rate, min_rows=min_rows, seed=seed),
        window=window,
        false_alarms=rate,
    )


def output_type(output: NDArray[np.generic]) -> ColumnType:
    """Tell how the output is summarised: as a number, or as a category."""
    return ColumnType.DOUBLE if output.dtype.kind in "fiu" else ColumnType.STRING


def _coded(name: str, values: "pd.Series[Any]", type_: ColumnType) -> CodedColumn:
    return summarise(name, read(values, type_))
