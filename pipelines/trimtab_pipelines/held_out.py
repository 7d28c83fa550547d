"""What models say of rows they have not seen, and which columns they need for it."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from trimtab.adapters.predictor import Answers, answers_of
from trimtab.policy.losses import losses
from trimtab.records.contracts import Contract, Task
from trimtab.settings.learning import Metric
from trimtab.settings.project import ModelSettings

from .check import Checked
from .folds import Fold
from .unlabelled import settled

_ROWS = 800
"""So many rows of a block, by chance, have their columns permuted ..."""
_REPEATS = 3
"""... so many times: what is left of chance is small beside what matters, and the cost bounded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """All training rows, each answered by a model that was not fitted on it."""

    contract: Contract
    """With what only such answers can tell: how many of them are anomalies."""
    answers: Answers
    importance: dict[str, float]
    """Share of each input in what the answers rest on; the sum is 1."""


def hold_out(folds: Iterable[Fold], checked: Checked, model: ModelSettings) -> HeldOut:
    """Answer each fold's rows by its model, and permute its columns.

    Folds are taken one by one and must be in the order of the rows.
    """
    outputs, increases = [], []
    random = np.random.default_rng(model.train.seed)
    for fold in folds:
        rows = checked.inputs.iloc[fold.rows]
        outputs.append(fold.ask(rows))
        increases.append(_increases(fold, checked, model.metric, random))
    names = checked.contract.schema.names
    mean = np.average([found for _, found in increases], weights=[n for n, _ in increases], axis=0)
    output = np.concatenate(outputs)
    contract = settled(checked.contract, output, model.train)
    return HeldOut(
        contract=contract,
        answers=answers_of(contract, output),
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

    Without labels: how many rows change their cluster, or by how much they become more or less
    odd or harder to reconstruct.

    Breiman, "Random Forests" (2001), for any model: Fisher, Rudin and Dominici, "All Models are
    Wrong, but Many are Useful" (2019).
    """
    block = np.arange(fold.rows.start, fold.rows.stop)
    chosen = np.sort(random.permutation(block)[:_ROWS])
    labels = np.tile(checked.labels.iloc[chosen].to_numpy(dtype=object), _REPEATS)
    inputs = checked.inputs.iloc[np.tile(chosen, _REPEATS)].reset_index(drop=True)

    usual, found = fold.ask(inputs), []
    for name in checked.contract.schema.names:
        order = [random.permutation(len(chosen)) + n * len(chosen) for n in range(_REPEATS)]
        values = inputs[name].take(np.concatenate(order)).set_axis(inputs.index)
        permuted = inputs.copy()
        permuted[name] = values  # `assign` takes no column whose name is `self`
        output = fold.ask(permuted)
        found.append(float(_harm(checked.contract, output, usual, metric, labels).mean()))
    return len(chosen), np.array(found)


def _harm(
    contract: Contract, output: np.ndarray, usual: np.ndarray, metric: Metric, labels: np.ndarray
) -> np.ndarray:
    """Tell of each row what other values of a column did to its answer."""
    match contract.task:
        case Task.CLUSTERING:
            return np.asarray(output.argmin(axis=1) != usual.argmin(axis=1), dtype=float)
        case Task.ANOMALY:
            return np.asarray(np.abs(output - usual))
        case Task.EMBEDDING:
            return np.asarray(np.abs(output - usual)[:, -1])
    worse, before = (_losses(contract, said, metric, labels) for said in (output, usual))
    return np.asarray(worse - before)


def _losses(
    contract: Contract, output: np.ndarray, metric: Metric, labels: np.ndarray
) -> np.ndarray:
    answers = answers_of(contract, output)
    return losses(metric, contract, answers.probabilities, answers.predictions, labels)
