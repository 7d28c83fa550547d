"""What a model's probabilities are worth: curves from what it says to how often that comes true.

Two ways to learn one: a sigmoid of the log-odds (Platt, "Probabilistic Outputs for Support Vector
Machines", 1999), which also tells of scores that were never seen; and isotonic regression (Zadrozny
and Elkan, "Transforming Classifier Scores into Accurate Multiclass Probability Estimates", 2002),
found by pooling adjacent violators (Ayer et al., 1955).
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from trimtab.records.estimates import Curve

from .summaries import Floats

Learn = Callable[[Floats, Floats], Curve]
"""Learns a curve from scores and from what happened (1 or 0)."""
_BINS = 60
"""Points of a curve at most, of equal numbers of rows."""
_FEWEST = 10
"""Rows of a class below which its curve would be guesswork."""
_STEPS = 25
_FURTHEST = 16.0  # log-odds of the surest score, of about 1 in 10 million, that is told apart
_POINTS = 97


def fit_curves(learn: Learn, probabilities: Floats, truth: Floats) -> tuple[Curve, ...]:
    """Learn what each class's probability is worth; rows by classes, and each row's class.

    Rows with a NaN are left out. Empty when a class is too rare to learn anything of.
    """
    known = np.isfinite(probabilities).all(axis=1) & np.isfinite(truth)
    scores, classes = probabilities[known], truth[known].astype(int)
    counts = np.bincount(classes, minlength=scores.shape[1])
    if counts.min() < _FEWEST:
        return ()
    watched = [1] if scores.shape[1] == 2 else range(scores.shape[1])
    return tuple(learn(scores[:, k], (classes == k).astype(float)) for k in watched)


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


def sigmoid(scores: Floats, happened: Floats) -> Curve:
    """Learn a line between the log-odds of what is said and of what comes true, by Newton steps.

    A weak pull towards "as said" keeps it finite where all scores tell the two apart.
    """
    odds = _log_odds(scores)
    design, line = np.column_stack([np.ones_like(odds), odds]), np.array([0.0, 1.0])
    for _ in range(_STEPS):
        given = _share(design @ line)
        gradient = design.T @ (happened - given) - (line - [0.0, 1.0])
        curvature = (design * (given * (1 - given))[:, None]).T @ design + np.eye(2)
        line = line + np.clip(np.linalg.solve(curvature, gradient), -1, 1)
    line[1] = max(line[1], 0.0)  # a curve never falls
    grid = np.linspace(-_FURTHEST, _FURTHEST, _POINTS)
    shares = _share(line[0] + line[1] * grid)
    return Curve(scores=tuple(_share(grid).tolist()), shares=tuple(shares.tolist()))


def _log_odds(scores: Floats) -> Floats:
    inside = np.clip(scores, _share(np.array(-_FURTHEST)), _share(np.array(_FURTHEST)))
    return np.asarray(np.log(inside / (1 - inside)))


def _share(odds: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-odds)))


def miscalibration(curves: Sequence[Curve], probabilities: Floats, truth: Floats) -> float:
    """Give the mean Brier score over all classes; what it lacks of another's is calibration."""
    known = np.isfinite(probabilities).all(axis=1) & np.isfinite(truth)
    given = calibrated(curves, probabilities[known])
    happened = np.eye(probabilities.shape[1])[truth[known].astype(int)]
    return float(((given - happened) ** 2).sum(axis=1).mean()) if known.any() else 0.0


def _worth(curve: Curve, scores: Floats) -> Floats:
    return np.asarray(np.interp(scores, curve.scores, curve.shares))


def isotonic(scores: Floats, happened: Floats) -> Curve:
    """Learn any curve that never falls; beyond the scores seen it stays level."""
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
