"""Linear learners: the sums and links that scikit-learn computes, in its order."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.special import expit
from sklearn.linear_model import LogisticRegression, Ridge

from .blocks import Block
from .limits import CannotLowerError, OddRowsError

Share = Callable[[np.ndarray], np.ndarray]
"""Gives what a block has to say to the sums."""


class Linear:
    """A linear learner that is asked with what each block gives."""

    def __init__(self, learner: Any, blocks: Sequence[Block], *, is_sparse: bool) -> None:
        self._link = _link_of(learner)
        self._intercept = learner.intercept_
        self._weights = learner.coef_.T
        if len(self._weights) != sum(block.width for block in blocks):
            raise CannotLowerError(f"the learner takes {len(self._weights)} features")
        self._add = self._in_order if is_sparse else self._multiplied
        self._shares = _terms(self._weights, blocks) if is_sparse else _features(blocks)

    def __call__(self, blocks: Sequence[np.ndarray]) -> np.ndarray:
        """Give probabilities, rows by classes, or numbers, one a row."""
        shares = [share(block) for share, block in zip(self._shares, blocks, strict=True)]
        sums = self._add(np.concatenate(shares, axis=1)) + self._intercept
        if not np.isfinite(sums).all():
            raise OddRowsError
        return self._link(sums)

    def _multiplied(self, features: np.ndarray) -> np.ndarray:
        return np.asarray(features @ self._weights)

    def _in_order(self, terms: np.ndarray) -> np.ndarray:
        """Add one product after the other, as scipy does for sparse features."""
        return np.asarray(terms.cumsum(axis=1)[:, -1])


def _features(blocks: Sequence[Block]) -> list[Share]:
    """Spell the features out."""
    return [_spelled(block.width) if block.is_position else _as_it_is for block in blocks]


def _spelled(width: int) -> Share:
    table = np.eye(width + 1, width)
    return lambda positions: table[positions.astype(np.intp)].sum(axis=1)


def _as_it_is(features: np.ndarray) -> np.ndarray:
    return features


def _terms(weights: np.ndarray, blocks: Sequence[Block]) -> list[Share]:
    """Give the terms of the sums, rows by columns by sums: of what is absent there is no term."""
    sums = weights.reshape(len(weights), -1)
    shares, start = [], 0
    for block in blocks:
        own = sums[start : start + block.width]
        start += block.width
        shares.append(_looked_up(own) if block.is_position else _weighted(own))
    return shares


def _looked_up(weights: np.ndarray) -> Share:
    table = np.vstack([weights, np.zeros_like(weights[:1])])  # the last is for no category at all
    return lambda positions: table[positions.astype(np.intp)]


def _weighted(weights: np.ndarray) -> Share:
    return lambda features: features[:, :, np.newaxis] * weights


def _link_of(learner: Any) -> Callable[[np.ndarray], np.ndarray]:
    if type(learner) is Ridge and learner.coef_.ndim == 1:
        return np.ravel
    if type(learner) is not LogisticRegression:
        raise CannotLowerError(f"{type(learner).__name__} is not known")
    if len(learner.classes_) <= 2:
        return _two_shares
    if learner.solver == "liblinear" or getattr(learner, "multi_class", None) == "ovr":
        raise CannotLowerError("each class has a model of its own")
    return _many_shares


def _two_shares(sums: np.ndarray) -> np.ndarray:
    share = expit(sums.ravel())
    return np.stack([1 - share, share], axis=1)


def _many_shares(sums: np.ndarray) -> np.ndarray:
    shares = np.exp(sums - sums.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))
