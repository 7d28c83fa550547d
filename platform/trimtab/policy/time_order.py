"""Rows in the order of their times."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .summaries import Floats


def in_time(
    times: "pd.Series[pd.Timestamp] | None", rows: int
) -> tuple[NDArray[np.intp], Floats | None]:
    """Give the order of the rows in time, and their times in that order, in seconds.

    Raises ValueError when there are no rows.
    """
    if rows == 0:
        raise ValueError("There are no rows to make a reference of.")
    if times is None:
        return np.arange(rows), None
    seconds = seconds_of(times)
    order = np.argsort(seconds, kind="stable")
    return order, seconds[order]


def seconds_of(times: "pd.Series[pd.Timestamp]") -> Floats:
    """Give moments as seconds since 1970."""
    moments = pd.to_datetime(times, utc=True).astype("datetime64[ns, UTC]")
    return np.asarray(moments.astype("int64").to_numpy() / 1e9)
