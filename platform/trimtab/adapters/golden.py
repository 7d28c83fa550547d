"""Golden rows: inputs with the trainer's own outputs, which every copy must reproduce."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from trimtab.records.contracts import Contract
from trimtab.records.devices import is_gpu
from trimtab.records.schema import Schema

from .frames import coerce, rows_of
from .predictor import Answers, Predictor, UnanswerableError

FILE = "golden.parquet"
TOLERANCE = 1e-6
"""On the CPU, where the trainer was; of probabilities absolute, of numbers relative."""
GPU_TOLERANCE_OF_SHARES = 1e-5
GPU_TOLERANCE_OF_NUMBERS = 1e-4
"""A GPU adds a thousand leaves in another order, in float32, and has an exp of its own. Orders
alone move a probability by up to 5e-7 and a sum by up to 2e-5 (tests/adapters/test_golden.py)."""
_OUTPUT = "(output {})"
_NAMED = 5
"""So many of the rows that differ are named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldenReport:
    """How a copy of a version did on its golden rows."""

    rows: int
    differing: int
    worst: float
    """Largest difference found; infinite where an answer is no number."""
    first: tuple[tuple[int, float], ...] = ()
    """The first rows that differ, by their number in the file from 0, and by how much."""
    tolerance: float = TOLERANCE
    """What was allowed, on that device."""

    @property
    def matches(self) -> bool:
        """Tell whether the copy is the model that was judged."""
        return self.rows > 0 and self.differing == 0

    @property
    def message(self) -> str:
        """Say it for people."""
        if self.matches:
            return f"all {self.rows} golden rows reproduced (worst difference {self.worst:.1e})"
        if not self.rows:
            return "there are no golden rows"
        return (
            f"{self.differing} of {self.rows} golden rows differ by more than {self.tolerance:.0e} "
            f"(worst difference {self.worst:.1e}): {self._named}"
        )

    @property
    def _named(self) -> str:
        """Name the first rows that differ."""
        named = ", ".join(f"row {row} by {difference:.1e}" for row, difference in self.first)
        return named + (", and more" if self.differing > len(self.first) else "")


def write_golden(folder: Path, predictor: Predictor, inputs: pd.DataFrame) -> None:
    """Keep rows with the answers the predictor gives now."""
    rows = coerce(inputs, predictor.contract.schema).reset_index(drop=True)
    outputs = _numbers(predictor.predict(rows))
    for index, values in enumerate(outputs.T):
        rows[_OUTPUT.format(index)] = values
    rows.to_parquet(folder / FILE, index=False)


def replay_golden(folder: Path, predictor: Predictor) -> GoldenReport:
    """Ask the predictor for the golden rows again, as a request asks, and compare."""
    rows = pd.read_parquet(folder / FILE)
    wanted = rows.filter(regex=r"^\(output \d+\)$").to_numpy(dtype=float)
    if not len(rows):
        return GoldenReport(rows=0, differing=0, worst=0.0)
    found = _ask(predictor, rows)
    if found.shape != wanted.shape:
        found = np.full_like(wanted, np.nan)  # no answers, or of another kind: none is right
    is_share = predictor.contract.task.is_classification
    scale = 1.0 if is_share else np.maximum(np.abs(wanted), 1.0)
    difference = np.nan_to_num(np.abs(found - wanted) / scale, nan=np.inf).max(axis=1)
    tolerance = tolerance_on(predictor.device, predictor.contract)
    wrong = np.flatnonzero(difference > tolerance)
    return GoldenReport(
        rows=len(rows),
        differing=len(wrong),
        worst=float(difference.max()),
        first=tuple((int(row), float(difference[row])) for row in wrong[:_NAMED]),
        tolerance=tolerance,
    )


def tolerance_on(device: str, contract: Contract) -> float:
    """Tell by how much a copy on a device may differ from the trainer, which was on the CPU."""
    if not is_gpu(device):
        return TOLERANCE
    is_share = contract.task.is_classification
    return GPU_TOLERANCE_OF_SHARES if is_share else GPU_TOLERANCE_OF_NUMBERS


def golden_inputs(folder: Path, schema: Schema) -> list[dict[str, Any]]:
    """Give the golden rows as a request holds them."""
    return rows_of(coerce(pd.read_parquet(folder / FILE), schema), schema)


def _ask(predictor: Predictor, rows: pd.DataFrame) -> np.ndarray:
    schema = predictor.contract.schema
    try:
        return _numbers(predictor.answer(rows_of(coerce(rows, schema), schema)))
    except UnanswerableError:
        return np.empty(0)


def _numbers(answers: Answers) -> np.ndarray:
    if answers.probabilities is not None:
        return answers.probabilities
    return np.asarray(answers.predictions, dtype=float).reshape(-1, 1)
