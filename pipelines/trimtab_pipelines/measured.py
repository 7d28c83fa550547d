"""What a contender did on labelled rows: each row's loss, and what its answer was worth."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trimtab.policy.losses import class_indices, losses
from trimtab.records.contracts import Contract, Task


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Measured:
    """Of the same rows, one value each."""

    losses: np.ndarray
    said: np.ndarray | None = None
    """How likely the answer was said to be, 0 to 1: of two classes that of the second, of more
    that of the class answered; None for numbers and without labels."""
    happened: np.ndarray | None = None
    """Whether it came true: 1 or 0, NaN where the label is neither of two classes."""
    unknown: int = 0
    """Rows whose label is no class of the contender: one that it gave no chance."""


def measure(
    metric: str,
    contract: Contract,
    probabilities: np.ndarray | None,
    predictions: Sequence[object] | np.ndarray,
    truth: np.ndarray,
) -> Measured:
    """Measure answers by their labels.

    A class that a model does not know is one to which it gives the probability 0: that is a finite
    loss, the same for all who do not know it, and a version that has learned it is rightly better.
    """
    found = losses(metric, contract, probabilities, predictions, truth, is_unknown_wrong=True)
    if probabilities is None or not contract.task.is_classification:
        return Measured(losses=found)
    classes = class_indices(contract, truth)
    unknown = int(np.isnan(classes).sum())
    if contract.task is Task.BINARY:
        return Measured(losses=found, said=probabilities[:, 1], happened=classes, unknown=unknown)
    happened = (probabilities.argmax(axis=1) == classes).astype(float)
    return Measured(
        losses=found, said=probabilities.max(axis=1), happened=happened, unknown=unknown
    )
