"""What a version brings along for being watched: its contract, its reference, sample rows."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from trimtab.policy.summaries import Readings, read
from trimtab.records.contracts import Contract, Task
from trimtab.records.documents import from_json
from trimtab.records.reference import OUTPUT, Reference
from trimtab.records.schema import ColumnType


@dataclass(frozen=True, kw_only=True, eq=False)
class WatchedVersion:
    """A version as the monitor needs it."""

    version: str
    contract: Contract
    reference: Reference
    sample: pd.DataFrame
    """Some of the training rows with the model's output, for the pictures of a report."""

    @cached_property
    def sample_readings(self) -> dict[str, Readings]:
        """The sample, read as windows are; of a moment the value, not its age."""
        return {
            name: read(self.sample[name], type_)
            for name, type_ in self.types.items()
            if name in self.sample
        }

    @property
    def types(self) -> dict[str, ColumnType]:
        """The types of the inputs and of the output."""
        inputs = {column.name: column.type for column in self.contract.schema.columns}
        multiclass = self.contract.task is Task.MULTICLASS
        return {**inputs, OUTPUT: ColumnType.STRING if multiclass else ColumnType.DOUBLE}


def load_version(version: str, folder: Path) -> WatchedVersion:
    """Read the files of a version."""
    return WatchedVersion(
        version=version,
        contract=from_json(Contract, (folder / "contract.json").read_bytes()),
        reference=from_json(Reference, (folder / "reference.json").read_bytes()),
        sample=pd.read_parquet(folder / "reference.parquet"),
    )


def frame_of(contract: Contract, rows: pd.DataFrame, inputs: pd.DataFrame) -> pd.DataFrame:
    """Put the model's output beside the inputs, as the reference summarises it."""
    return inputs.assign(**{OUTPUT: _output(contract, rows)})


def _output(contract: Contract, rows: pd.DataFrame) -> "pd.Series[float] | pd.Series[str]":
    match contract.task:
        case Task.BINARY:
            return pd.Series(probabilities(rows, 2)[:, 1], index=rows.index)
        case Task.MULTICLASS:
            return rows["prediction"].map(lambda answer: _spelled(contract, answer))
        case Task.REGRESSION:
            return rows["prediction"].astype(float)


def probabilities(rows: pd.DataFrame, classes: int) -> np.ndarray:
    """Give the probabilities of the logged answers, rows by classes; NaN where there are none."""
    table = np.full((len(rows), classes), np.nan)
    for row, found in enumerate(rows["probabilities"]):
        if found is not None and len(found) == classes:
            table[row] = found
    return table


def _spelled(contract: Contract, answer: object) -> str:
    index = contract.class_of(answer)
    return str(answer if index is None else contract.classes[index])
