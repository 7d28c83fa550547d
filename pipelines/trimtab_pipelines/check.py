"""Check: data from which no honest model can be made is refused, with what to do about it."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from trimtab.adapters.frames import coerce
from trimtab.policy.losses import class_indices, numbers
from trimtab.records.contracts import Contract, Task
from trimtab.records.schema import ColumnType
from trimtab.settings.project import ModelSettings

from .columns import infer_schema
from .errors import ColumnError, DataRefusedError

_MIN_ROWS = 100
_MOST_CLASSES = 100
_IDENTIFIER = 0.95
"""Text that differs in so many of its rows names the row and teaches nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """Rows that can be trained on, in the types of their contract."""

    contract: Contract
    inputs: pd.DataFrame
    labels: "pd.Series[Any]"
    """The target as the source has it; empty values where the task has none."""
    truth: np.ndarray
    """The target as the learner takes it: the index of the class, or the number; else NaN."""
    notes: tuple[str, ...]
    """What is odd and yet no reason to refuse."""
    weights: np.ndarray | None = None
    """How much each row counts; None where all count the same."""

    def only(self, rows: np.ndarray) -> "Checked":
        """Keep some rows, given by their numbers."""
        return replace(
            self,
            inputs=self.inputs.iloc[rows].reset_index(drop=True),
            labels=self.labels.iloc[rows].reset_index(drop=True),
            truth=self.truth[rows],
            weights=None if self.weights is None else self.weights[rows],
        )

    def since(self, start: int, weights: np.ndarray | None = None) -> "Checked":
        """Leave out the rows before `start`; `weights` are of those that stay."""
        return replace(self.only(np.arange(start, len(self.inputs))), weights=weights)


def check(rows: pd.DataFrame, fitted: int, model_name: str, model: ModelSettings) -> Checked:
    """Check the rows that a version is to be made from; the first `fitted` are fitted on.

    Raises DataRefusedError at the first thing that is wrong.
    """
    if len(rows) < _MIN_ROWS:
        raise DataRefusedError(
            f"{len(rows)} labelled rows are too few to train on; at least {_MIN_ROWS} are needed "
            "before the rows that are kept for the gate."
        )
    labels = _labels(rows, model)
    contract = Contract(
        model=model_name,
        task=model.task,
        target=model.target or "",
        schema=infer_schema(_inputs(rows, model)),
        classes=_classes(labels, model) if model.task.is_classification else (),
    )
    inputs = coerce(rows, contract.schema).reset_index(drop=True)
    truth = _truth(contract, labels, fitted)
    notes = [note for name in inputs if (note := _check_input(str(name), inputs[name]))]
    if contract.task.has_labels:
        _check_leakage(inputs, truth, contract)
    return Checked(
        contract=contract,
        inputs=inputs,
        labels=labels.reset_index(drop=True),
        truth=truth,
        notes=tuple(notes),
    )


def _labels(rows: pd.DataFrame, model: ModelSettings) -> "pd.Series[Any]":
    if model.target is None:
        return pd.Series(np.nan, index=rows.index)
    return rows[model.target]


def _inputs(rows: pd.DataFrame, model: ModelSettings) -> pd.DataFrame:
    inputs = rows.drop(columns=list(model.reserved))
    if not len(inputs.columns):
        raise DataRefusedError("No column is left as an input of the model. Exclude fewer.")
    twice = inputs.columns[inputs.columns.duplicated()]
    if len(twice):
        raise ColumnError(str(twice[0]), "is there twice. Rename one of the two.")
    for column in inputs:
        if inputs[column].isna().all():
            raise ColumnError(str(column), "has no value in any row. Exclude it.")
    return inputs


