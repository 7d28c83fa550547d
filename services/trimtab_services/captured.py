"""A captured request: what an endpoint answered, as it is kept until it reaches the log."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import orjson
from msgspec.structs import replace

from .tables import Table, read_table

_WHOLE = "payload"
"""The field of a line that has the payload as it was, in base 64."""


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


class CapturedRequest(
    msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag="captured", gc=False
):
    """One request and its answer; a refused one has no rows.

    The order of the fields is the order in the file: a new one goes to the end, with a default.
    """

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
    time: datetime
    """The event time of the request, and of its rows unless they have their own."""
    columns: Sequence[str] = ()
    inputs: Sequence[tuple[Any, ...]] = ()
    """The values of every row, in the order of the columns."""
    predictions: Sequence[Any] = ()
    probabilities: Sequence[Sequence[float]] | None = None
    keys: Sequence[str | None] | None = None
    times: Sequence[datetime | None] | None = None
    table: Table | None = None
    """The values of every row where all are numbers; then `inputs` is empty, until it is read."""

    @property
    def rows(self) -> Sequence[CapturedRow]:
        """The rows one by one, with their columns' names."""
        nothing = [None] * len(self.inputs)
        shares: Sequence[Sequence[float] | None] = self.probabilities or nothing
        about = (shares, self.keys or nothing, self.times or nothing)
        columns = zip(self.inputs, self.predictions, *about, strict=True)
        return [
            CapturedRow(
                prediction_id=f"{self.request_id}-{i}",
                key=key,
                time=time or self.time,
                inputs=dict(zip(self.columns, inputs, strict=True)),
                prediction=prediction,
                probabilities=share,
            )
            for i, (inputs, prediction, share, key, time) in enumerate(columns)
        ]


def encode(request: CapturedRequest) -> bytes:
    """Write a request as MessagePack; this stands in the request path.

    Text that is no Unicode and whole numbers beyond 64 bits are kept as text, as near as can be:
    capture must not fail an answer.
    """
    try:
        return _stuff(_ENCODE(request))
    except (UnicodeError, OverflowError):
        return _stuff(_ENCODE(_near(request)))


def decode(payload: bytes) -> CapturedRequest:
    """Read a request. Raises ValueError when the payload is none."""
    try:
        request = _DECODE(payload.replace(b"\xff\x00", b"\xff"))
        if request.table is not None:
            request = replace(request, inputs=read_table(request.table), table=None)
        _require_even(request)
    except (msgspec.MsgspecError, ValueError) as error:
        raise ValueError(f"This is no captured request: {error!r:.200}") from error
    return request


def as_line(payload: bytes) -> bytes:
    """Give a payload as one line of JSON: for people, and whole for `from_line`."""
    try:
        request = decode(payload)
        shown = {name: getattr(request, name) for name in request.__struct_fields__}
    except ValueError:
        shown = {"unreadable": payload.decode("utf-8", "backslashreplace")}
    return msgspec.json.encode({**shown, _WHOLE: payload})


def from_line(line: bytes) -> CapturedRequest:
    """Read a line of `as_line`. Raises ValueError when there is no captured request in it."""
    try:
        return decode(base64.b64decode(orjson.loads(line)[_WHOLE]))
    except (KeyError, TypeError) as error:
        raise ValueError(f"This line holds no captured request: {error!r:.200}") from error


def _require_even(request: CapturedRequest) -> None:
    """Raise ValueError unless everything is there for every row."""
    rows = len(request.inputs)
    about = (request.probabilities, request.keys, request.times)
    given = {len(request.predictions), *(len(each) for each in about if each is not None)}
    if given - {rows} or {len(row) for row in request.inputs} - {len(request.columns)}:
        raise ValueError("its rows are not complete")


def _stuff(packed: bytes) -> bytes:
    """Keep a caller's numbers from ever spelling the mark with which a frame begins."""
    return packed.replace(b"\xff", b"\xff\x00")


def _plain(value: Any) -> object:
    """Give the numbers of an array or a scalar of numpy."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be captured")


_ENCODE = msgspec.msgpack.Encoder(enc_hook=_plain).encode
_DECODE = msgspec.msgpack.Decoder(CapturedRequest).decode


def _near(value: Any) -> Any:
    """Give what MessagePack can hold of a value."""
    match value:
        case bool() | None | float() | datetime():
            return value
        case str():
            return value.encode("utf-8", "backslashreplace").decode()
        case int():
            return value if -(2**63) <= value < 2**64 else hex(value)
        case CapturedRequest():
            fields = value.__struct_fields__
            return CapturedRequest(**{name: _near(getattr(value, name)) for name in fields})
        case Sequence():
            return [_near(item) for item in value]
        case _:
            return value
