from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.adapters.predictor import Answers
from trimtab.settings.learning import Candidate, TrainSettings
from trimtab.settings.project import ModelSettings
from trimtab_pipelines.candidates import Recipe
from trimtab_pipelines.check import Checked, check
from trimtab_pipelines.errors import NoCandidateError
from trimtab_pipelines.fitting import Fitted, fit_candidates
from trimtab_pipelines.validation import baseline_loss, calibration_error, choose, metrics


def model(task: str = "binary", **changes: Any) -> ModelSettings:
    return ModelSettings.model_validate({"task": task, "source": "x.csv", "target": "y"} | changes)


def data(task: str, signal: float = 1.0, rows: int = 400) -> Checked:
    random = np.random.default_rng(0)
    x = random.normal(size=(rows, 5))
    score = signal * x[:, 0] + random.normal(size=rows)
    y = {
        "binary": score > 0,
        "multiclass": np.digitize(score, [-0.5, 0.5]),
        "regression": score,
    }[task]
    frame = pd.DataFrame(x, columns=[f"x{i}" for i in range(5)]).assign(y=y)
    return check(frame, int(rows * 0.75), "m", model(task))


def candidate(name: Candidate, train: float, validation: float) -> Fitted:
    checked = data("binary", rows=100)
    return Fitted(
        recipe=Recipe(
            candidate=name,
            contract=checked.contract,
            metric="log_loss",
            train=TrainSettings(),
        ),
        pipeline=None,
        contract=checked.contract,
        answers=Answers(predictions=[], probabilities=None),
        losses=np.array([train] * 3 + [validation]),
        fitted=3,
    )


def test_the_lowest_validation_loss_wins() -> None:
    better, worse = candidate("logistic", 0.45, 0.4), candidate("xgboost", 0.1, 0.42)

    assert choose([worse, better], 0.7, model()) is better


def test_a_candidate_that_knows_its_rows_by_heart_is_not_chosen() -> None:
    by_heart, honest = candidate("xgboost", 0.0, 0.36), candidate("logistic", 0.44, 0.45)

    assert choose([by_heart, honest], 0.7, model()) is honest
    assert choose([by_heart, honest], 0.7, model(train={"max_gap": 0.6})) is by_heart


@pytest.mark.parametrize("loss", [np.nan, np.inf, 5.0])
def test_no_sound_candidate_is_a_refusal_with_the_gaps(loss: float) -> None:
    with pytest.raises(NoCandidateError, match=r"more than 0\.35 \(xgboost"):
        choose([candidate("xgboost", 0.1, loss)], 0.7, model())


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=4))
def test_whoever_is_chosen_keeps_the_guard(pairs: list[tuple[float, float]]) -> None:
    found = [candidate("logistic", train, validation) for train, validation in pairs]
    try:
        best = choose(found, 0.7, model())
    except NoCandidateError:
        assert all(c.gap > 0.35 for c in found)
    else:
        assert best.gap <= 0.35
        assert all(best.validation_loss <= c.validation_loss for c in found if c.gap <= 0.35)


@pytest.mark.parametrize(
    ("task", "wanted"),
    [
        ("binary", {"log_loss", "auc", "accuracy", "calibration_error"}),
        ("multiclass", {"log_loss", "auc", "accuracy", "calibration_error"}),
        ("regression", {"squared_error", "rmse", "mae", "r2"}),
    ],
)
def test_train_and_validation_are_measured_alike(task: str, wanted: set[str]) -> None:
    checked, said = data(task), list[str]()
    settings = model(task)
    fitted = fit_candidates(checked, 300, settings, said.append)

    assert [c.name for c in fitted] == list(settings.candidates)
    assert len(said) == len(fitted)
    for each in fitted:
        found = metrics(each, checked, settings.metric)
        parts = {f"{part}.{name}" for part in ("train", "validation") for name in wanted}
        assert set(found) == {"gap", *parts}
        assert found[f"validation.{settings.metric}"] == pytest.approx(each.validation_loss)
        assert found["gap"] == pytest.approx(each.validation_loss - each.train_loss)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_a_real_signal_beats_the_baseline(task: str) -> None:
    checked = data(task, signal=2.0)
    fitted = fit_candidates(checked, 300, model(task), lambda message: None)

    baseline = baseline_loss(checked, fitted[0], model(task))

    best = min(fitted, key=lambda each: each.validation_loss)
    assert best.validation_loss < 0.8 * baseline


def test_an_area_that_does_not_exist_is_not_logged() -> None:
    """All validation rows of one class have no ROC."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"x": random.normal(size=200), "y": [True, False] * 75 + [True] * 50})
    checked = check(frame, 150, "m", model())
    fitted = fit_candidates(checked, 150, model(), lambda message: None)[0]

    found = metrics(fitted, checked, "log_loss")

    assert "train.auc" in found
    assert "validation.auc" not in found


def test_probabilities_that_are_off_are_told_from_those_that_are_not() -> None:
    """Off by a tenth everywhere, and right on average in each group."""
    random = np.random.default_rng(0)
    said = random.random(5000) * 0.8 + 0.1
    truth = (random.random(5000) < said).astype(int)
    checked = data("binary", rows=100)
    errors = []
    for shift in (0.0, 0.1):
        shares = np.column_stack([1 - said - shift, said + shift])
        answers = Answers(predictions=[], probabilities=shares)
        each = replace(candidate("logistic", 0.4, 0.4), answers=answers, fitted=0)
        errors.append(calibration_error(each, replace(checked, truth=truth)))

    assert errors[0] == pytest.approx(0.0, abs=0.03)
    assert errors[1] == pytest.approx(0.1, abs=0.03)
