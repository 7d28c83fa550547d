"""The one schema of a model: what training, endpoint, capture and monitor agree on."""

import json
from collections import Counter
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

        Raises UnsupportedSchemaError for tensors, unnamed columns, names that occur twice and
        types that cannot be served exactly.
        """
        columns = tuple(_column(spec) for spec in json.loads(inputs))
        for name, count in Counter(column.name for column in columns).items():
            if count > 1:
                raise UnsupportedSchemaError(f"The signature has column {name!r} {count} times.")
        return cls(columns=columns)


_ADVICE = {
    "any": "a column of any type cannot be checked. Give it one type",
    "array": "lists have no fixed number of values. Give each value a column",
    "binary": "JSON holds no bytes. Give them as text, or derive numbers from them",
    "map": "its keys are not known in advance. Give each value a column",
    "object": "the monitor watches plain columns. Give each property a column",
    "sparkml_vector": "lists have no fixed number of values. Give each value a column",
    "tensor": "a tensor has no named columns. Give each value a column",
}
"""Why MLflow's other types are not served, and what to do about it."""


def _column(spec: Mapping[str, object]) -> Column:
    name, type_ = spec.get("name"), str(spec.get("type"))
    label = f"Column {name!r}" if name else "An unnamed column"
    if type_ in _ADVICE:
        raise UnsupportedSchemaError(f"{label} has type {type_!r}: {_ADVICE[type_]}.")
    if type_ not in set(ColumnType):
        raise UnsupportedSchemaError(
            f"{label} has type {type_!r}, which is not served. Use one of: {', '.join(ColumnType)}."
        )
    if not isinstance(name, str) or not name:
        raise UnsupportedSchemaError(
            f"The signature has a {type_} column without a name; requests give values by name."
        )
    return Column(name=name, type=ColumnType(type_), required=bool(spec.get("required", True)))
