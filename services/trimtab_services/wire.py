"""The typed request and answer of one model, generated from its contract."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Annotated, Any

import orjson
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
    WithJsonSchema,
    create_model,
)
from pydantic_core import ErrorDetails

from trimtab.records.contracts import Contract
from trimtab.records.schema import Column, ColumnType

LONGEST_TEXT = 4096
"""Characters of one text value."""
LONGEST_NAME = 256
"""Characters of a key or a source."""
FIELDS_SHOWN = 20
"""A request may break every rule in every row; its answer stays short."""

_STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, protected_namespaces=())
_FIRST, _LAST = datetime(1678, 1, 1, tzinfo=UTC), datetime(2262, 1, 1, tzinfo=UTC)
_LARGEST_FLOAT = (2 - 2**-23) * 2.0**127


def _moment(value: object) -> datetime:
    """Read a time; one without a zone is taken to be UTC, as the training rows are."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None:
        raise ValueError("should be a time as ISO 8601 text, such as 2013-04-01T12:00:00Z")
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    if not _FIRST <= moment < _LAST:  # beyond, nanoseconds do not fit into 64 bits
        raise ValueError("should be a time between the years 1678 and 2262")
    return moment.astimezone(UTC)


Moment = Annotated[
    datetime,
    PlainValidator(_moment),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
_TYPES: dict[ColumnType, Any] = {
    ColumnType.BOOLEAN: bool,
    ColumnType.INTEGER: Annotated[int, Field(ge=-(2**31), le=2**31 - 1)],
    ColumnType.LONG: Annotated[int, Field(ge=-(2**63), le=2**63 - 1)],
    ColumnType.FLOAT: Annotated[float, Field(ge=-_LARGEST_FLOAT, le=_LARGEST_FLOAT)],
    ColumnType.DOUBLE: float,
    ColumnType.STRING: Annotated[str, Field(max_length=LONGEST_TEXT)],
    ColumnType.DATETIME: Moment,
}


class BadRequestError(Exception):
    """A request does not fit the contract; it names the fields, and never their values."""

    def __init__(self, error: str, fields: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(error)
        self.error = error
        self.fields = tuple(fields)

    @property
    def detail(self) -> str:
        """One line for the inference log."""
        return "; ".join([self.error, *(f"{name}: {why}" for name, why in self.fields[:3])])[:500]

    def body(self) -> bytes:
        """The answer's JSON."""
        fields = [{"field": name, "message": why} for name, why in self.fields]
        return orjson.dumps({"error": self.error, "fields": fields})


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request that fits the contract."""

    rows: Sequence[Mapping[str, Any]]
    """Values by column, in the order of the schema."""
    keys: Sequence[str | None]
    times: Sequence[datetime | None]
    source: str


@dataclass(frozen=True)
class Wire:
    """What goes over the wire for one contract."""

    contract: Contract
    max_rows: int

    @cached_property
    def request(self) -> type[BaseModel]:
        """The model of a request body."""
        row = create_model("Row", __config__=_STRICT, **_row_fields(self.contract))
        name = Annotated[str, Field(max_length=LONGEST_NAME)]
        many: Any = Field(max_length=self.max_rows)
        fields: dict[str, Any] = {
            "rows": (Annotated[list[row], Field(min_length=1), many], ...),
            "keys": (Annotated[list[name], many], Field(default_factory=list)),
            "times": (Annotated[list[Moment], many], Field(default_factory=list)),
            "source": (name, ""),
        }
        return create_model("PredictRequest", __config__=_STRICT, **fields)

    @cached_property
    def answer(self) -> type[BaseModel]:
        """The model of an answer's body."""
        prediction = create_model("Prediction", __config__=_STRICT, **_prediction(self.contract))
        return create_model(
            "PredictAnswer",
            __config__=_STRICT,
            model=(str, ...),
            version=(str, ...),
            request_id=(str, ...),
            predictions=(list[prediction], ...),
        )

    def read(self, body: bytes) -> Asked:
        """Read a request body. Raises BadRequestError."""
        try:
            asked: Any = self.request.model_validate_json(body)
        except ValidationError as error:
            raise _refusal(error) from None
        rows = len(asked.rows)
        for name in ("keys", "times"):
            given = len(getattr(asked, name))
            if given not in (0, rows):
                why = f"has {given} items for {rows} rows"
                raise BadRequestError(f"{name} {why}.", [(name, why)])
        names = self.contract.schema.names
        return Asked(
            rows=[dict(zip(names, row.__dict__.values(), strict=True)) for row in asked.rows],
            keys=asked.keys or [None] * rows,
            times=asked.times or [None] * rows,
            source=asked.source,
        )


def _row_fields(contract: Contract) -> dict[str, Any]:
    """Name the fields by position and the columns by alias: a column may be called anything."""
    return {f"c{i}": _field(column) for i, column in enumerate(contract.schema.columns)}


def _field(column: Column) -> tuple[Any, Any]:
    kind = _TYPES[column.type]
    return (kind if column.required else kind | None, Field(alias=column.name))


def _prediction(contract: Contract) -> dict[str, Any]:
    if not contract.task.is_classification:
        return {"prediction_id": (str, ...), "prediction": (float, ...)}
    shares = {f"p{i}": (float, Field(alias=str(c))) for i, c in enumerate(contract.classes)}
    kind = type(contract.classes[0])
    return {
        "prediction_id": (str, ...),
        "prediction": (kind, ...),
        "probabilities": (create_model("Probabilities", __config__=_STRICT, **shares), ...),  # type: ignore[call-overload]
    }


def _refusal(error: ValidationError) -> BadRequestError:
    details = error.errors(include_url=False, include_context=False, include_input=False)
    if details[0]["type"] == "json_invalid":
        return BadRequestError(f"The body is no JSON: {details[0]['msg'].lower()}.")
    fields = [(_path(detail), _why(detail)) for detail in details[:FIELDS_SHOWN]]
    more = f", the first {FIELDS_SHOWN} shown" if len(details) > FIELDS_SHOWN else ""
    plural = "field does" if len(details) == 1 else "fields do"
    return BadRequestError(
        f"{len(details)} {plural} not fit the model's inputs{more}: {fields[0][0]} {fields[0][1]}.",
        fields,
    )


def _path(detail: ErrorDetails) -> str:
    return ".".join(str(part)[:100] for part in detail["loc"]) or "body"


def _why(detail: ErrorDetails) -> str:
    match detail["type"]:
        case "missing":
            return "is missing"
        case "extra_forbidden":
            return "is no input of this model"
        case _:
            return detail["msg"].removeprefix("Value error, ").replace("Input should", "should")


def name_shares(contract: Contract, shares: Sequence[float]) -> dict[str, float]:
    """Name the probabilities of one row by their classes. Raises ValueError."""
    require_finite(shares)
    return {str(name): share for name, share in zip(contract.classes, shares, strict=True)}


def require_finite(numbers: Sequence[Any]) -> None:
    """Raise ValueError when the model gave a number that JSON cannot hold."""
    if not all(map(math.isfinite, numbers)):
        raise ValueError("the model gave a number that is not finite")
