"""scikit-learn's numeric transformers, fitted, as the very statements they run on an array.

Each step may change the array it is given. Types are kept as scikit-learn keeps them: single
precision where all columns had it, double else.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler

from trimtab.records.schema import Column, ColumnType

from .limits import CannotLowerError

Step = Callable[[np.ndarray], np.ndarray]


def steps_of(transformers: Sequence[Any], columns: Sequence[Column]) -> tuple[Step, ...]:
    """Translate transformers that follow each other. Raises CannotLowerError."""
    singles = [column.type is ColumnType.FLOAT for column in columns]
    is_single = any(singles) and all(
        single or (column.type is ColumnType.BOOLEAN and column.required)
        for single, column in zip(singles, columns, strict=True)
    )
    dtype = np.dtype("f4" if is_single else "f8")
    steps = [step for transformer in transformers for step in _translate(transformer, dtype)]
    if not steps or not any(singles):
        return tuple(steps)
    rounded = _single if is_single else _partly_single(np.flatnonzero(singles))
    return (rounded, *steps)


def _single(values: np.ndarray) -> np.ndarray:
    return values.astype("f4")


def _partly_single(columns: np.ndarray) -> Step:
    """Round some columns to the precision in which they were trained."""

    def step(values: np.ndarray) -> np.ndarray:
        values[:, columns] = values[:, columns].astype("f4")
        return values

    return step


def _translate(transformer: Any, dtype: "np.dtype[Any]") -> list[Step]:
    translate = _KNOWN.get(type(transformer))
    if translate is None:
        raise CannotLowerError(f"{type(transformer).__name__} is not known")
    return translate(transformer, dtype)


def _nothing(transformer: Any, _: "np.dtype[Any]") -> list[Step]:
    if transformer.func is not None:
        raise CannotLowerError("it calls a function")
    return []


def _fill(imputer: Any, dtype: "np.dtype[Any]") -> list[Step]:
    absent = imputer.missing_values
    if imputer.strategy not in ("mean", "median") or not isinstance(absent, float):
        raise CannotLowerError("SimpleImputer fills other gaps than in numbers")
    known = imputer.statistics_.astype(dtype)
    if np.isnan(known).any():
        raise CannotLowerError("SimpleImputer leaves columns out")
    marked = None if imputer.indicator_ is None else imputer.indicator_.features_
    is_nan = np.isnan(absent)

    def step(values: np.ndarray) -> np.ndarray:
        gaps = np.isnan(values) if is_nan else values == absent
        if gaps.any():
            np.copyto(values, known, where=gaps)
        return values if marked is None else np.hstack((values, gaps[:, marked]))

    return [step]


def _standardize(scaler: Any, dtype: "np.dtype[Any]") -> list[Step]:
    mean = scaler.mean_.astype(dtype) if scaler.with_mean else None
    scale = scaler.scale_.astype(dtype) if scaler.with_std else None

    def step(values: np.ndarray) -> np.ndarray:
        if mean is not None:
            values -= mean
        if scale is not None:
            values /= scale
        return values

    return [step]


def _stretch(scaler: Any, _: "np.dtype[Any]") -> list[Step]:
    if scaler.clip:
        raise CannotLowerError("MinMaxScaler clips")
    scale, least = scaler.scale_, scaler.min_

    def step(values: np.ndarray) -> np.ndarray:
        values *= scale
        values += least
        return values

    return [step]


_KNOWN: dict[type, Callable[[Any, "np.dtype[Any]"], list[Step]]] = {
    FunctionTransformer: _nothing,
    MinMaxScaler: _stretch,
    SimpleImputer: _fill,
    StandardScaler: _standardize,
}
