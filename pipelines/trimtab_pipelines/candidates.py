"""The candidates: learners that compete to become the next version."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from trimtab.adapters.predictor import raw_output
from trimtab.records.contracts import Contract
from trimtab.records.searches import SearchValue
from trimtab.settings.learning import Candidate, Metric, TrainSettings

from .clusters import fit_clusters, refit_clusters
from .dimensions import fit_dimensions, refit_dimensions
from .learners import learner_of, threads
from .preparation import for_linear, for_trees

_PATIENCE = 10
"""Trees without a gain on the newer rows after which no more are grown."""
_TELLING = (
    *("C", "alpha", "max_iter", "tol", "learning_rate", "max_depth", "max_bin", "objective"),
    *("min_child_weight", "subsample", "colsample_bytree", "reg_lambda", "min_samples_leaf"),
    *("max_features", "n_clusters", "max_samples", "n_components"),
)
"""The learners' settings that are worth logging."""
_OF_TREES = ("xgboost", "extra_trees")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """Rows as a learner takes them."""

    prepare: Any
    """Makes the same of other rows."""
    kinds: list[str] | None
    """Which columns are categories (`c`) and which quantities (`q`); None for linear learners."""
    known: Any
    """The older rows, to fit on."""
    new: Any


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
    settings: Mapping[str, SearchValue] = field(default_factory=lambda: MappingProxyType({}))
    """What differs from the learner's usual settings."""

    def fit(
        self,
        inputs: pd.DataFrame,
        truth: np.ndarray,
        fitted: int,
        weights: np.ndarray | None = None,
    ) -> Learned:
        """Fit on the first `fitted` rows; the rest only tells trees when to stop growing.

        `weights`, one a row, say how much the rows count.
        """
        prepared = self.prepare(inputs.iloc[:fitted], inputs.iloc[fitted:])
        learner = self.learn(prepared, truth, fitted, weights)
        output = [self._ask(learner, rows) for rows in (prepared.known, prepared.new)]
        pipeline = Pipeline([("prepare", prepared.prepare), ("learn", learner)])
        return Learned(pipeline=pipeline, output=np.concatenate(output))

    @property
    def takes_gaps(self) -> bool:
        """Tell whether rows are prepared as for trees; those of other learners are alike, too."""
        return self.candidate in _OF_TREES

    def prepare(self, older: pd.DataFrame, newer: pd.DataFrame) -> Prepared:
        """Bring rows into the form that the learner takes; only older ones say what that is."""
        prepare, kinds = self._preparation(older)
        known = prepare.fit_transform(older)
        return Prepared(prepare=prepare, kinds=kinds, known=known, new=prepare.transform(newer))

    def learn(
        self, prepared: Prepared, truth: np.ndarray, fitted: int, weights: np.ndarray | None
    ) -> Any:
        """Give a learner, fitted to prepared rows; the truth and the weights are of all rows."""
        learner = self._learner(prepared.kinds, fitted)
        if self.candidate == "kmeans":
            fit_clusters(learner, prepared.known, self.train)
            return learner
        if self.candidate == "pca":
            fit_dimensions(learner, prepared.known, self.train)
            return learner
        counted = _counted(weights, fitted)
        if self.candidate == "xgboost":
            learner.set_params(early_stopping_rounds=_PATIENCE)
            counted |= {"eval_set": [(prepared.new, truth[fitted:])], "verbose": False}
        learner.fit(prepared.known, truth[:fitted], **counted)
        return _alone(learner)

    def answers(self, learner: Any, prepared: Prepared) -> np.ndarray:
        """Give a learner's raw output of the newer rows."""
        return self._ask(learner, prepared.new)

    def refit(
        self,
        earlier: Pipeline,
        inputs: pd.DataFrame,
        truth: np.ndarray,
        weights: np.ndarray | None = None,
    ) -> Pipeline:
        """Fit anew on all rows; trees grow to the size that was found best before.

        Clusters are as many as before, and bear the same numbers; so are dimensions.
        """
        prepare, kinds = self._preparation(inputs)
        fresh = Pipeline([("prepare", prepare), ("learn", self._learner(kinds, len(inputs)))])
        if trees := trees_of(earlier):
            fresh[-1].set_params(n_estimators=trees)
        if self.candidate == "kmeans":
            return refit_clusters(earlier, fresh, inputs)
        if self.candidate == "pca":
            return refit_dimensions(earlier, fresh, inputs)
        counted = {f"learn__{k}": v for k, v in _counted(weights, len(inputs)).items()}
        fresh.fit(inputs, truth, **counted)
        _alone(fresh[-1])
        return fresh

    def _preparation(self, inputs: pd.DataFrame) -> tuple[Any, list[str] | None]:
        """Make the preparation, part of the model, so that training and serving cannot differ."""
        schema = self.contract.schema
        if self.takes_gaps:
            return for_trees(schema, inputs)
        # A mark for what is rarely missing would stand further apart than all clusters.
        marks_gaps = self.candidate not in ("kmeans", "pca")
        return for_linear(schema, inputs, marks_gaps=marks_gaps), None

    def _learner(self, kinds: list[str] | None, rows: int) -> Any:
        learner = learner_of(self.candidate, self.contract, self.metric, self.train, rows)
        if self.candidate == "xgboost":
            learner.set_params(feature_types=kinds)
        return learner.set_params(**self.settings)

    def _ask(self, learner: Any, rows: Any) -> np.ndarray:
        return raw_output(learner, rows, self.contract.task)


def _counted(weights: np.ndarray | None, fitted: int) -> dict[str, Any]:
    """Give the weights of the rows to fit on, 1 on average: else they would change how strongly
    learners are held back."""
    if weights is None:
        return {}
    return {"sample_weight": weights[:fitted] / weights[:fitted].mean()}


def _alone(learner: Any) -> Any:
    """Let a forest answer with one thread: several add its trees up in any order, and a single row
    would wait for them all."""
    if threads(learner) and not hasattr(learner, "get_booster"):
        learner.set_params(n_jobs=None)
    return learner


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
