"""What a version promises: its inputs, its task and the words of its answers."""

from dataclasses import dataclass
from enum import StrEnum

from .schema import Schema


class Task(StrEnum):
    """What a model is asked for."""

    BINARY = "binary"
    MULTICLASS = "multiclass"
    REGRESSION = "regression"

    @property
    def is_classification(self) -> bool:
        """Tell whether answers are classes with probabilities."""
        return self is not Task.REGRESSION


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """Kept with the version as `contract.json`, next to the model's files."""

    model: str
    task: Task
    target: str
    schema: Schema
    classes: tuple[bool | int | str, ...] = ()
    """The classes in the order of the probabilities; empty for regression."""

    def class_of(self, label: object) -> int | None:
        """Find the index of a class by its label, however it was written (`1`, `1.0`, `"1"`).

        None when the label is no class of this model.

        >>> Contract(model="m", task=Task.BINARY, target="y", schema=Schema(columns=()),
        ...     classes=(0, 1)).class_of("1.0")
        1
        """
        wanted = spelling(label)
        return next((i for i, known in enumerate(self.classes) if spelling(known) == wanted), None)


def spelling(label: object) -> str:
    """Give the one spelling of what is one label: booleans and numbers come in many.

    >>> spelling(True), spelling("1.0"), spelling(" late")
    ('1', '1', 'late')
    """
    text = str(label).strip()
    match text.lower():
        case "true":
            return "1"
        case "false":
            return "0"
    try:
        number = float(text)
    except ValueError:
        return text
    return str(int(number)) if number.is_integer() else str(number)
