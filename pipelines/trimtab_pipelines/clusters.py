"""How many clusters there are, and which of a new fit is which of an earlier one."""

from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score
from sklearn.pipeline import Pipeline

_MOST = 10
_SAMPLE = 2_000
"""Rows by which numbers are compared: a silhouette looks at every pair of them."""


def with_best_number(learner: KMeans, rows: Any, seed: int) -> None:
    """Set the number of clusters that tells a sample of prepared rows apart best.

    Rousseeuw, "Silhouettes: a graphical aid" (1987).
    """
    chosen = np.random.default_rng(seed).permutation(rows.shape[0])[:_SAMPLE]
    sample = rows[np.sort(chosen)]
    scores = {number: _silhouette(learner, sample, number) for number in range(2, _MOST + 1)}
    learner.set_params(n_clusters=max(scores, key=lambda number: scores[number]))


def _silhouette(learner: KMeans, sample: Any, number: int) -> float:
    found = clone(learner).set_params(n_clusters=number).fit_predict(sample)
    return float(silhouette_score(sample, found)) if len(np.unique(found)) > 1 else -1.0


def number_as(earlier: Pipeline, fresh: Pipeline, inputs: pd.DataFrame) -> Pipeline:
    """Give the clusters of a new fit the numbers of the earlier ones with most rows in common."""
    learner = fresh[-1]
    together = np.zeros((learner.n_clusters, learner.n_clusters))
    np.add.at(together, (earlier.predict(inputs), learner.labels_), 1)
    _, order = linear_sum_assignment(-together)
    learner.cluster_centers_ = np.ascontiguousarray(learner.cluster_centers_[order])
    learner.labels_ = learner.labels_[:0]  # one number a training row, which nobody asks for
    return fresh
