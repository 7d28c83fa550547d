"""An embedding's output: each row's place in fewer dimensions, and what is lost on the way back."""

from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.pipeline import Pipeline


def embed(model: Any, inputs: Any) -> np.ndarray:
    """Ask a fitted pipeline that ends in a PCA, or that PCA with prepared rows.

    Gives rows by dimensions and, as the last column, the reconstruction error: the squared distance
    between a prepared row and what can be told of it from its place, as a share of the usual
    squared distance of a training row from their mean. 0 is a row that the dimensions hold wholly,
    1 one that they hold as little of as the mean does.
    """
    if isinstance(model, Pipeline):
        return embed(model[-1], model[:-1].transform(inputs))
    places = np.asarray(model.transform(inputs))
    # The dimensions are orthonormal: what they do not hold of a distance is the rest of it.
    lost = _squared_distances(inputs, model.mean_) - (places**2).sum(axis=1)
    return np.column_stack([places, np.clip(lost, 0.0, None) / total_variance(model)])


def total_variance(model: Any) -> float:
    """Give the mean squared distance of a training row from their mean, by a fitted PCA."""
    return float(model.explained_variance_.sum() / model.explained_variance_ratio_.sum())


def _squared_distances(rows: Any, mean: np.ndarray) -> np.ndarray:
    if not issparse(rows):
        return np.asarray(((np.asarray(rows) - mean) ** 2).sum(axis=1))
    squares = np.asarray(rows.multiply(rows).sum(axis=1)).ravel()
    return np.asarray(squares - 2 * (rows @ mean) + mean @ mean)
