"""The plots of a run, and a table: how good the chosen candidate is, and what it looks at."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.calibration import calibration_curve
from sklearn.metrics import roc_curve

from trimtab.records.contracts import Task

from .check import Checked
from .fitting import Fitted
from .held_out import HeldOut

_MOST_POINTS = 2_000
_MOST_BARS = 20


def draw(folder: Path, chosen: Fitted, held_out: HeldOut, checked: Checked) -> None:
    """Draw the plots of the validation rows as PNG files; importance is a table as well."""
    folder.mkdir()
    rows = slice(chosen.fitted, None)
    truth = checked.truth[rows]
    if not checked.contract.task.has_labels:
        _save(folder / "answers.png", lambda axes: _unlabelled(axes, held_out, checked))
    elif checked.contract.task is Task.REGRESSION:
        predicted = np.asarray(chosen.answers.predictions, dtype=float)[rows]
        _save(folder / "predicted.png", lambda axes: _predicted(axes, truth, predicted))
    elif chosen.answers.probabilities is not None:
        sure, is_right = _sureness(chosen.answers.probabilities[rows], truth, checked)
        _save(folder / "calibration.png", lambda axes: _calibration(axes, is_right, sure))
        if len(np.unique(is_right)) == 2:
            _save(folder / "roc.png", lambda axes: _roc(axes, is_right, sure))
    columns = pd.Series(held_out.importance, name="importance").rename_axis("column")
    columns = columns.sort_values(ascending=False, kind="stable")
    columns.to_csv(folder / "importance.csv")
    _save(folder / "importance.png", lambda axes: _importance(axes, columns))


def _sureness(
    probabilities: np.ndarray, truth: np.ndarray, checked: Checked
) -> tuple[np.ndarray, np.ndarray]:
    """For two classes the probability of the second; for more, that of the class chosen."""
    if checked.contract.task is Task.BINARY:
        return probabilities[:, 1], truth
    return probabilities.max(axis=1), (probabilities.argmax(axis=1) == truth).astype(int)


def _save(path: Path, plot: Callable[[Axes], None]) -> None:
    figure = Figure(figsize=(5, 4), dpi=100, layout="constrained")
    plot(figure.subplots())
    figure.savefig(path)


def _calibration(axes: Axes, truth: np.ndarray, predicted: np.ndarray) -> None:
    happened, said = calibration_curve(truth, predicted, n_bins=10, strategy="quantile")
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1)
    axes.plot(said, happened, marker="o")
    axes.set(xlabel="predicted probability", ylabel="share that came true", title="Calibration")


def _roc(axes: Axes, truth: np.ndarray, predicted: np.ndarray) -> None:
    false_alarms, hits, _ = roc_curve(truth, predicted)
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1)
    axes.plot(false_alarms, hits)
    axes.set(xlabel="false positive rate", ylabel="true positive rate", title="ROC")


def _predicted(axes: Axes, truth: np.ndarray, predicted: np.ndarray) -> None:
    step = max(1, len(truth) // _MOST_POINTS)
    axes.scatter(predicted[::step], truth[::step], s=4)
    axes.axline((float(truth.mean()), float(truth.mean())), slope=1, color="grey", linewidth=1)
    axes.set(xlabel="predicted", ylabel="actual", title="Predicted and actual")


def _unlabelled(axes: Axes, held_out: HeldOut, checked: Checked) -> None:
    answers = np.asarray(held_out.answers.predictions, dtype=float)
    if checked.contract.task is Task.CLUSTERING:
        numbers, counts = np.unique(answers.astype(int), return_counts=True)
        axes.bar([str(number) for number in numbers], counts)
        axes.set(xlabel="cluster", ylabel="rows", title="Rows of each cluster")
        return
    axes.hist(answers, bins=50)
    if checked.contract.task is Task.EMBEDDING:
        axes.set(xlabel="reconstruction error", ylabel="rows", title="What is lost of rows")
        return
    axes.axvline(checked.contract.threshold or 0.0, color="grey", linewidth=1)
    axes.set(xlabel="score", ylabel="rows", title="How odd rows are")


def _importance(axes: Axes, columns: "pd.Series[float]") -> None:
    top = columns.head(_MOST_BARS)[::-1]
    axes.barh([_plain(str(name)) for name in top.index], top.to_numpy())
    axes.tick_params(axis="y", labelsize=6)
    axes.set(xlabel="share", title="What the answers rest on")


def _plain(name: str) -> str:
    """Matplotlib reads text between dollar signs as mathematics."""
    return name.replace("$", r"\$")[:40]
