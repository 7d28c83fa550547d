"""What a version brings along for being watched: its contract, its reference, sample rows."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from trimtab.records.contracts import Contract, Task
from trimtab.records.reference import ANOMALY, DISTANCE, OUTPUT, Reference
from trimtab.records.schema import ColumnType

from .summaries import Readings, read

_OUTPUTS = {
    Task.MULTICLASS: {OUTPUT: ColumnType.STRING},
    Task.CLUSTERING: {OUTPUT: ColumnType.STRING, DISTANCE: ColumnType.DOUBLE},
    Task.ANOMALY: {OUTPUT: ColumnType.DOUBLE, ANOMALY: ColumnType.BOOLEAN},
}
"""For all other tasks it is one number."""


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
        """The types of the inputs and of what is watched of the answers."""
        inputs = {column.name: column.type for column in self.contract.schema.columns}
        return {**inputs, **_OUTPUTS.get(self.contract.task, {OUTPUT: ColumnType.DOUBLE})}


def frame_of(contract: Contract, rows: pd.DataFrame, inputs: pd.DataFrame) -> pd.DataFrame:
    """Put what is watched of the answers beside the inputs, as the reference summarises it."""
    return inputs.assign(**_watched(contract, rows))


def _watched(contract: Contract, rows: pd.DataFrame) -> "dict[str, pd.Series[Any]]":
    match contract.task:
        case Task.BINARY:
            return {OUTPUT: pd.Series(probabilities(rows, 2)[:, 1], index=rows.index)}
        case Task.MULTICLASS:
            return {OUTPUT: _names(contract, rows)}
        case Task.REGRESSION | Task.EMBEDDING:
            return {OUTPUT: rows["prediction"].astype(float)}
        case Task.CLUSTERING:
            distances = probabilities(rows, len(contract.classes)).min(axis=1)
            return {
                OUTPUT: _names(contract, rows),
                DISTANCE: pd.Series(distances, index=rows.index),
            }
        case Task.ANOMALY:
            scores = rows["prediction"].astype(float)
            is_anomaly = (scores > (contract.threshold or 0.0)).astype("boolean")
            return {OUTPUT: scores, ANOMALY: is_anomaly.mask(scores.isna())}


def _names(contract: Contract, rows: pd.DataFrame) -> "pd.Series[Any]":
    return rows["prediction"].map(lambda answer: _spelled(contract, answer))


def probabilities(rows: pd.DataFrame, classes: int) -> np.ndarray:
    """Give the probabilities of the logged answers, or distances, rows by classes; NaN for none."""
    table = np.full((len(rows), classes), np.nan)
    for row, found in enumerate(rows["probabilities"]):
        if found is not None and len(found) == classes:
            table[row] = found
    return table


def _spelled(contract: Contract, answer: object) -> str:
    index = contract.class_of(answer)
    return str(answer if index is None else contract.classes[index])
