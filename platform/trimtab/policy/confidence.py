"""Expected losses from a model's own probabilities, once those are calibrated.

Confidence-based performance estimation (Bialek, Kuberski, Perrakis and Bifet, "Estimating Model
Performance Under Covariate Shift Without Labels", 2024; first in NannyML). The calibration is
isotonic regression (Zadrozny and Elkan, "Transforming Classifier Scores into Accurate Multiclass
Probability Estimates", 2002), found by pooling adjacent violators (Ayer et al., 1955).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trimtab.records.estimates import Curve

from .losses import losses_by_class
from .summaries import Floats

_BINS = 60
"""Points of a curve at most, of equal numbers of rows."""
_FEWEST = 10
"""Rows of a class below which its curve would be guesswork."""


def fit_curves(probabilities: Floats, truth: Floats) -> tuple[Curve, ...]:
    """Learn what each class's probability is worth; rows by classes, and each row's class.

    Rows with a NaN are left out. Empty when a class is too rare to learn anything of.
    """
    known = np.isfinite(probabilities).all(axis=1) & np.isfinite(truth)
    scores, classes = probabilities[known], truth[known].astype(int)
    counts = np.bincount(classes, minlength=scores.shape[1])
    if counts.min() < _FEWEST:
        return ()
    watched = [1] if scores.shape[1] == 2 else range(scores.shape[1])
    return tuple(_curve(scores[:, k], (classes == k).astype(float)) for k in watched)


def calibrated(curves: Sequence[Curve], probabilities: Floats) -> Floats:
    """Give the calibrated probabilities, rows by classes; NaN where there are none."""
    if not curves:
        return probabilities
    if len(curves) == 1:
        second = _worth(curves[0], probabilities[:, 1])
        return np.column_stack([1 - second, second])
    found = np.column_stack([_worth(c, probabilities[:, k]) for k, c in enumerate(curves)])
    total = found.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(total == 0, probabilities, found / total))


def expected_losses(metric: str, curves: Sequence[Curve], probabilities: Floats) -> Floats:
    """Give each row's expected loss: over the classes, the loss it would be, by how likely.

    NaN where the probabilities are no numbers.
    """
    if len(probabilities) == 0:
        return np.empty(0)
    by_class = losses_by_class(metric, probabilities)
    return np.asarray((calibrated(curves, probabilities) * by_class).sum(axis=1))


def expected_confusion(curves: Sequence[Curve], probabilities: Floats) -> Floats:
    """Give the expected rows by true class (down) and most likely class (across)."""
    known = probabilities[np.isfinite(probabilities).all(axis=1)]
    classes = probabilities.shape[1]
    answered = np.eye(classes)[known.argmax(axis=1)] if len(known) else np.empty((0, classes))
    return np.asarray(calibrated(curves, known).T @ answered)


def miscalibration(curves: Sequence[Curve], probabilities: Floats, truth: Floats) -> float:
    """Give the mean Brier score over all classes; what it lacks of another's is calibration."""
    known = np.isfinite(probabilities).all(axis=1) & np.isfinite(truth)
    given = calibrated(curves, probabilities[known])
    happened = np.eye(probabilities.shape[1])[truth[known].astype(int)]
    return float(((given - happened) ** 2).sum(axis=1).mean()) if known.any() else 0.0


def _worth(curve: Curve, scores: Floats) -> Floats:
    return np.asarray(np.interp(scores, curve.scores, curve.shares))


def _curve(scores: Floats, happened: Floats) -> Curve:
    bins = np.unique(np.quantile(scores, np.linspace(0, 1, _BINS + 1)[1:-1]))
    of = np.searchsorted(bins, scores, side="left")
    rows = np.bincount(of, minlength=len(bins) + 1).astype(float)
    filled = rows > 0
    means = np.bincount(of, weights=scores, minlength=len(rows))[filled] / rows[filled]
    shares = np.bincount(of, weights=happened, minlength=len(rows))[filled] / rows[filled]
    rising = _pooled(shares, rows[filled])
    return Curve(scores=tuple(means.tolist()), shares=tuple(rising.tolist()))


def _pooled(values: Floats, weights: Floats) -> NDArray[np.float64]:
    """Find the rising values nearest to these: neighbours in the wrong order take their mean."""
    blocks: list[tuple[float, float, int]] = []  # value, weight, how many
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        block = (value, weight, 1)
        while blocks and blocks[-1][0] >= block[0]:
            before = blocks.pop()
            total = before[1] + block[1]
            mean = (before[0] * before[1] + block[0] * block[1]) / total
            block = (mean, total, before[2] + block[2])
        blocks.append(block)
    return np.repeat([b[0] for b in blocks], [b[2] for b in blocks])
