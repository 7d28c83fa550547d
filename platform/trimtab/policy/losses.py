"""Losses, row by row: one arithmetic for training, gate and monitor; lower is better."""

from collections.abc import Sequence

import numpy as np

from trimtab.records.contracts import Contract, Task

_SMALLEST = 1e-7
"""No probability counts as less, so that one sure and wrong answer costs 16, not infinity."""


def losses(
    metric: str,
    contract: Contract,
    probabilities: np.ndarray | None,
    predictions: Sequence[object] | np.ndarray,
    labels: Sequence[object] | np.ndarray,
    *,
    is_unknown_wrong: bool = False,
) -> np.ndarray:
    """Give each row's loss; NaN where the label is no class, no number or absent.

    With `is_unknown_wrong`, a label that is no class of the model is one that it gave no chance.

    Without labels there are three. `ambiguity` of clusters is a row's distance from the centre of
    its own one over that of the next, 0 to 1, the same whatever the scale and however many
    clusters: one less the simplified silhouette (Hruschka, de Castro and Campello, 2004).
    `rate_shift` of anomalies has as its mean by how much their share differs from the one expected.
    `reconstruction_error` of embeddings is the answer itself.

    Raises ValueError for a metric that does not exist or does not fit the task.
    """
    match metric:
        case "log_loss" | "brier" if probabilities is not None:
            truth = class_indices(contract, labels)
            score = _log_loss if metric == "log_loss" else _brier
            unknown = 0.0 if is_unknown_wrong else np.nan
            return score(np.asarray(probabilities, dtype=float), truth, unknown)
        case "squared_error" | "absolute_error" if contract.task is Task.REGRESSION:
            error = np.asarray(predictions, dtype=float) - numbers(labels)
            return np.asarray(error**2 if metric == "squared_error" else np.abs(error))
        case "ambiguity" if contract.task is Task.CLUSTERING and probabilities is not None:
            return _ambiguity(np.asarray(probabilities, dtype=float))
        case "rate_shift" if contract.threshold is not None and contract.expected_rate is not None:
            is_anomaly = np.asarray(predictions, dtype=float) > contract.threshold
            excess = is_anomaly - contract.expected_rate
            return np.asarray(excess if excess.mean() >= 0 else -excess)
        case "reconstruction_error" if contract.task is Task.EMBEDDING:
            return np.asarray(predictions, dtype=float)
    raise ValueError(f"{metric!r} is no loss of a {contract.task} model")


def losses_by_class(metric: str, probabilities: np.ndarray) -> np.ndarray:
    """Give what each row's loss would be if each class were true: rows by classes.

    Raises ValueError for a metric that is none of probabilities.
    """
    if metric not in ("log_loss", "brier"):
        raise ValueError(f"{metric!r} is no loss of probabilities")
    score = _log_loss if metric == "log_loss" else _brier
    rows, classes = probabilities.shape
    return np.column_stack([score(probabilities, np.full(rows, k), np.nan) for k in range(classes)])


def class_indices(contract: Contract, labels: Sequence[object] | np.ndarray) -> np.ndarray:
    """Find each label's index among the contract's classes; NaN where it is none of them."""
    known: dict[object, float] = {}
    found = np.empty(len(labels))
    for row, label in enumerate(labels):
        key = (type(label), label)  # True == 1, and yet a class may be written either way
        if key not in known:
            index = contract.class_of(label)
            known[key] = np.nan if index is None else float(index)
        found[row] = known[key]
    return found


def numbers(labels: Sequence[object] | np.ndarray) -> np.ndarray:
    """Read labels as numbers; NaN where one is none."""
    return np.array([_number(label) for label in labels], dtype=float)


def _number(label: object) -> float:
    try:
        number = float(str(label))
    except ValueError:
        return float("nan")
    return number if np.isfinite(number) else float("nan")


def _log_loss(probabilities: np.ndarray, truth: np.ndarray, unknown: float) -> np.ndarray:
    chosen = _of_truth(probabilities, truth, unknown)
    return np.asarray(-np.log(np.clip(chosen, _SMALLEST, 1.0)))


def _brier(probabilities: np.ndarray, truth: np.ndarray, unknown: float) -> np.ndarray:
    """Squared distance from the truth; halved for two classes, where both say the same."""
    of_truth = _of_truth(probabilities, truth, unknown)
    distance: np.ndarray = (probabilities**2).sum(axis=1) - 2 * of_truth + 1
    return distance / 2 if probabilities.shape[1] == 2 else distance


def _ambiguity(distances: np.ndarray) -> np.ndarray:
    nearest = np.sort(distances, axis=1)[:, :2]
    own, next_ = nearest[:, 0], nearest[:, 1]
    return np.asarray(np.divide(own, next_, out=np.ones(len(own)), where=next_ > 0))


def _of_truth(probabilities: np.ndarray, truth: np.ndarray, unknown: float) -> np.ndarray:
    """Take the probability of what was true; `unknown` where that is no class."""
    is_known = ~np.isnan(truth)
    chosen = np.full(len(truth), unknown)
    rows = np.flatnonzero(is_known)
    chosen[rows] = probabilities[rows, truth[rows].astype(int)]
    chosen[~np.isfinite(probabilities).all(axis=1)] = np.nan
    return chosen
