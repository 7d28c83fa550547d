"""The learners as they are before any search, and the settings that a search may try."""

import os
from typing import Any

from optuna.distributions import FloatDistribution, IntDistribution
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor, IsolationForest
from sklearn.linear_model import LogisticRegression, Ridge
from xgboost import XGBClassifier, XGBRegressor

from trimtab.records.contracts import Contract
from trimtab.settings.learning import Candidate, Metric, TrainSettings

_MOST_TREES = 500
_HALF = max(1, (os.cpu_count() or 1) // 2)
"""The other half of the processors answers requests meanwhile."""
_LOGISTIC: dict[str, Any] = {"C": 1.0, "max_iter": 300, "tol": 1e-3}
_TREES: dict[str, Any] = {
    "n_estimators": _MOST_TREES,
    "learning_rate": 0.15,
    "max_depth": 6,
    "max_bin": 128,
    "tree_method": "hist",
    "enable_categorical": True,
    "n_jobs": _HALF,
}
_FOREST: dict[str, Any] = {
    "n_estimators": 60,
    # Both bound the size of the file, which every answer walks through: 60 trees of 800 nodes.
    "max_leaf_nodes": 400,
    "min_samples_leaf": 10,
    "max_features": 0.6,
    "bootstrap": True,
    "n_jobs": _HALF,
}
_MOST_ROWS_A_TREE = 15_000
"""More rows make a tree of so few leaves no better, and the time to fit it longer without end."""


def learner_of(
    candidate: Candidate, contract: Contract, metric: Metric, train: TrainSettings, rows: int
) -> Any:
    """Make a learner with its usual settings, to be fitted on so many rows."""
    is_of_classes = contract.task.is_classification
    match candidate:
        case "logistic":
            return LogisticRegression(**_LOGISTIC)
        case "ridge":
            return Ridge(random_state=train.seed)
        case "xgboost":
            return _boosted(contract, metric, train.seed)
        case "extra_trees":
            kind = ExtraTreesClassifier if is_of_classes else ExtraTreesRegressor
            most = min(rows, _MOST_ROWS_A_TREE)
            return kind(random_state=train.seed, max_samples=most, **_FOREST)
        case "kmeans":
            found = {} if train.clusters == "auto" else {"n_clusters": train.clusters}
            return KMeans(n_init=4, random_state=train.seed, **found)
        case "isolation_forest":
            return IsolationForest(random_state=train.seed)
        case "pca":
            # Needs the covariance of the columns alone, however many rows there are.
            return PCA(svd_solver="covariance_eigh")


def space_of(candidate: Candidate) -> dict[str, FloatDistribution | IntDistribution]:
    """Name the settings of a learner that a search may choose, and between which bounds.

    None of them makes classes weigh more than they occur: probabilities are what is judged, and
    rare classes that count more make them too large.
    """
    match candidate:
        case "logistic":
            return {"C": FloatDistribution(1e-3, 1e2, log=True)}
        case "ridge":
            return {"alpha": FloatDistribution(1e-2, 1e4, log=True)}
        case "xgboost":
            return {
                "learning_rate": FloatDistribution(0.05, 0.3, log=True),
                "max_depth": IntDistribution(2, 9),
                "min_child_weight": FloatDistribution(1.0, 60.0, log=True),
                "subsample": FloatDistribution(0.6, 1.0),
                "colsample_bytree": FloatDistribution(0.4, 1.0),
                "reg_lambda": FloatDistribution(0.1, 30.0, log=True),
            }
        case "extra_trees":
            return {
                "min_samples_leaf": IntDistribution(2, 100, log=True),
                "max_features": FloatDistribution(0.2, 1.0),
            }
    return {}


def usual(candidate: Candidate) -> dict[str, Any]:
    """Give the usual value of each setting that a search may choose."""
    if candidate == "ridge":
        return {"alpha": 1.0}
    shown = {"min_child_weight": 1.0, "subsample": 1.0, "colsample_bytree": 1.0, "reg_lambda": 1.0}
    known = {"logistic": _LOGISTIC, "xgboost": {**_TREES, **shown}, "extra_trees": _FOREST}
    return {name: known[candidate][name] for name in space_of(candidate)}


def threads(learner: Any) -> int | None:
    """Tell with how many threads a learner works; None where it has no such setting."""
    found = learner.get_params().get("n_jobs")
    return None if found is None else int(found)


def _boosted(contract: Contract, metric: Metric, seed: int) -> Any:
    shared: dict[str, Any] = {**_TREES, "random_state": seed}
    if contract.task.is_classification:
        stop = "logloss" if len(contract.classes) == 2 else "mlogloss"
        return XGBClassifier(eval_metric=stop, **shared)
    if metric == "absolute_error":
        return XGBRegressor(objective="reg:absoluteerror", eval_metric="mae", **shared)
    return XGBRegressor(eval_metric="rmse", **shared)
