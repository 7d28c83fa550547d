"""A table of the inference log as the frames that monitor and gate work on."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from .logged import LoggedRows

FIRST_ERROR = 400
"""Requests with this HTTP status or a higher one were refused."""
FIRST_FAULT = 500
"""From this status on the endpoint failed, whatever it was asked."""


def logged_rows(table: pa.Table) -> LoggedRows | None:
    """Sort rows of one version by event time and part answers from refusals.

    None when there is no row; a slice of refusals alone has empty frames. Without the column
    `inputs` the frame of inputs has no columns.
    """
    if table.num_rows == 0:
        return None
    is_answer = pc.less(table["status"], FIRST_ERROR)
    answered = table.filter(is_answer).sort_by("time")
    has_inputs = "inputs" in answered.column_names
    rows = (answered.drop_columns(["inputs"]) if has_inputs else answered).to_pandas()
    return LoggedRows(
        rows=rows,
        inputs=_inputs(answered) if has_inputs else pd.DataFrame(index=rows.index),
        refused=table.num_rows - answered.num_rows,
        failed=pc.sum(pc.greater_equal(table["status"], FIRST_FAULT)).as_py() or 0,
    )


def _inputs(answered: pa.Table) -> pd.DataFrame:
    inputs = answered["inputs"].combine_chunks()
    columns = {field.name: inputs.field(i) for i, field in enumerate(inputs.type)}
    found: pd.DataFrame = pa.table(columns).to_pandas()
    return found


def evenly(rows: int, most: int) -> np.ndarray:
    """Choose positions among so many rows, evenly spaced, the first and the last included."""
    return np.linspace(0, max(0, rows - 1), min(rows, most)).astype(int)
