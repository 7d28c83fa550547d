"""Fit the chosen candidate once for each block of time, on all rows outside of it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from trimtab.adapters.predictor import raw_output

from .check import Checked
from .fitting import Fitted

FOLDS = 5
"""Blocks of contiguous rows; each model is fitted on four fifths of what the version knows."""

Ask = Callable[[pd.DataFrame], np.ndarray]
"""Gives a model's raw output: probabilities by class, or numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """A block of rows, and a model that has not seen them."""

    rows: slice
    ask: Ask


def fit_folds(best: Fitted, checked: Checked) -> Iterator[Fold]:
    """Fit the chosen recipe, without a new search, for each block of contiguous rows.

    Blocks, as neighbours in time resemble each other and a random split would let a model peek:
    Roberts et al., "Cross-validation strategies for data with temporal, spatial, hierarchical, or
    phylogenetic structure" (2017).
    """
    edges = np.linspace(0, len(checked.inputs), FOLDS + 1).round().astype(int).tolist()
    for start, end in pairwise(edges):
        rest = np.r_[0:start, end : len(checked.inputs)]
        yield Fold(rows=slice(start, end), ask=_fit(best, checked, rest))


def _fit(best: Fitted, checked: Checked, rest: np.ndarray) -> Ask:
    inputs, truth = checked.inputs.iloc[rest].reset_index(drop=True), checked.truth[rest]
    classes = len(checked.contract.classes)
    weights = None if checked.weights is None else checked.weights[rest]
    known = np.unique(truth)
    if not checked.contract.task.is_classification or len(known) == classes:
        return _ask(best, best.recipe.refit(best.pipeline, inputs, truth, weights))
    return _of_some(best, inputs, truth, weights, known, classes)


def _ask(best: Fitted, pipeline: Pipeline) -> Ask:
    return lambda rows: raw_output(pipeline, rows, best.contract.task)


def _of_some(
    best: Fitted,
    inputs: pd.DataFrame,
    truth: np.ndarray,
    weights: np.ndarray | None,
    known: np.ndarray,
    classes: int,
) -> Ask:
    """Fit where a class occurs in the block alone: to a model that never met it, it is never."""
    learned = None
    if len(known) > 1:
        seen = np.searchsorted(known, truth)
        learned = best.recipe.refit(best.pipeline, inputs, seen, weights)

    def ask(rows: pd.DataFrame) -> np.ndarray:
        output = np.zeros((len(rows), classes))
        output[:, known] = 1.0 if learned is None else _ask(best, learned)(rows)
        return output

    return ask
