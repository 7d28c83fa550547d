"""A captured request: what an endpoint answered, as it is kept until it reaches the log."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

_TIME = "$time"
_PLAIN = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_SERIALIZE_NUMPY


@dataclass(frozen=True, slots=True, kw_only=True)
class CapturedRow:
    """One row that was asked about, and the answer to it."""

    prediction_id: str
    key: str | None
    time: datetime
    """The event's own time, aware."""
    inputs: Mapping[str, object]
    prediction: bool | int | str | float | None
    probabilities: Sequence[float] | None
    """In the order of the contract's classes; None for regression."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CapturedRequest:
    """One request and its answer; a refused one has no rows."""

    request_id: str
    """32 hexadecimal digits."""
    version: str
    received: datetime
    status: int
    """HTTP status of the answer."""
    latency_us: int
    source: str | None
    device: str | None
    detail: str | None
    """Why the request was refused."""
    rows: Sequence[CapturedRow]
    time: datetime | None = None
    """The event time of a request without rows, by the clock of the loop."""


def encode(request: CapturedRequest) -> bytes:
    """Write a request as JSON; this stands in the request path, so it is one call where it can be.

    A number that is not finite becomes null, as JSON has none. Text that is no Unicode and whole
    numbers beyond 64 bits are kept as text, as near as can be: capture must not fail an answer.
    """
    try:
        return orjson.dumps(request, default=_plain, option=_PLAIN)
    except orjson.JSONEncodeError:
        return orjson.dumps(_near(request), default=_plain, option=_PLAIN)


def decode(text: bytes) -> CapturedRequest:
    """Read a request. Raises ValueError when the text is none."""
    try:
        fields: dict[str, Any] = orjson.loads(text)
        rows = [_row(row) for row in fields.pop("rows")]
        time = fields.get("time")  # earlier writers knew none
        times = {"received": _time(fields["received"]), "time": _time(time) if time else None}
        return CapturedRequest(**{**fields, **times, "rows": rows})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"This is no captured request: {error!r:.200}") from error


def _row(fields: dict[str, Any]) -> CapturedRow:
    inputs = fields["inputs"]
    for name, value in inputs.items():
        if type(value) is dict:  # only a time is written as one
            inputs[name] = _time(value)
    return CapturedRow(**{**fields, "time": _time(fields["time"])})


def _time(written: dict[str, str]) -> datetime:
    return datetime.fromisoformat(written[_TIME])


def _plain(value: Any) -> object:
    if isinstance(value, datetime):
        return {_TIME: value.isoformat()} if value == value else None  # NaT is no moment
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence):
        return list(value)
    raise TypeError(f"{type(value).__name__} cannot be captured")


def _near(value: Any) -> Any:
    """Give what JSON can hold of a value."""
    match value:
        case bool() | None | float() | datetime():
            return value
        case str():
            return value.encode("utf-8", "backslashreplace").decode()
        case int():
            return value if -(2**63) <= value < 2**64 else hex(value)
        case CapturedRequest() | CapturedRow():
            return {name: _near(getattr(value, name)) for name in value.__dataclass_fields__}
        case Mapping():
            return {_near(name): _near(item) for name, item in value.items()}
        case Sequence():
            return [_near(item) for item in value]
        case _:
            return value
