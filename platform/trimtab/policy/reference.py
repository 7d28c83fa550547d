"""Making a version's reference out of the rows that it was trained on."""

from collections.abc import Mapping
from datetime import timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trimtab.records.reference import OUTPUT, QualityPromise, Reference
from trimtab.records.schema import ColumnType, Schema

from .drift.adding import read_column
from .drift.training import train_reference
from .limits import rate_in_budget, upper
from .pseudo_windows import PseudoWindows, by_rows, by_time
from .summaries import Floats

_WINDOWS_WITHOUT_TIMES = 12  # into which rows are cut whose times are not known


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
) -> Reference:
    """Summarise the training rows and the model's output on them, and calibrate the checks.

    `output` is the probability of the second class, the class predicted, or the number predicted,
    by a model that was not fitted on the row. `importance` weighs the inputs; alike where it is
    empty. `false_alarms` is how many the budget allows in one window. Without `times` rows are
    taken to be in time order, and windows to have `min_rows` rows or more.
    """
    order, seconds = _in_time(times, len(inputs))
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
    )


def promise_quality(
    losses: Floats,
    times: "pd.Series[pd.Timestamp] | None",
    *,
    metric: str,
    window: timedelta,
    false_alarms: float,
    seed: int,
) -> QualityPromise:
    """Promise a mean loss, and a limit that windows of rows like these seldom exceed.

    `losses` are those of rows that the version was not fitted on; NaN where there is none.
    """
    order, seconds = _in_time(times, len(losses))
    known = ~np.isnan(losses[order])
    measured = losses[order][known]
    if measured.size == 0:
        raise ValueError("There are no losses to promise anything of.")
    rng = np.random.default_rng(seed)
    if seconds is None:
        windows = by_rows(len(measured), max(1, len(measured) // _WINDOWS_WITHOUT_TIMES), rng)
    else:
        windows = by_time(seconds[known], window, rng)
    expected = float(measured.mean())
    worse = _worse_than_rest(measured, windows)
    if worse.size == 0:  # all rows lie in one window
        windows = by_rows(len(measured), len(measured), rng)
        worse = _worse_than_rest(measured, windows)
    margin = upper(worse, independent=windows.independent, rate=rate_in_budget(false_alarms))
    return QualityPromise(metric=metric, expected=expected, limit=expected + max(0.0, margin))


def output_type(output: NDArray[np.generic]) -> ColumnType:
    """Tell how the output is summarised: as a number, or as a category."""
    return ColumnType.DOUBLE if output.dtype.kind in "fiu" else ColumnType.STRING


def _in_time(
    times: "pd.Series[pd.Timestamp] | None", rows: int
) -> tuple[NDArray[np.intp], Floats | None]:
    """Give the order of the rows in time, and their times in that order, in seconds."""
    if rows == 0:
        raise ValueError("There are no rows to make a reference of.")
    if times is None:
        return np.arange(rows), None
    moments = pd.to_datetime(times, utc=True).astype("datetime64[ns, UTC]")
    seconds = moments.astype("int64").to_numpy() / 1e9
    order = np.argsort(seconds, kind="stable")
    return order, seconds[order]


def _worse_than_rest(losses: Floats, windows: PseudoWindows) -> Floats:
    here, rest = windows.split(windows.total(losses))
    rows_here, rows_rest = windows.split(windows.total(np.ones(len(losses))))
    filled = (rows_here > 0) & (rows_rest > 0)
    worse: Floats = here[filled] / rows_here[filled] - rest[filled] / rows_rest[filled]
    return worse
