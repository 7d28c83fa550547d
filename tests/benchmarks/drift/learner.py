"""The model that is watched: small boosted trees, what they say of unseen rows, what they use."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import xgboost
from numpy.typing import NDArray

from .rows import Rows, with_columns

Floats = NDArray[np.float64]
_FOLDS = 5
_ROWS = 800  # of each fold have their columns permuted


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Model:
    """A fitted model."""

    trees: xgboost.Booster
    categories: dict[str, list[str]]
    is_binary: bool

    def predict(self, inputs: pd.DataFrame) -> Floats:
        """Give probabilities of true, or numbers."""
        found: Floats = self.trees.predict(_matrix(inputs, self.categories)).astype(float)
        return found

    def losses(self, inputs: pd.DataFrame, target: "pd.Series[Any]") -> Floats:
        """Give the loss of each row: the logarithmic one, or the squared error."""
        return losses(self.predict(inputs), target)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HeldOut:
    """Every training row as a model sees it that was not fitted on it."""

    output: Floats
    importance: dict[str, float]
    """Share of each input in what the answers rest on; the sum is 1."""


def losses(output: Floats, target: "pd.Series[Any]") -> Floats:
    """Give the loss of each row."""
    if target.dtype == bool:
        said = np.clip(np.where(target, output, 1 - output), 1e-6, 1.0)
        return np.asarray(-np.log(said))
    return np.asarray((target.to_numpy(dtype=float) - output) ** 2)


def fit(rows: Rows, trees: int = 60) -> Model:
    """Fit on all rows."""
    categories = {
        str(name): sorted(rows.inputs[name].dropna().unique())
        for name in rows.inputs
        if rows.inputs[name].dtype == object
    }
    parameters = {
        "objective": "binary:logistic" if rows.is_binary else "reg:squarederror",
        "max_depth": 5,
        "eta": 0.15,
        "max_bin": 64,
        "nthread": 1,  # two would wait for each other on a busy machine
        "seed": 1,
    }
    matrix = _matrix(rows.inputs, categories, rows.target.to_numpy(dtype=float))
    booster = xgboost.train(parameters, matrix, num_boost_round=trees)
    return Model(trees=booster, categories=categories, is_binary=rows.is_binary)


def hold_out(rows: Rows, rng: np.random.Generator) -> HeldOut:
    """Answer each block of neighbours by a model of the others, and permute its columns."""
    edges = np.linspace(0, len(rows.inputs), _FOLDS + 1).astype(int).tolist()
    output = np.empty(len(rows.inputs))
    increases = np.zeros(rows.inputs.shape[1])
    for start, end in pairwise(edges):
        model = fit(taken(rows, np.r_[0:start, end : len(output)]))
        output[start:end] = model.predict(rows.inputs[start:end])
        some = np.sort(rng.permutation(np.arange(start, end))[:_ROWS])
        increases += _increases(model, taken(rows, some), rng)
    gains = np.clip(increases, 0, None)
    shares = gains / gains.sum() if gains.sum() > 0 else np.full(len(gains), 1 / len(gains))
    return HeldOut(
        output=output,
        importance={str(n): float(s) for n, s in zip(rows.inputs, shares, strict=True)},
    )


def taken(rows: Rows, order: NDArray[np.intp]) -> Rows:
    """Give some of the rows, without their times."""
    return Rows(
        name=rows.name,
        inputs=rows.inputs.iloc[order].reset_index(drop=True),
        target=rows.target.iloc[order].reset_index(drop=True),
    )


def _increases(model: Model, rows: Rows, rng: np.random.Generator) -> Floats:
    usual = model.losses(rows.inputs, rows.target).mean()
    found = []
    for name in rows.inputs:
        values = rows.inputs[name].take(rng.permutation(len(rows.inputs))).to_numpy()
        permuted = with_columns(rows.inputs, {str(name): values})
        found.append(model.losses(permuted, rows.target).mean() - usual)
    return np.array(found)


def _matrix(
    inputs: pd.DataFrame, categories: dict[str, list[str]], label: Floats | None = None
) -> xgboost.DMatrix:
    """Give categories as their numbers and all else as it is; what is no number is missing."""
    columns = [
        pd.Categorical(inputs[name], categories=categories[str(name)]).codes.astype(float)
        if name in categories
        else pd.to_numeric(inputs[name], errors="coerce").to_numpy(dtype=float)
        for name in inputs
    ]
    table = np.column_stack(columns)
    coded = [i for i, name in enumerate(inputs) if name in categories]
    table[:, coded] = np.where(table[:, coded] < 0, np.nan, table[:, coded])
    return xgboost.DMatrix(table, label=label)
