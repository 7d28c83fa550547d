"""The typed request and answer of one model, generated from its contract."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
    WithJsonSchema,
    create_model,
)
from pydantic_core import from_json, to_json

from trimtab.records.contracts import Contract, Task
from trimtab.records.moments import read_moment
from trimtab.records.rows import Rows
from trimtab.records.schema import Column, ColumnType

from .reading import LARGEST_FLOAT, LONGEST_NAME, LONGEST_TEXT, Asked, Reader
from .refusals import BadRequestError, refusal, unfit

_STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, protected_namespaces=())

Moment = Annotated[
    datetime,
    PlainValidator(read_moment),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
_TYPES: dict[ColumnType, Any] = {
    ColumnType.BOOLEAN: bool,
    ColumnType.INTEGER: Annotated[int, Field(ge=-(2**31), le=2**31 - 1)],
    ColumnType.LONG: Annotated[int, Field(ge=-(2**63), le=2**63 - 1)],
    ColumnType.FLOAT: Annotated[float, Field(ge=-LARGEST_FLOAT, le=LARGEST_FLOAT)],
    ColumnType.DOUBLE: float,
    ColumnType.STRING: Annotated[str, Field(max_length=LONGEST_TEXT)],
    ColumnType.DATETIME: Moment,
}
_KEYS = "One a row, or none: what a label will name later, and whom a canary keeps to one version."
_TIMES = "One a row, or none: when it happened, where that is not now; windows go by it."


@dataclass(frozen=True)
class Wire:
    """What goes over the wire for one contract."""

    contract: Contract
    max_rows: int

    @cached_property
    def request(self) -> type[BaseModel]:
        """The model of a request body that names the columns in every row."""
        row = create_model("Row", __config__=_STRICT, **_row_fields(self.contract))
        rows = Annotated[list[row], Field(min_length=1), self._many]
        return create_model("PredictRequest", __config__=_STRICT, rows=(rows, ...), **self._about)

    @cached_property
    def columns_request(self) -> type[BaseModel]:
        """The model of a request body that names the columns once, in any order.

        It does not look at the values: they are judged as named rows.
        """
        names = self.contract.schema.names
        each = {"type": "string", "enum": names}
        whole = {"minItems": len(names), "maxItems": len(names)}
        columns = WithJsonSchema({"type": "array", "items": each, "uniqueItems": True, **whole})
        row = WithJsonSchema({"type": "array", "items": {"anyOf": self._kinds}, **whole})
        rows = Annotated[list[Annotated[list[Any], row]], Field(min_length=1), self._many]
        return create_model(
            "PredictColumnsRequest",
            __config__=_STRICT,
            columns=(Annotated[list[str], columns], ...),
            data=(rows, ...),
            **self._about,
        )

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

    def warm(self) -> None:
        """Generate everything now, and not under the first request."""
        assert self._reader is None or self.columns_request

    def read(self, body: bytes) -> Asked:
        """Read a request body. Raises BadRequestError."""
        asked = self._reader.read(body) if self._reader else None
        return self.judge(body) if asked is None else asked

    def judge(self, body: bytes) -> Asked:
        """Read a request body by the letter of the description. Raises BadRequestError."""
        columnar = _is_columnar(body)
        if columnar is None:
            raise _TWO_FORMS
        try:
            asked: Any = self.request.model_validate_json(self._named(body) if columnar else body)
        except ValidationError as error:
            raise refusal(error, "data" if columnar else "rows") from None
        rows = len(asked.rows)
        for name in ("keys", "times"):
            given = len(getattr(asked, name))
            if given not in (0, rows):
                why = f"has {given} items for {rows} rows"
                raise BadRequestError(f"{name} {why}.", [(name, why)])
        values = [tuple(row.__dict__.values()) for row in asked.rows]
        return Asked(
            rows=Rows(self.contract.schema.names, values),
            keys=asked.keys or None,
            times=asked.times or None,
            source=asked.source,
        )

    @cached_property
    def _reader(self) -> Reader | None:
        try:
            return Reader(self.contract, self.max_rows)
        except ValueError:  # a name with a quotation mark, say
            return None

    @property
    def _many(self) -> Any:
        return Field(max_length=self.max_rows)

    @property
    def _about(self) -> dict[str, Any]:
        """What a request may say besides its rows."""
        name = Annotated[str, Field(max_length=LONGEST_NAME)]
        return {
            "keys": (
                Annotated[list[name], self._many],
                Field(default_factory=list, description=_KEYS),
            ),
            "times": (
                Annotated[list[Moment], self._many],
                Field(default_factory=list, description=_TIMES),
            ),
            "source": (name, Field(default="", description="Who asks, for the inference log.")),
        }

    @property
    def _kinds(self) -> list[dict[str, Any]]:
        """The different types of the columns, as JSON schema."""
        row = self.request.model_json_schema()["$defs"]["Row"]["properties"]
        found = {str(kind): kind for kind in ({**kind, "title": ""} for kind in row.values())}
        return [{k: v for k, v in kind.items() if k != "title"} for kind in found.values()]

    def _named(self, body: bytes) -> bytes:
        """Write rows whose columns are named once as rows that name them. Raises BadRequestError.

        A number that JSON has no word for stays as it is, so that it is refused by its name.
        """
        try:
            asked: Any = self.columns_request.model_validate_json(body)
        except ValidationError as error:
            raise refusal(error) from None
        columns: list[str] = asked.columns
        if wrong := list(_unlike(columns, self.contract.schema.names)):
            raise unfit(wrong)
        width = len(columns)
        uneven = [(i, len(row)) for i, row in enumerate(asked.data) if len(row) != width]
        if uneven:
            raise unfit([(f"data.{i}", f"has {n} values for {width} columns") for i, n in uneven])
        rows = [dict(zip(columns, row, strict=True)) for row in asked.data]
        about = {name: getattr(asked, name) for name in ("keys", "times", "source")}
        return to_json({"rows": rows, **about}, inf_nan_mode="constants")


_TWO_FORMS = BadRequestError(
    "Rows come in one form: either `rows`, or `columns` and `data`.",
    [("rows", "must not stand beside columns or data")],
)


def _is_columnar(body: bytes) -> bool | None:
    """Tell whether columns are named once; None where rows come in both forms."""
    try:
        given = from_json(body)
    except ValueError:
        return False
    if not isinstance(given, dict) or not {"columns", "data"} & set(given):
        return False
    return None if "rows" in given else True


def _unlike(given: Sequence[str], wanted: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Compare columns as sets, and tell the differences as fields and reasons."""
    for name, times in Counter(given).items():
        if name not in wanted:
            yield f"columns.{name[:100]}", "is no input of this model"
        elif times > 1:
            yield f"columns.{name}", "is named more than once"
    for name in wanted:
        if name not in given:
            yield f"columns.{name}", "is missing"