def _classes(labels: "pd.Series[Any]", model: ModelSettings) -> tuple[bool | int | str, ...]:
    target = str(model.target)
    kind = pd.api.types.infer_dtype(labels, skipna=True)
    values = pd.unique(labels.astype(object))
    if kind in ("floating", "mixed-integer-float"):
        if not all(float(value).is_integer() for value in values):
            raise ColumnError(target, 'has fractions, which are no classes: task = "regression"?')
        values, kind = np.array([int(value) for value in values], dtype=object), "integer"
    if isinstance(labels.dtype, pd.CategoricalDtype):
        kind = pd.api.types.infer_dtype(values)
    read = {"boolean": bool, "integer": int, "string": str}.get(kind)
    if read is None:
        raise ColumnError(target, f"holds {kind}; classes are text, whole numbers or booleans.")
    classes = tuple(sorted({read(value) for value in values}))
    if len(classes) == 1:
        raise ColumnError(target, f"is constant ({classes[0]!r} in every row): nothing to learn.")
    if model.task is Task.BINARY and len(classes) > 2:
        raise ColumnError(target, f'has {len(classes)} classes, not two: task = "multiclass"?')
    if len(classes) > _MOST_CLASSES:
        raise ColumnError(target, f"has {len(classes)} classes, more than {_MOST_CLASSES}.")
    return classes


def _truth(contract: Contract, labels: "pd.Series[Any]", fitted: int) -> np.ndarray:
    if not contract.task.has_labels:
        return labels.to_numpy(dtype=float)
    if contract.task.is_classification:
        truth = class_indices(contract, labels.to_numpy(dtype=object)).astype(int)
        counts = np.bincount(truth[:fitted], minlength=len(contract.classes))
        if counts.min() < 2:
            rare = contract.classes[int(counts.argmin())]
            raise ColumnError(
                contract.target,
                f"is {rare!r} in {counts.min()} of the {fitted} oldest rows, which are fitted on; "
                "each class needs two. Get older rows of it, or leave its rows out.",
            )
        return truth
    truth = numbers(labels.to_numpy(dtype=object))
    if np.isnan(truth).any():
        sample = labels[np.isnan(truth)].iloc[0]
        raise ColumnError(contract.target, f"is no finite number in a row, but {sample}.")
    if truth.min() == truth.max():
        raise ColumnError(contract.target, f"is constant ({truth[0]}): nothing to learn.")
    return truth


def _check_input(name: str, values: "pd.Series[Any]") -> str | None:
    if values.dtype.kind == "f" and np.isinf(values).any():
        count = int(np.isinf(values).sum())
        raise ColumnError(name, f"is infinite in {count} rows. Make them null, or exclude it.")
    distinct, known = values.nunique(), int(values.notna().sum())
    if values.dtype == object and known >= _MIN_ROWS and distinct > _IDENTIFIER * known:
        raise ColumnError(
            name,
            f"is text with {distinct} different values in {known} rows: a name or an identifier "
            f'teaches nothing about other rows. exclude = ["{name}"]',
        )
    if distinct == 1 and known == len(values):
        return f"Column {name!r} is constant; it is kept, so that requests need not change."
    if values.dtype.kind == "i" and distinct == len(values):
        return f"Column {name!r} differs in every row; if it is an identifier, exclude it."
    return None


def _check_leakage(inputs: pd.DataFrame, truth: np.ndarray, contract: Contract) -> None:
    """Find an input that is the target itself, or the target by other names."""
    for column in contract.schema.columns:
        values = inputs[column.name]
        is_number = column.type.is_numeric and column.type is not ColumnType.DATETIME
        if contract.task.is_classification:
            leaks = _renames(values, truth, len(contract.classes))
        else:
            leaks = is_number and _is_linear(values.to_numpy(dtype=float), truth)
        if leaks:
            raise ColumnError(
                column.name,
                f"says the same as the target {contract.target!r} in every row; it will not be "
                f'known when a prediction is asked for. exclude = ["{column.name}"]',
            )


def _renames(values: "pd.Series[Any]", truth: np.ndarray, classes: int) -> bool:
    codes, found = pd.factorize(values, use_na_sentinel=False)
    if len(found) != classes:
        return False
    return len(np.unique(codes * classes + truth)) == classes


def _is_linear(values: np.ndarray, truth: np.ndarray) -> bool:
    """Tell whether one is a fixed multiple of the other, up to rounding."""
    if np.isnan(values).any() or values.min() == values.max():
        return False
    return bool(abs(np.corrcoef(values, truth)[0, 1]) > 1 - 1e-12)
