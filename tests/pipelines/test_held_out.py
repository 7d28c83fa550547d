"""Answers of models that have not seen the row, and what the answers rest on."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.policy.drift.adding import readings_of, sum_up
from trimtab.policy.drift.broken import Sample
from trimtab.policy.drift.judging import judge
from trimtab.policy.reference import build_reference
from trimtab.records.reference import OUTPUT
from trimtab.records.schema import ColumnType
from trimtab.records.verdicts import FindingKind
from trimtab.settings.project import ModelSettings
from trimtab_pipelines.check import Checked, check
from trimtab_pipelines.fitting import Fitted, fit_candidates, predictor_of
from trimtab_pipelines.folds import FOLDS, Fold, fit_folds
from trimtab_pipelines.held_out import HeldOut, hold_out, shares
from trimtab_pipelines.version_folder import watched_output

MODELS = [
    ("binary", "logistic", "log_loss"),
    ("binary", "xgboost", "brier"),
    ("multiclass", "logistic", "brier"),
    ("multiclass", "xgboost", "log_loss"),
    ("regression", "ridge", "squared_error"),
    ("regression", "xgboost", "absolute_error"),
]


def data(task: str, rows: int = 900, seed: int = 0) -> pd.DataFrame:
    """`x` and `text` matter, `x` more; `noise`, `odd` and `flat` do not."""
    random = np.random.default_rng(seed)
    x, text = random.normal(size=rows), random.choice(["a", "b", "c"], rows)
    score = 2 * x + (text == "a") + random.normal(size=rows) / 2
    y = {
        "binary": score > 0,
        "multiclass": np.digitize(score, [-1, 1]),
        "regression": score,
    }[task]
    holed = pd.Series(random.choice(["p", "q"], rows)).mask(random.random(rows) < 0.3)
    noise = np.where(random.random(rows) < 0.2, np.nan, random.normal(size=rows))
    return pd.DataFrame({"x": x, "text": text, "noise": noise, "odd": holed, "flat": 1.0, "y": y})


def fitted(
    rows: pd.DataFrame, task: str, candidate: str, metric: str
) -> tuple[Fitted, Checked, ModelSettings]:
    model = ModelSettings.model_validate(
        {
            "task": task,
            "source": "x.csv",
            "target": "y",
            "train": {"candidates": [candidate]},
            "gate": {"metric": metric},
        }
    )
    older = len(rows) * 5 // 6
    checked = check(rows, older, "m", model)
    (best,) = fit_candidates(checked, older, model, lambda message: None)
    return best, checked, model


def held(best: Fitted, checked: Checked, model: ModelSettings) -> HeldOut:
    return hold_out(fit_folds(best, checked), checked, model)


@pytest.mark.parametrize(("task", "candidate", "metric"), MODELS)
def test_importance_names_what_the_answers_rest_on(task: str, candidate: str, metric: str) -> None:
    found = held(*fitted(data(task), task, candidate, metric)).importance

    assert list(found) == ["x", "text", "noise", "odd", "flat"]
    assert sum(found.values()) == pytest.approx(1)
    assert found["x"] > 0.5
    assert found["x"] > found["text"] > max(found["noise"], found["odd"])
    assert found["flat"] == 0.0


def test_every_row_is_answered_by_a_model_that_has_not_seen_it() -> None:
    best, checked, _ = fitted(data("regression"), "regression", "xgboost", "squared_error")
    folds = list(fit_folds(best, checked))

    assert [fold.rows.stop for fold in folds[:-1]] == [fold.rows.start for fold in folds[1:]]
    assert (folds[0].rows.start, folds[-1].rows.stop) == (0, len(checked.inputs))
    assert len(folds) == FOLDS
    truth = checked.truth.copy()
    truth[folds[2].rows] += 1e6  # whoever has seen these rows would now say so
    checked_otherwise = Checked(
        contract=checked.contract,
        inputs=checked.inputs,
        labels=checked.labels,
        truth=truth,
        notes=(),
    )
    block = checked.inputs.iloc[folds[2].rows]
    again = list(fit_folds(best, checked_otherwise))
    np.testing.assert_array_equal(again[2].ask(block), folds[2].ask(block))
    assert again[1].ask(block).mean() > 1e5


@pytest.mark.parametrize("candidate", ["logistic", "xgboost"])
@pytest.mark.parametrize("classes", [2, 3])
def test_a_class_that_occurs_in_one_block_alone_is_impossible_to_its_model(
    candidate: str, classes: int
) -> None:
    rows = data("multiclass").assign(y=lambda f: np.where(f["x"] > 0, "b", "c"))
    if classes == 2:
        rows["y"] = "b"
    rows.loc[200:230, "y"] = "a"
    task = "multiclass" if classes == 3 else "binary"
    best, checked, model = fitted(rows, task, candidate, "log_loss")

    folds = list(fit_folds(best, checked))
    block = folds[1].ask(checked.inputs.iloc[folds[1].rows])
    answers = held(best, checked, model).answers

    assert block.shape == (180, classes)
    assert (block[:, 0] == 0).all()
    np.testing.assert_allclose(block.sum(axis=1), 1, rtol=1e-6)
    assert answers.probabilities is not None
    assert answers.probabilities.shape == (900, classes)


def test_honest_traffic_is_no_output_drift_of_a_model_that_knows_its_rows_by_heart() -> None:
    random = np.random.default_rng(1)

    def noise(rows: int) -> pd.DataFrame:
        return pd.DataFrame({f"x{n}": random.normal(size=rows) for n in range(8)})

    inputs = noise(3000)
    rows = inputs.assign(y=(inputs["x0"] + 3 * random.normal(size=3000)) > 0)
    best, checked, model = fitted(rows, "binary", "xgboost", "log_loss")
    best.pipeline[-1].set_params(early_stopping_rounds=None)
    best.pipeline[-1].get_booster().set_attr(best_iteration="299")  # far too many trees
    final = predictor_of(checked.contract, best.recipe.refit(best.pipeline, inputs, checked.truth))
    live = noise(3000)
    live[OUTPUT] = watched_output(checked.contract, final.predict(live))
    types = {str(name): NUMBER for name in live}

    def drifts(output: np.ndarray) -> bool:
        reference = build_reference(
            checked.inputs,
            output,
            None,
            checked.contract.schema,
            importance={},
            window=timedelta(days=1),
            false_alarms=0.01,
            min_rows=500,
            seed=0,
        )
        readings = readings_of(live, reference, types, None)
        sample = Sample(readings=readings, summaries={})
        judged = judge(reference, types, sum_up(readings, reference, 3000, None), sample)
        (found,) = [f for f in judged.findings if f.column == OUTPUT]
        return found.kind is FindingKind.DRIFTED

    assert not drifts(watched_output(checked.contract, held(best, checked, model).answers))
    assert drifts(watched_output(checked.contract, final.predict(checked.inputs)))


NUMBER = ColumnType.DOUBLE


@settings(max_examples=30, deadline=None)
@given(
    used=st.sets(st.sampled_from(["x", "text", "noise", "odd"]), min_size=0),
    seed=st.integers(0, 1000),
)
def test_a_column_that_the_model_ignores_has_no_importance(used: set[str], seed: int) -> None:
    rows = data("regression", rows=150, seed=seed)
    model = ModelSettings.model_validate(
        {"task": "regression", "source": "x.csv", "target": "y", "train": {"seed": seed}}
    )
    checked = check(rows, 100, "m", model)

    def ask(frame: pd.DataFrame) -> np.ndarray:
        numbers = {
            name: frame[name].map(lambda value: float(ord(str(value)[0])))
            if frame[name].dtype == object
            else frame[name].fillna(9.0)
            for name in used
        }
        return np.asarray(sum((v % 7 for v in numbers.values()), pd.Series(0.0, frame.index)))

    folds = [Fold(rows=slice(n, n + 50), ask=ask) for n in (0, 50, 100)]
    found = hold_out(folds, checked, model).importance

    assert sum(found.values()) == pytest.approx(1)
    matters = {name for name, share in found.items() if share > 0}
    if matters <= used:
        assert all(found[name] == 0.0 for name in found if name not in used)
    else:  # nothing matters: what is used does no good either
        assert set(found.values()) == {1 / 5}


def test_where_nothing_matters_all_columns_count_alike() -> None:
    assert shares(np.array([-1.0, 0.0, -0.5, np.nan])).tolist() == [0.25] * 4


def test_the_same_seed_gives_the_same_importance() -> None:
    made = fitted(data("binary"), "binary", "xgboost", "log_loss")

    assert held(*made).importance == held(*made).importance


def test_a_column_may_have_any_name() -> None:
    rows = data("binary", rows=400).rename(columns={"x": "self"})
    best, checked, model = fitted(rows, "binary", "logistic", "log_loss")

    importance = held(best, checked, model).importance

    assert max(importance, key=lambda name: importance[name]) == "self"
