"""Forests of scikit-learn: each tree's own arithmetic, added up in the order of the trees."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

from .limits import CannotLowerError, OddRowsError


class Forest:
    """Trees that are asked one after the other; their indices were checked when it was loaded."""

    def __init__(self, learner: Any, width: int) -> None:
        if type(learner) not in (ExtraTreesClassifier, ExtraTreesRegressor):
            raise CannotLowerError(f"{type(learner).__name__} is not known")
        if learner.n_outputs_ != 1:
            raise CannotLowerError("it answers several questions at once")
        if learner.n_features_in_ != width:
            raise CannotLowerError(f"the forest takes {learner.n_features_in_} features")
        self._ask = [tree.tree_.predict for tree in learner.estimators_]
        self._classes = int(getattr(learner, "n_classes_", 0))

    def __call__(self, blocks: Sequence[np.ndarray]) -> np.ndarray:
        """Give probabilities, rows by classes, or numbers, one a row."""
        found = blocks[0] if len(blocks) == 1 else np.concatenate(blocks, axis=1)
        features = found.astype(np.float32)
        if np.isinf(features).any():
            raise OddRowsError
        total = np.zeros((len(features), self._classes or 1))
        for ask in self._ask:
            total += ask(features)
        total /= len(self._ask)
        return total if self._classes else total[:, 0]
