"""How many clusters there are, and which of a new fit is which of an earlier one."""

import os
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from trimtab.settings.learning import TrainSettings

_MOST = 10
_SAMPLE = 1_000
"""Rows by which numbers are compared: a silhouette looks at every pair of them."""


def fit_clusters(learner: KMeans, rows: Any, train: TrainSettings) -> None:
    """Fit to prepared rows; the number of clusters is that which tells a sample apart best.

    Rousseeuw, "Silhouettes: a graphical aid" (1987).
    """
    with _few_threads():
        if train.clusters == "auto":
            learner.set_params(n_clusters=_best_number(learner, rows, train.seed))
        learner.fit(rows)


def _few_threads() -> threadpool_limits:
    """Leave half of the processors alone: scikit-learn's threads spin while they wait for one.

    On a busy machine of two processors that took twenty times as long.
    """
    return threadpool_limits(max(1, (os.cpu_count() or 1) // 2))


def _best_number(learner: KMeans, rows: Any, seed: int) -> int:
    chosen = np.random.default_rng(seed).permutation(rows.shape[0])[:_SAMPLE]
    sample = rows[np.sort(chosen)]
    scores = {number: _silhouette(learner, sample, number) for number in range(2, _MOST + 1)}
    return max(scores, key=lambda number: scores[number])


def _silhouette(learner: KMeans, sample: Any, number: int) -> float:
    found = clone(learner).set_params(n_clusters=number).fit_predict(sample)
    return float(silhouette_score(sample, found)) if len(np.unique(found)) > 1 else -1.0


def refit_clusters(earlier: Pipeline, fresh: Pipeline, inputs: pd.DataFrame) -> Pipeline:
    """Fit anew, beginning at the earlier centres, and number the clusters as they were.

    Where the prepared columns are others by now (another category), it begins anywhere; a cluster
    has the number of the earlier one with which it has most rows in common.
    """
    learner, centres = fresh[-1], earlier[-1].cluster_centers_
    rows = fresh[:-1].fit_transform(inputs)
    learner.set_params(n_clusters=len(centres))
    if rows.shape[1] == centres.shape[1]:
        learner.set_params(init=centres, n_init=1)
    with _few_threads():
        learner.fit(rows)
        learner.set_params(init="k-means++")  # the centres are in the file once, as what they are
        return _number_as(earlier, fresh, inputs)


def _number_as(earlier: Pipeline, fresh: Pipeline, inputs: pd.DataFrame) -> Pipeline:
    learner = fresh[-1]
    together = np.zeros((learner.n_clusters, learner.n_clusters))
    np.add.at(together, (earlier.predict(inputs), learner.labels_), 1)
    _, order = linear_sum_assignment(-together)
    learner.cluster_centers_ = np.ascontiguousarray(learner.cluster_centers_[order])
    learner.labels_ = learner.labels_[:0]  # one number a training row, which nobody asks for
    return fresh
