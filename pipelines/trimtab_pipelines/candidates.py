"""The candidates: learners that compete to become the next version."""

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline
from xgboost import XGBClassifier, XGBRegressor

from trimtab.adapters.predictor import raw_output
from trimtab.records.contracts import Contract
from trimtab.settings.project import Candidate, Metric, TrainSettings

from .clusters import fit_clusters, refit_clusters
from .dimensions import fit_dimensions, refit_dimensions
from .preparation import for_linear, for_trees

_MOST_TREES = 500
_PATIENCE = 10
"""Trees without a gain on the validation rows after which no more are grown."""
_TELLING = (
    *("C", "alpha", "max_iter", "tol", "learning_rate", "max_depth", "max_bin", "objective"),
    *("n_clusters", "max_samples", "n_components"),
)
"""The learners' settings that are worth logging."""
_LOGISTIC: dict[str, Any] = {"C": 1.0, "max_iter": 300, "tol": 1e-3}
_TREES: dict[str, Any] = {
    "n_estimators": _MOST_TREES,
    "learning_rate": 0.15,
    "max_depth": 6,
    "max_bin": 128,
    "tree_method": "hist",
    "enable_categorical": True,
    # The other half of the processors answers requests meanwhile.
    "n_jobs": max(1, (os.cpu_count() or 1) // 2),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """A fitted candidate, and what it says of all rows it was given."""

    pipeline: Pipeline
    output: np.ndarray
    """Straight from the learner: preparing the rows once more would cost as much as fitting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What a candidate is made of, but for the rows."""

    candidate: Candidate
    contract: Contract
    metric: Metric
    train: TrainSettings

    def fit(self, inputs: pd.DataFrame, truth: np.ndarray, fitted: int) -> Learned:
        """Fit on the first `fitted` rows; the rest only tells trees when to stop growing."""
        older = inputs.iloc[:fitted]
        pipeline = self._build(older)
        prepare, learner = pipeline[:-1], pipeline[-1]
        known, new = prepare.fit_transform(older), prepare.transform(inputs.iloc[fitted:])
        if self.candidate == "kmeans":
            fit_clusters(learner, known, self.train)
        elif self.candidate == "pca":
            fit_dimensions(learner, known, self.train)
        elif self.candidate == "xgboost":
            learner.set_params(early_stopping_rounds=_PATIENCE)
            learner.fit(known, truth[:fitted], eval_set=[(new, truth[fitted:])], verbose=False)
        else:
            learner.fit(known, truth[:fitted])
        output = [raw_output(learner, prepared, self.contract.task) for prepared in (known, new)]
        return Learned(pipeline=pipeline, output=np.concatenate(output))

    def refit(self, earlier: Pipeline, inputs: pd.DataFrame, truth: np.ndarray) -> Pipeline:
        """Fit anew on all rows; trees grow to the size that was found best before.

        Clusters are as many as before, and bear the same numbers; so are dimensions.
        """
        fresh = self._build(inputs)
        if trees := trees_of(earlier):
            fresh[-1].set_params(n_estimators=trees)
        if self.candidate == "kmeans":
            return refit_clusters(earlier, fresh, inputs)
        if self.candidate == "pca":
            return refit_dimensions(earlier, fresh, inputs)
        return fresh.fit(inputs, truth)

    def _build(self, inputs: pd.DataFrame) -> Pipeline:
        """Make preparation and learner in one, so that training and serving cannot differ."""
        schema = self.contract.schema
        learner: Any
        match self.candidate:
            case "logistic":
                prepare, learner = for_linear(schema, inputs), LogisticRegression(**_LOGISTIC)
            case "ridge":
                prepare, learner = for_linear(schema, inputs), Ridge(random_state=self.train.seed)
            case "xgboost":
                prepare, kinds = for_trees(schema, inputs)
                learner = self._trees(kinds)
            case "kmeans":
                # A mark for what is rarely missing would stand further apart than all clusters.
                prepare = for_linear(schema, inputs, marks_gaps=False)
                learner = self._clusters()
            case "isolation_forest":
                prepare = for_linear(schema, inputs)
                learner = IsolationForest(random_state=self.train.seed)
            case "pca":
                prepare = for_linear(schema, inputs, marks_gaps=False)
                # Needs the covariance of the columns alone, however many rows there are.
                learner = PCA(svd_solver="covariance_eigh")
        return Pipeline([("prepare", prepare), ("learn", learner)])

    def _clusters(self) -> KMeans:
        chosen = self.train.clusters
        found = {} if chosen == "auto" else {"n_clusters": chosen}
        return KMeans(n_init=4, random_state=self.train.seed, **found)

    def _trees(self, kinds: list[str]) -> Any:
        shared: dict[str, Any] = {**_TREES, "feature_types": kinds, "random_state": self.train.seed}
        if self.contract.task.is_classification:
            stop = "logloss" if len(self.contract.classes) == 2 else "mlogloss"
            return XGBClassifier(eval_metric=stop, **shared)
        if self.metric == "absolute_error":
            return XGBRegressor(objective="reg:absoluteerror", eval_metric="mae", **shared)
        return XGBRegressor(eval_metric="rmse", **shared)


def trees_of(pipeline: Pipeline) -> int | None:
    """Tell how many trees were best; None where none grow."""
    best = getattr(pipeline[-1], "best_iteration", None)
    return None if best is None else int(best) + 1


def parameters(pipeline: Pipeline) -> dict[str, object]:
    """Name what was set on a learner, and how far it went."""
    found: dict[str, object] = {
        name: value
        for name, value in pipeline[-1].get_params().items()
        if name in _TELLING and value is not None
    }
    trees = trees_of(pipeline)
    return found if trees is None else {**found, "trees": trees}
