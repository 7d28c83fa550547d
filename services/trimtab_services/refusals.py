"""What a request did wrong, in words that name its fields and never their values."""

from collections.abc import Sequence

import orjson
from pydantic import ValidationError
from pydantic_core import ErrorDetails

FIELDS_SHOWN = 20
"""A request may break every rule in every row; its answer stays short."""


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


def refusal(error: ValidationError, rows: str = "rows") -> BadRequestError:
    """Put what the strict description found into words; `rows` is what the caller called them."""
    details = error.errors(include_url=False, include_context=False)
    if details[0]["type"] == "json_invalid":
        why = details[0]["msg"].removeprefix("Invalid JSON: ")
        return BadRequestError(f"The body is no JSON: {why}.")
    return unfit([(_path(detail, rows), _why(detail)) for detail in details])


def unfit(found: Sequence[tuple[str, str]]) -> BadRequestError:
    """Say which fields do not fit, the first of them aloud."""
    more = f", the first {FIELDS_SHOWN} shown" if len(found) > FIELDS_SHOWN else ""
    plural = "field does" if len(found) == 1 else "fields do"
    return BadRequestError(
        f"{len(found)} {plural} not fit the model's inputs{more}: {found[0][0]} {found[0][1]}.",
        found[:FIELDS_SHOWN],
    )


def _path(detail: ErrorDetails, rows: str) -> str:
    first, *rest = detail["loc"] or ("body",)
    return ".".join(str(part)[:100] for part in (rows if first == "rows" else first, *rest))


def _why(detail: ErrorDetails) -> str:
    match detail["type"]:
        case "missing":
            return "is missing"
        case "extra_forbidden":
            return "is no input of this model"
        case "string_too_long" | "too_long" | "too_short":
            return detail["msg"].partition(" ")[2].partition(" after validation")[0]
        case _ if detail["input"] is None:
            return "must not be null"
        case _:
            return detail["msg"].removeprefix("Value error, ").replace("Input should", "should")
