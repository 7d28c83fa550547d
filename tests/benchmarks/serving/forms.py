"""The forms in which rows are asked about and answered, each as compact as its server allows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

Cells = Sequence[Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Form:
    """How a question is written, and how the probabilities of the second class are read."""

    write: Callable[[Sequence[str], Cells], object]
    """From the columns' names and the rows to what becomes JSON."""
    read: Callable[[Any], list[float]]

    def body(self, names: Sequence[str], cells: Cells) -> bytes:
        """Write the body of a request."""
        return orjson.dumps(self.write(names, cells))

    def probabilities(self, answer: bytes) -> list[float]:
        """Read the body of an answer. Raises ValueError, KeyError, TypeError or IndexError."""
        return self.read(orjson.loads(answer))


def _records(names: Sequence[str], cells: Cells) -> list[dict[str, Any]]:
    return [dict(zip(names, row, strict=True)) for row in cells]


def _columns(names: Sequence[str], cells: Cells) -> dict[str, list[Any]]:
    return {
        name: list(values) for name, values in zip(names, zip(*cells, strict=True), strict=True)
    }


def _second(pairs: Cells) -> list[float]:
    return [pair[1] for pair in pairs]


def _named(answer: Any) -> list[float]:
    return [entry["probabilities"]["True"] for entry in answer["predictions"]]


def _flat(names: Sequence[str], cells: Cells) -> object:
    numbers = [number for row in cells for number in row]
    shape = [len(cells), len(names)]
    tensor = {"name": "x", "shape": shape, "datatype": "FP32", "data": numbers}
    return {"inputs": [tensor], "outputs": [{"name": "predict_proba"}]}


TRIMTAB_ROWS = Form(lambda names, cells: {"rows": _records(names, cells)}, _named)
TRIMTAB_TABLE = Form(lambda names, cells: {"columns": names, "data": cells}, _named)
MLFLOW_SPLIT = Form(
    lambda names, cells: {"dataframe_split": {"columns": names, "data": cells}},
    lambda answer: _second(answer["predictions"]),
)
BENTO_COLUMNS = Form(lambda names, cells: {"frame": _columns(names, cells)}, _second)
BENTO_ARRAY = Form(lambda names, cells: {"x": cells}, _second)
V2_TENSOR = Form(_flat, lambda answer: answer["outputs"][0]["data"][1::2])
MATRIX = Form(lambda names, cells: {"data": cells}, lambda answer: answer["probabilities"])
