"""What models say of rows they have not seen, and which columns they need for it."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from trimtab.adapters.predictor import Answers, answers_of
from trimtab.policy.losses import losses
from trimtab.records.contracts import Contract
from trimtab.settings.project import Metric

from .check import Checked
from .folds import Fold

_ROWS = 800
"""So many rows of a block, by chance, have their columns permuted ..."""
_REPEATS = 3
"""... so many times: what is left of chance is small beside what matters, and the cost bounded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """All training rows, each answered by a model that was not fitted on it."""

    answers: Answers
    importance: dict[str, float]
    """Share of each input in what the answers rest on; the sum is 1."""


def hold_out(folds: Iterable[Fold], checked: Checked, metric: Metric, seed: int) -> HeldOut:
    """Answer each fold's rows by its model, and permute its columns.

    Folds are taken one by one and must be in the order of the rows.
    """
    outputs, increases = [], []
    random = np.random.default_rng(seed)
    for fold in folds:
        rows = checked.inputs.iloc[fold.rows]
        outputs.append(fold.ask(rows))
        increases.append(_increases(fold, checked, metric, random))
    names = checked.contract.schema.names
    mean = np.average([found for _, found in increases], weights=[n for n, _ in increases], axis=0)
    return HeldOut(
        answers=answers_of(checked.contract, np.concatenate(outputs)),
        importance=dict(zip(names, shares(mean).tolist(), strict=True)),
    )


def shares(increases: np.ndarray) -> np.ndarray:
    """Clip what is negative, which is chance, and share out the rest; equally where none is left.

    >>> shares(np.array([3.0, -1.0, 1.0])).tolist()
    [0.75, 0.0, 0.25]
    """
    gains = np.clip(np.nan_to_num(increases, nan=0.0, posinf=0.0), 0.0, None)
    total = gains.sum()
    return np.asarray(gains / total if total > 0 else np.full(len(gains), 1 / len(gains)))


def _increases(
    fold: Fold, checked: Checked, metric: Metric, random: np.random.Generator
) -> tuple[int, np.ndarray]:
    """Tell by how much the loss of some held-out rows grows when each column is permuted.

    Breiman, "Random Forests" (2001), for any model: Fisher, Rudin and Dominici, "All Models are
    Wrong, but Many are Useful" (2019).
    """
    block = np.arange(fold.rows.start, fold.rows.stop)
    chosen = np.sort(random.permutation(block)[:_ROWS])
    labels = np.tile(checked.labels.iloc[chosen].to_numpy(dtype=object), _REPEATS)
    inputs = checked.inputs.iloc[np.tile(chosen, _REPEATS)].reset_index(drop=True)

    def loss(frame: pd.DataFrame) -> np.ndarray:
        return _losses(checked.contract, fold.ask(frame), metric, labels)

    usual, found = loss(inputs), []
    for name in checked.contract.schema.names:
        order = [random.permutation(len(chosen)) + n * len(chosen) for n in range(_REPEATS)]
        values = inputs[name].take(np.concatenate(order)).set_axis(inputs.index)
        found.append(float((loss(inputs.assign(**{name: values})) - usual).mean()))
    return len(chosen), np.array(found)


def _losses(
    contract: Contract, output: np.ndarray, metric: Metric, labels: np.ndarray
) -> np.ndarray:
    answers = answers_of(contract, output)
    return losses(metric, contract, answers.probabilities, answers.predictions, labels)
