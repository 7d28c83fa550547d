"""A prediction: one row that was asked about and answered, as the inference log has it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedPrediction:
    """One answered row. What redaction withheld is null, or its keyed hash."""

    id: str
    request: str
    """Id of the request; its rows share it."""
    model: str
    version: str
    """The version that answered."""
    time: datetime
    """When the event was, as the caller said, or else when it came."""
    received: datetime
    """When it came, by the server's clock."""
    key: str | None
    """Ties it to its label."""
    source: str | None
    """Who asked, as the request said."""
    latency_us: int
    """Microseconds from receipt to answer, of the whole request."""
    device: str | None
    detail: str | None
    """What else the endpoint had to say of the answer."""
    inputs: dict[str, Any] = field(default_factory=dict)
    prediction: str | float | None
    probabilities: tuple[float, ...] | None
    """In the order of the contract's classes."""


def predictions_of(model: str, version: str, table: "pa.Table") -> Iterator[LoggedPrediction]:
    """Read the answered rows of a table of the log, in its order."""
    for row in table.to_pylist():
        if row["prediction_id"] is None:
            continue  # a refusal
        shares = row["probabilities"]
        yield LoggedPrediction(
            id=row["prediction_id"],
            request=row["request_id"],
            model=model,
            version=version,
            time=row["time"],
            received=row["received"],
            key=row["key"],
            source=row["source"],
            latency_us=row["latency_us"],
            device=row["device"],
            detail=row["detail"],
            inputs=row["inputs"] or {},
            prediction=row["prediction"],
            probabilities=None if shares is None else tuple(shares),
        )
