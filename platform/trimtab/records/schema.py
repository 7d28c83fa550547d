"""The one schema of a model: what training, endpoint, capture and monitor agree on."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from trimtab.errors import UnsupportedSchemaError


class ColumnType(StrEnum):
    """The types of the MLflow signature that Trimtab serves."""

    BOOLEAN = "boolean"
    INTEGER = "integer"
    """32 bits, signed."""
    LONG = "long"
    """64 bits, signed."""
    FLOAT = "float"
    DOUBLE = "double"
    STRING = "string"
    DATETIME = "datetime"

    @property
    def is_numeric(self) -> bool:
        """Tell whether values of this type have an order and a distance."""
        return self in (self.INTEGER, self.LONG, self.FLOAT, self.DOUBLE, self.DATETIME)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One named input of a model."""

    name: str
    type: ColumnType
    required: bool
    """A required column must be in every row and not null."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """The inputs of a model, in the order in which the model takes them."""

    columns: tuple[Column, ...]

    @property
    def names(self) -> list[str]:
        """The column names, in order."""
        return [column.name for column in self.columns]

    @classmethod
    def from_mlflow(cls, inputs: str) -> "Schema":
        """Read the `inputs` of an MLflow signature (JSON text, as in the MLmodel file).

        Raises UnsupportedSchemaError for tensors, unnamed columns and types that cannot be
        served exactly.
        """
        return cls(columns=tuple(_column(spec) for spec in json.loads(inputs)))


def _column(spec: Mapping[str, object]) -> Column:
    name, type_ = spec.get("name"), str(spec.get("type"))
    if not isinstance(name, str) or not name:
        raise UnsupportedSchemaError("The signature has a column without a name (a tensor?).")
    if type_ not in set(ColumnType):
        raise UnsupportedSchemaError(
            f"Column {name!r} has type {type_!r}, which is not served. "
            f"Use one of: {', '.join(ColumnType)}."
        )
    return Column(name=name, type=ColumnType(type_), required=bool(spec.get("required", True)))
