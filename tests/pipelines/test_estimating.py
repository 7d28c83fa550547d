"""Estimators of a loss without labels: right while only inputs change, and honestly blind else."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
import xgboost as xgb

from trimtab.policy.estimating import Answered, estimate, estimated_losses
from trimtab.policy.grading import grade
from trimtab.policy.loss_trees import expected_losses, features_of, matrix
from trimtab.policy.losses import losses
from trimtab.records.contracts import Contract, Task
from trimtab.records.documents import from_json, to_json
from trimtab.records.estimates import Estimator, Method
from trimtab.records.schema import Column, ColumnType, Schema
from trimtab_pipelines.estimating import KnownRows, fit_estimator
from trimtab_pipelines.tree_fitting import fit_trees

DAY = timedelta(days=1)
ROWS_A_DAY = 400
LABELLED = [task for task in Task if task.has_labels]
SCHEMA = Schema(
    columns=(
        Column(name="wind", type=ColumnType.DOUBLE, required=False),
        Column(name="carrier", type=ColumnType.STRING, required=False),
    )
)


def contract(task: Task) -> Contract:
    classes = {Task.BINARY: (0, 1), Task.MULTICLASS: (0, 1, 2)}.get(task, ())
    return Contract(model="m", task=task, target="y", schema=SCHEMA, classes=classes)


def rows_of(
    task: Task,
    rows: int,
    seed: int,
    *,
    wind: float = 0.0,
    memory: float = 0.0,
    flipped: bool = False,
) -> KnownRows:
    """A world and a model of it; both `wind` and `carrier` say how hard a row is to answer.

    `wind` moves what is asked, `flipped` changes what is true, `memory` makes neighbours alike.
    """
    rng = np.random.default_rng(seed)
    shared = np.repeat(rng.normal(size=rows // 20 + 1), 20)[:rows]
    blown = wind + memory * shared + np.sqrt(1 - memory**2) * rng.normal(size=rows)
    carrier = rng.choice(["AA", "B6"], size=rows)
    inputs = pd.DataFrame({"wind": blown, "carrier": carrier})
    times = pd.Series(pd.date_range("2024-01-01", periods=rows, freq=DAY / ROWS_A_DAY, tz="UTC"))
    if task is Task.REGRESSION:
        spread = np.exp(0.5 * blown) * np.where(carrier == "AA", 1.0, 3.0)
        predicted = np.sin(blown)
        truth = predicted + spread * rng.normal(size=rows) + (5.0 if flipped else 0.0)
        answered = Answered(inputs=inputs, predictions=predicted, probabilities=None)
        found = losses("absolute_error", contract(task), None, predicted, truth)
        return KnownRows(answered=answered, truth=truth, losses=found, times=times)
    logits = np.column_stack([np.zeros(rows), blown, np.where(carrier == "AA", 1.0, -1.0)])
    logits = logits[:, : len(contract(task).classes)]
    honest = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    happened = (rng.uniform(size=(rows, 1)) > honest.cumsum(axis=1)[:, :-1]).sum(axis=1)
    if flipped:
        happened = (happened + 1) % logits.shape[1]
    said = honest**2 / (honest**2).sum(axis=1, keepdims=True)  # a model that is too sure
    answered = Answered(inputs=inputs, predictions=np.full(rows, np.nan), probabilities=said)
    found = losses("log_loss", contract(task), said, happened, happened)
    return KnownRows(answered=answered, truth=happened.astype(float), losses=found, times=times)


def fitted(task: Task, *, days: int = 20, memory: float = 0.0, seed: int = 0) -> Estimator:
    metric = "log_loss" if task.is_classification else "absolute_error"
    known = rows_of(task, days * ROWS_A_DAY, seed, memory=memory)
    found = fit_estimator(contract(task), metric, known, window=DAY, false_alarms=1 / 20, seed=0)
    assert found is not None
    return found


def estimates(estimator: Estimator, task: Task, rows: KnownRows) -> np.ndarray:
    return estimated_losses(estimator, contract(task), rows.answered)


@pytest.mark.parametrize("task", LABELLED)
def test_the_estimate_follows_what_is_asked(task: Task) -> None:
    estimator = fitted(task)

    missed, off = 0.0, 0.0
    for wind in (-3.0, 3.0) if task.is_classification else (-1.0, 1.0):
        rows = rows_of(task, 8000, 1, wind=wind)
        measured, found = rows.losses.mean(), estimates(estimator, task, rows).mean()
        assert found == pytest.approx(measured, rel=0.15)
        missed, off = missed + abs(found - measured), off + abs(estimator.expected - measured)

    assert missed < 0.5 * off  # as it would be if nothing were estimated


@pytest.mark.parametrize("task", LABELLED)
@pytest.mark.parametrize("memory", [0.0, 0.9])
def test_intervals_hold_and_limits_keep_to_the_budget(task: Task, memory: float) -> None:
    held, alarms, windows = 0, 0, 150
    estimator = fitted(task, memory=memory, days=40)
    later = rows_of(task, windows * ROWS_A_DAY, 1, memory=memory)
    expected = estimates(estimator, task, later)

    for start in range(0, windows * ROWS_A_DAY, ROWS_A_DAY):
        window = slice(start, start + ROWS_A_DAY)
        found = grade(estimator, expected[window], later.losses[window])
        assert found is not None
        held += found.held
        alarms += expected[window].mean() > estimator.limit

    assert held / windows >= 0.82  # 0.9 is promised; 40 windows leave some doubt
    assert alarms / windows <= 0.10  # 1 in 20 is the budget


@pytest.mark.parametrize("task", LABELLED)
def test_a_world_that_answers_otherwise_is_not_seen(task: Task) -> None:
    estimator = fitted(task)
    changed = rows_of(task, 4000, 1, flipped=True)

    found = estimates(estimator, task, changed)

    assert changed.losses.mean() > 1.3 * estimator.expected
    assert found.mean() < estimator.limit  # which is why its grade has to be shown
    graded = grade(estimator, found, changed.losses)
    assert graded is not None
    assert not graded.held


def test_an_honest_model_is_left_as_it_is_and_one_too_sure_is_bent() -> None:
    sure = rows_of(Task.BINARY, 8000, 0)
    rng = np.random.default_rng(5)
    honest = rng.uniform(size=8000)
    table = np.column_stack([1 - honest, honest])
    truth = (rng.uniform(size=8000) < honest).astype(float)
    answered = Answered(
        inputs=sure.answered.inputs, predictions=sure.answered.predictions, probabilities=table
    )
    calibrated = KnownRows(
        answered=answered,
        truth=truth,
        losses=losses("brier", contract(Task.BINARY), table, truth, truth.astype(int)),
        times=None,
    )

    straight, bent = (
        fit_estimator(contract(Task.BINARY), "brier", rows, window=DAY, false_alarms=0.05, seed=0)
        for rows in (calibrated, sure)
    )

    assert straight is not None
    assert bent is not None
    assert (straight.curves, len(bent.curves)) == ((), 1)


def test_trees_as_numbers_answer_as_xgboost_does() -> None:
    rows = rows_of(Task.REGRESSION, 3000, 0)
    asked = rows.answered
    inputs = asked.inputs.copy()
    inputs.loc[::7, "wind"] = np.nan
    features = features_of(inputs, rows.losses, SCHEMA)
    values = matrix(features, inputs, asked.predictions, SCHEMA)

    found = fit_trees(features, values, rows.losses, 0)

    booster = xgb.train(
        {"max_depth": 2, "eta": 0.1, "subsample": 0.7, "min_child_weight": 50, "base_score": 0.0,
         "nthread": 1, "seed": 0},
        xgb.DMatrix(values, label=rows.losses - rows.losses.mean()), num_boost_round=40,
    )  # fmt: skip
    theirs = booster.predict(xgb.DMatrix(values)) + rows.losses.mean()
    ours = expected_losses(found, values)
    assert ours == pytest.approx(np.clip(theirs, found.low, found.high), abs=1e-4)
    assert len(np.unique(ours)) > 20


@pytest.mark.parametrize("task", LABELLED)
def test_an_estimator_is_plain_numbers_and_the_same_each_time(task: Task) -> None:
    found = fitted(task, days=4)

    assert found == fitted(task, days=4) == from_json(Estimator, to_json(found))
    assert found.method is (Method.DLE if task is Task.REGRESSION else Method.CBPE)
    assert len(to_json(found)) < 40_000


@pytest.mark.parametrize("task", LABELLED)
def test_too_few_rows_fit_nothing(task: Task) -> None:
    metric = "log_loss" if task.is_classification else "absolute_error"
    rows = rows_of(task, 199, 0)

    assert fit_estimator(
        contract(task), metric, rows, window=DAY, false_alarms=0.05, seed=0
    ) is None  # fmt: skip


@pytest.mark.parametrize("known", [200, 237])
def test_odd_rows_are_left_out_and_one_window_is_enough(known: int) -> None:
    rows = rows_of(Task.MULTICLASS, 400, 0)
    table = rows.answered.probabilities
    assert table is not None
    table[known:] = np.nan
    rows.losses[known:] = np.nan

    found = fit_estimator(
        contract(Task.MULTICLASS), "log_loss", rows, window=DAY, false_alarms=0.05, seed=0
    )

    assert found is not None
    assert np.isfinite([found.expected, found.limit, found.margin]).all()
    assert found.limit >= found.expected
    expected = estimates(found, Task.MULTICLASS, rows)
    assert np.isfinite(expected).sum() == known
    asked = (found, contract(Task.MULTICLASS), rows.answered, expected)
    assert estimate(*asked, rows_needed=known + 1) is None
    told = estimate(*asked, rows_needed=known)
    assert told is not None
    assert (told.rows, round(sum(map(sum, told.confusion)))) == (known, known)