def _row_fields(contract: Contract) -> dict[str, Any]:
    """Name the fields by position and the columns by alias: a column may be called anything."""
    return {f"c{i}": _field(column) for i, column in enumerate(contract.schema.columns)}


def _field(column: Column) -> tuple[Any, Any]:
    kind = _TYPES[column.type]
    return (kind if column.required else kind | None, Field(alias=column.name))


def _prediction(contract: Contract) -> dict[str, Any]:
    given: dict[str, Any] = {"prediction_id": (str, ...), "prediction": (float, ...)}
    if contract.task is Task.ANOMALY:
        return {**given, "is_anomaly": (bool, ...)}
    if contract.task is Task.CLUSTERING:
        return {**given, "prediction": (int, ...), "distance": (float, ...)}
    if contract.task is Task.EMBEDDING:
        width = len(contract.classes)
        place = Annotated[list[float], Field(min_length=width, max_length=width)]
        return {**given, "prediction": (place, ...), "reconstruction_error": (float, ...)}
    if not contract.task.is_classification:
        return given
    shares = {f"p{i}": (float, Field(alias=str(c))) for i, c in enumerate(contract.classes)}
    kind = type(contract.classes[0])
    return {
        "prediction_id": (str, ...),
        "prediction": (kind, ...),
        "probabilities": (create_model("Probabilities", __config__=_STRICT, **shares), ...),  # type: ignore[call-overload]
    }
