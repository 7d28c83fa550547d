"""What a version promises: its inputs, its task and the words of its answers."""

from dataclasses import dataclass
from enum import StrEnum

from .schema import Schema


class Task(StrEnum):
    """What a model is asked for."""

    BINARY = "binary"
    MULTICLASS = "multiclass"
    REGRESSION = "regression"
    CLUSTERING = "clustering"
    ANOMALY = "anomaly"
    EMBEDDING = "embedding"

    @property
    def is_classification(self) -> bool:
        """Tell whether answers are classes with probabilities."""
        return self in (Task.BINARY, Task.MULTICLASS)

    @property
    def has_labels(self) -> bool:
        """Tell whether there is a truth that answers can be measured with."""
        return self not in (Task.CLUSTERING, Task.ANOMALY, Task.EMBEDDING)

    @property
    def answers_numbers(self) -> bool:
        """Tell whether a prediction is a number: what was asked for, or how odd a row is.

        Of an embedding it is what is lost of the row.
        """
        return self in (Task.REGRESSION, Task.ANOMALY, Task.EMBEDDING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """Kept with the version as `contract.json`, next to the model's files."""

    model: str
    task: Task
    target: str
    """Empty where the task has no labels."""
    schema: Schema
    classes: tuple[bool | int | str, ...] = ()
    """The classes in the order of the probabilities, the clusters in that of the distances, or the
    numbers of the dimensions; empty where answers are numbers alone."""
    threshold: float | None = None
    """A row with a higher score is an anomaly; None for other tasks."""
    expected_rate: float | None = None
    """Share of anomalies among rows like those of the training, 0 to 1; None for other tasks."""

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
