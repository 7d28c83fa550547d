"""The predictor: one way from a version's files to answers, in trainer, gate and endpoint."""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import skops.io
from skops.io.exceptions import UntrustedTypesFoundException

from trimtab.errors import ExitCode, TrimtabError
from trimtab.records.contracts import Contract, Task
from trimtab.records.devices import WantedDevice
from trimtab.records.documents import from_json
from trimtab.records.schema import Schema

from .device import DeviceChoice, choose
from .embedding import embed
from .frames import FrameError, coerce
from .lowering import Lowered, OddRowsError, lower
from .tree_bounds import UnsoundTreeError, require_sound_trees

CONTRACT_FILE = "contract.json"
MODEL_FILE = "model.skops"
TRUSTED = (
    "numpy.dtype",
    "sklearn.tree._tree.Tree",  # once each of its indices was found to be in bounds
    "xgboost.core.Booster",
    "xgboost.sklearn.XGBClassifier",
    "xgboost.sklearn.XGBRegressor",
)
"""What a model file may hold besides scikit-learn's and numpy's own types. The list inside the
file itself counts for nothing."""

_FEW = 64


class UntrustedModelError(TrimtabError):
    """A model file holds types that Trimtab does not load."""

    def __init__(self, path: Path, why: object) -> None:
        super().__init__(f"{path} is not loaded: {why}")
        self.path = path


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What a model said, row by row."""

    predictions: list[bool | int | str | float]
    probabilities: np.ndarray | None
    """Rows by classes, in the order of the contract; for clusters the distances from their centres,
    for embeddings the places by dimension, the predictions being reconstruction errors; None where
    answers are numbers."""


class UnanswerableError(TrimtabError):
    """Rows fit the contract, and the model's arithmetic fails on them: numbers too large for it."""

    exit_code = ExitCode.REFUSED

    def __init__(self, why: object) -> None:
        super().__init__(f"The model cannot compute an answer for these values: {why}")


class Predictor:
    """A loaded version. Several threads may ask it."""

    def __init__(
        self,
        contract: Contract,
        pipeline: Any,
        choice: DeviceChoice,
        lowered: Lowered | None = None,
    ) -> None:
        self.contract = contract
        self.device = choice.device
        self.device_note = choice.note
        self.awaits_room = choice.awaits_room
        self._pipeline = pipeline
        self._choice = choice
        self._lowered = lowered

    @classmethod
    def load(cls, folder: Path, device: WantedDevice = "auto") -> "Predictor":
        """Load a version's files, verified before by its manifest; nothing in them is executed.

        Raises UntrustedModelError for a model file with foreign types.
        """
        contract = from_json(Contract, (folder / CONTRACT_FILE).read_bytes())
        try:
            pipeline = skops.io.load(folder / MODEL_FILE, trusted=list(TRUSTED))
            require_sound_trees(pipeline)
        except (UntrustedTypesFoundException, UnsoundTreeError) as error:
            raise UntrustedModelError(folder / MODEL_FILE, error) from None
        size = (folder / MODEL_FILE).stat().st_size
        return cls(contract, pipeline, _place(pipeline[-1], device, size))

    @property
    def pipeline(self) -> Any:
        """The scikit-learn pipeline that answers."""
        return self._pipeline

    def lowered(self) -> "Predictor":
        """Give one that answers rows by the fast path. Raises CannotLowerError."""
        fast = lower(self._pipeline, self.contract.schema)
        return Predictor(self.contract, self._pipeline, self._choice, fast)

    def predict(self, inputs: pd.DataFrame) -> Answers:
        """Answer every row of a frame, by the pipeline itself.

        Raises FrameError when the rows do not fit the contract.
        """
        frame = coerce(inputs, self.contract.schema)
        output = raw_output(self._pipeline, frame, self.contract.task)
        return answers_of(self.contract, output)

    def answer(self, rows: Sequence[Mapping[str, Any]]) -> Answers:
        """Answer rows of Python's own values by column name; times are aware, nulls are None.

        The answers are those of `predict`. Raises FrameError when the rows do not fit the
        contract, UnanswerableError when the model gives no finite number for one.
        """
        output = self._output(rows)
        if not _is_finite(output):
            raise UnanswerableError("the result is no finite number")
        return answers_of(self.contract, output)

    def _output(self, rows: Sequence[Mapping[str, Any]]) -> np.ndarray:
        if self._lowered is not None:
            try:
                return self._lowered(rows)
            except OddRowsError:
                pass  # values that are rare enough for the long way
        frame = coerce(_frame(list(rows), self.contract.schema), self.contract.schema)
        try:
            return raw_output(self._pipeline, frame, self.contract.task)
        except ValueError as error:
            raise UnanswerableError(error) from error


def _is_finite(output: np.ndarray) -> bool:
    """Tell whether JSON can hold the numbers; to ask numpy about a few costs as much as a tree."""
    if output.size > _FEW:
        return bool(np.isfinite(output).all())
    return all(map(math.isfinite, output.ravel().tolist()))


def _frame(rows: Sequence[Mapping[str, Any]], schema: Schema) -> pd.DataFrame:
    """Put rows into a frame, its types still to be settled."""
    for name in schema.names:
        if not all(name in row for row in rows):
            raise FrameError(name, "is missing")
    return pd.DataFrame({name: [row[name] for row in rows] for name in schema.names})


def raw_output(model: Any, inputs: Any, task: Task) -> np.ndarray:
    """Ask a model, or only its last step.

    Gives probabilities by class, distances by cluster, numbers, places with their reconstruction
    error last, or how odd rows are, 0 to 1 and above a half for what is easily told from the rest
    (Liu, Ting and Zhou, "Isolation Forest", 2008).
    """
    match task:
        case Task.CLUSTERING:
            output = model.transform(inputs)
        case Task.ANOMALY:
            output = -model.score_samples(inputs)
        case Task.EMBEDDING:
            output = embed(model, inputs)
        case Task.REGRESSION:
            output = model.predict(inputs)
        case _:
            output = model.predict_proba(inputs)
    return np.asarray(output, dtype=float)


def answers_of(contract: Contract, output: np.ndarray) -> Answers:
    """Put a model's output into the words of its contract."""
    if contract.task is Task.EMBEDDING:
        return Answers(predictions=list(output[:, -1].tolist()), probabilities=output[:, :-1])
    if contract.task.answers_numbers:
        return Answers(predictions=list(output.tolist()), probabilities=None)
    classes = contract.classes
    is_near = contract.task is Task.CLUSTERING
    best = output.argmin(axis=1) if is_near else output.argmax(axis=1)
    chosen = [classes[i] for i in best.tolist()]
    return Answers(predictions=list(chosen), probabilities=output)


def _place(learner: Any, wanted: WantedDevice, size: int) -> DeviceChoice:
    """Move the last step of a pipeline to its device."""
    if not hasattr(learner, "get_booster"):
        return DeviceChoice(device="cpu", note="CPU: this kind of model has no GPU code")
    choice = choose(wanted, size)
    # On a single row a second thread doubles the CPU time and spoils the slowest answers.
    threads = int(os.environ.get("OMP_NUM_THREADS", "1"))
    learner.get_booster().set_param({"device": choice.device, "nthread": threads})
    learner.set_params(device=choice.device, n_jobs=threads)
    return choice
