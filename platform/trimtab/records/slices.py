"""A table of the inference log as the frames that monitor and gate work on."""

import pyarrow as pa
import pyarrow.compute as pc

from .logged import LoggedRows

FIRST_ERROR = 400
"""Requests with this HTTP status or a higher one were refused."""
FIRST_FAULT = 500
"""From this status on the endpoint failed, whatever it was asked."""


def logged_rows(table: pa.Table) -> LoggedRows | None:
    """Sort rows of one version by event time and part answers from refusals.

    None when there is no row; a slice of refusals alone has empty frames.
    """
    if table.num_rows == 0:
        return None
    is_answer = pc.less(table["status"], FIRST_ERROR)
    answered = table.filter(is_answer).sort_by("time")
    inputs = answered["inputs"].combine_chunks()
    columns = {field.name: inputs.field(i) for i, field in enumerate(inputs.type)}
    return LoggedRows(
        rows=answered.drop_columns(["inputs"]).to_pandas(),
        inputs=pa.table(columns).to_pandas(),
        refused=table.num_rows - answered.num_rows,
        failed=pc.sum(pc.greater_equal(table["status"], FIRST_FAULT)).as_py() or 0,
    )
