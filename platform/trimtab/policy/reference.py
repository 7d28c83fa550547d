"""Making a version's reference out of the rows that it was trained on."""

from collections.abc import Mapping, Set
from datetime import timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trimtab.records.reference import OUTPUT, Reference
from trimtab.records.schema import ColumnType, Schema

from .drift.adding import read_column
from .drift.training import train_reference
from .limits import rate_in_budget
from .summaries import Floats
from .time_order import in_time


def build_reference(
    inputs: pd.DataFrame,
    output: NDArray[np.generic],
    times: "pd.Series[pd.Timestamp] | None",
    schema: Schema,
    *,
    importance: Mapping[str, float],
    window: timedelta,
    false_alarms: float,
    min_rows: int,
    seed: int,
    losses: Floats | None = None,
    hidden: Set[str] = frozenset(),
) -> Reference:
    """Summarise the training rows and the model's output on them, and calibrate the checks.

    `output` is the probability of the second class, the class predicted, or the number predicted,
    by a model that was not fitted on the row. `importance` weighs the inputs; alike where it is
    empty. `false_alarms` is how many the budget allows in one window. Without `times` rows are
    taken to be in time order, and windows to have `min_rows` rows or more. `losses` of the rows, by
    models that had not seen them (NaN where not known), part the inputs into regions, without those
    that are `hidden` from the monitor.
    """
    order, seconds = in_time(times, len(inputs))
    types = {column.name: column.type for column in schema.columns}
    frame = inputs.iloc[order].assign(**{OUTPUT: output[order]})
    types[OUTPUT] = output_type(output)
    readings = {name: read_column(frame[name], types[name], seconds) for name in types}
    moments = {name for name, type_ in types.items() if type_ is ColumnType.DATETIME}
    return train_reference(
        readings,
        seconds,
        calendars=moments if seconds is None else set(),
        importance=dict(importance),
        window=window,
        rate=rate_in_budget(false_alarms),
        min_rows=min_rows,
        losses=losses[order] if losses is not None else None,
        hidden=hidden,
    )


def output_type(output: NDArray[np.generic]) -> ColumnType:
    """Tell how the output is summarised: as a number, or as a category."""
    return ColumnType.DOUBLE if output.dtype.kind in "fiu" else ColumnType.STRING
