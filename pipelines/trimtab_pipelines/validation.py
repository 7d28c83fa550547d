"""Validate: choose the best candidate that did not learn its rows by heart."""

from collections.abc import Sequence

import numpy as np
from sklearn.metrics import r2_score, roc_auc_score

from trimtab.records.contracts import Task
from trimtab.records.reference import LABEL
from trimtab.settings.project import ModelSettings

from .check import Checked
from .contenders import baseline_of
from .errors import NoCandidateError
from .fitting import Fitted, predictor_of

_GROUPS = 10
"""Of rows, by which probabilities are compared with what came true."""


def baseline_loss(checked: Checked, candidate: Fitted, model: ModelSettings) -> float:
    """Give the loss, on the validation rows, of who knows only the labels of the training rows.

    Without labels it is the candidate's own, were there nothing to find.
    """
    fitted = candidate.fitted
    predictor = predictor_of(candidate.contract, candidate.pipeline)
    sample = checked.inputs.assign(**{LABEL: checked.labels}).iloc[:fitted]
    found = baseline_of(predictor, sample).losses(
        model.metric, checked.inputs.iloc[fitted:], checked.labels.iloc[fitted:]
    )
    return float(found.mean())


def choose(candidates: Sequence[Fitted], baseline: float, model: ModelSettings) -> Fitted:
    """Choose the candidate with the lowest validation loss within the overfitting guard.

    Without labels there is nothing that could be learned by heart. Raises NoCandidateError when
    every candidate is beyond it.
    """
    allowed = model.train.max_gap * baseline
    if not model.task.has_labels:
        allowed = np.inf
    sound = [c for c in candidates if np.isfinite(c.validation_loss) and c.gap <= allowed]
    if not sound:
        gaps = ", ".join(f"{c.name} {c.gap:.4g}" for c in candidates)
        raise NoCandidateError(
            f"Every candidate learned its rows by heart: {model.metric} is worse on validation "
            f"rows by more than {allowed:.4g} ({gaps}). Get more rows, exclude columns that "
            "identify rows, or raise train.max_gap."
        )
    return min(sound, key=lambda candidate: candidate.validation_loss)


def calibration_error(candidate: Fitted, checked: Checked) -> float | None:
    """Tell by how much probabilities differ from what came true, on validation rows; 0 to 1.

    The mean difference over ten groups of equally many rows, by the probability of the second
    class or, of many classes, of the one that was named. Naeini, Cooper and Hauskrecht, "Obtaining
    well calibrated probabilities using Bayesian binning" (2015). None where there are none.
    """
    return _calibration_error(candidate, checked, slice(candidate.fitted, None))


def _calibration_error(candidate: Fitted, checked: Checked, rows: slice) -> float | None:
    shares = candidate.answers.probabilities
    if shares is None or not candidate.contract.task.is_classification:
        return None
    said, truth = shares[rows], checked.truth[rows]
    is_binary = candidate.contract.task is Task.BINARY
    sure = said[:, 1] if is_binary else said.max(axis=1)
    happened = (truth == 1) if is_binary else (truth == said.argmax(axis=1))
    order = np.argsort(sure, kind="stable")
    groups = [group for group in np.array_split(order, _GROUPS) if len(group)]
    differences = [abs(sure[group].mean() - happened[group].mean()) for group in groups]
    return float(np.average(differences, weights=[len(group) for group in groups]))


def metrics(candidate: Fitted, checked: Checked, metric: str) -> dict[str, float]:
    """Measure a candidate on its training and on its validation rows: `validation.auc`."""
    parts = {
        "train": slice(None, candidate.fitted),
        "validation": slice(candidate.fitted, None),
    }
    found: dict[str, float] = {"gap": candidate.gap}
    for part, rows in parts.items():
        found[f"{part}.{metric}"] = float(candidate.losses[rows].mean())
        for name, value in _measures(candidate, checked, rows).items():
            found[f"{part}.{name}"] = value
    return {name: value for name, value in found.items() if np.isfinite(value)}


def _measures(candidate: Fitted, checked: Checked, rows: slice) -> dict[str, float]:
    if candidate.contract.task is Task.CLUSTERING:
        return _of_clusters(candidate, rows)
    if candidate.contract.task is Task.ANOMALY:
        return _of_scores(candidate, rows)
    if candidate.contract.task is Task.EMBEDDING:
        return {"dimensions": float(len(candidate.contract.classes))}
    truth = checked.truth[rows]
    if candidate.answers.probabilities is None:
        return _of_numbers(np.asarray(candidate.answers.predictions, dtype=float)[rows], truth)
    probabilities = candidate.answers.probabilities[rows]
    found = {"accuracy": float((probabilities.argmax(axis=1) == truth).mean())}
    off = _calibration_error(candidate, checked, rows)
    if off is not None:
        found["calibration_error"] = off
    if len(np.unique(truth)) == probabilities.shape[1]:  # else there is no such area
        is_binary = checked.contract.task is Task.BINARY
        scores = probabilities[:, 1] if is_binary else probabilities
        found["auc"] = float(roc_auc_score(truth, scores, multi_class="ovr"))
    return found


def _of_numbers(predicted: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    error = predicted - truth
    return {
        "rmse": float(np.sqrt((error**2).mean())),
        "mae": float(np.abs(error).mean()),
        "r2": float(r2_score(truth, predicted)) if len(truth) > 1 else float("nan"),
    }


def _of_clusters(candidate: Fitted, rows: slice) -> dict[str, float]:
    predictions = np.asarray(candidate.answers.predictions, dtype=int)[rows]
    shares = np.bincount(predictions, minlength=len(candidate.contract.classes)) / len(predictions)
    distances = candidate.answers.probabilities
    assert distances is not None  # clusters have them
    return {
        "distance": float(distances[rows].min(axis=1).mean()),
        "largest_cluster": float(shares.max()),
        "smallest_cluster": float(shares.min()),
    }


def _of_scores(candidate: Fitted, rows: slice) -> dict[str, float]:
    scores = np.asarray(candidate.answers.predictions, dtype=float)[rows]
    return {
        "anomaly_rate": float((scores > (candidate.contract.threshold or 0.0)).mean()),
        "score": float(scores.mean()),
    }
