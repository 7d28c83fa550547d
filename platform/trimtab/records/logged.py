"""Rows of the inference log: their columns, and a slice of them as it is read back."""

from dataclasses import dataclass

import pandas as pd
import pyarrow as pa

from .contracts import Contract
from .schema import ColumnType

_ARROW = {
    ColumnType.BOOLEAN: pa.bool_(),
    ColumnType.INTEGER: pa.int32(),
    ColumnType.LONG: pa.int64(),
    ColumnType.FLOAT: pa.float32(),
    ColumnType.DOUBLE: pa.float64(),
    ColumnType.STRING: pa.string(),
    ColumnType.DATETIME: pa.timestamp("us", tz="UTC"),
}


def inputs_schema(contract: Contract) -> pa.Schema:
    """Give the Arrow types of a contract's inputs; all nullable, so that refusals fit too."""
    return pa.schema([(c.name, _ARROW[c.type]) for c in contract.schema.columns])


def log_schema(contract: Contract) -> pa.Schema:
    """Give the columns of the inference log for one version.

    A refused request is one row without inputs and outputs, with its status and detail.
    """
    prediction = pa.float64() if contract.task.answers_numbers else pa.string()
    return pa.schema(
        [
            ("prediction_id", pa.string()),
            ("request_id", pa.string()),
            ("version", pa.string()),
            ("time", pa.timestamp("us", tz="UTC")),  # the event's own time; windows go by it
            ("received", pa.timestamp("us", tz="UTC")),  # the server's clock
            ("key", pa.string()),  # ties the prediction to its label; may be null
            ("source", pa.string()),  # who asked, as the request said
            ("status", pa.int16()),  # HTTP status of the answer
            ("latency_us", pa.int64()),  # receipt to answer, of the whole request
            ("device", pa.string()),
            ("detail", pa.string()),  # why a request was refused
            ("inputs", pa.struct(list(inputs_schema(contract)))),
            ("prediction", prediction),
            (
                "probabilities",
                pa.list_(pa.float64()),
            ),  # by the contract's classes; distances by its clusters; places by its dimensions
        ]
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedRows:
    """Answered rows of one version; both frames share one index."""

    rows: pd.DataFrame
    """All columns of `log_schema` but `inputs`."""
    inputs: pd.DataFrame
    """One column an input of the contract."""
    refused: int
    """Requests of the same slice that were answered with an error."""
    failed: int
    """Those of them that were no fault of the caller's."""
