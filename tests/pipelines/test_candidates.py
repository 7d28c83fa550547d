"""Every candidate on every kind of column, and through the file it leaves."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.metrics import roc_auc_score

from trimtab.adapters.golden import replay_golden, write_golden
from trimtab.adapters.predictor import CONTRACT_FILE, MODEL_FILE, TRUSTED, Answers, Predictor
from trimtab.records.documents import to_json
from trimtab.settings.learning import Candidate, TrainSettings
from trimtab.settings.project import ModelSettings
from trimtab_pipelines.candidates import Recipe, parameters, trees_of
from trimtab_pipelines.check import Checked, check
from trimtab_pipelines.fitting import predictor_of

ROWS, FITTED = 600, 500
START = datetime(2013, 1, 1, tzinfo=UTC)


def frame() -> pd.DataFrame:
    """All types of columns, with nulls and odd names; each says a little of the truth."""
    random = np.random.default_rng(0)
    hidden = random.normal(size=ROWS)

    def noisy() -> np.ndarray:
        return np.asarray(hidden + random.normal(size=ROWS))

    def holed(values: list[Any]) -> list[Any]:
        return [None if hole else value for value, hole in zip(values, holes, strict=True)]

    holes = random.random(ROWS) < 0.1
    return pd.DataFrame(
        {
            "mean radius": noisy(),
            "[x] <y>": np.where(holes, np.nan, noisy()),
            "n": (noisy() * 10).astype(int),
            "small": (noisy() * 10).astype("int8"),
            "single": noisy().astype("float32"),
            "flag": noisy() > 0,
            "maybe": holed((noisy() > 0).tolist()),
            "text": np.where(noisy() > 0, "up", "down"),
            "a.b": holed(np.where(noisy() > 0, "up", "down").tolist()),
            "rare": [f"r{n % 90}" for n in range(ROWS)],
            "at": [START + timedelta(hours=int(h * 100) + n) for n, h in enumerate(noisy())],
            "till": holed([START + timedelta(hours=int(h * 100)) for h in noisy()]),
            "hidden": hidden,
        }
    )


def checked(task: str) -> Checked:
    rows = frame()
    hidden = rows.pop("hidden")
    rows["y"] = {
        "binary": hidden > 0,
        "multiclass": np.digitize(hidden, [-0.5, 0.5]),
        "regression": 1000 * hidden,
    }[task]
    model = ModelSettings.model_validate({"task": task, "source": "x.csv", "target": "y"})
    return check(rows, FITTED, "m", model)


def recipe(candidate: Candidate, data: Checked, **changes: Any) -> Recipe:
    task = data.contract.task
    fixed: dict[str, Any] = {
        "metric": "log_loss" if task.is_classification else "squared_error",
        "train": TrainSettings(),
    }
    return Recipe(candidate=candidate, contract=data.contract, **fixed | changes)


PAIRS: list[tuple[str, Candidate]] = [
    ("binary", "logistic"),
    ("binary", "xgboost"),
    ("binary", "extra_trees"),
    ("multiclass", "logistic"),
    ("multiclass", "xgboost"),
    ("multiclass", "extra_trees"),
    ("regression", "ridge"),
    ("regression", "xgboost"),
    ("regression", "extra_trees"),
]


@pytest.mark.parametrize(("task", "candidate"), PAIRS)
def test_a_candidate_learns_from_all_kinds_of_columns_and_survives_its_file(
    tmp_path: Path, task: str, candidate: Candidate
) -> None:
    data = checked(task)
    pipeline = recipe(candidate, data).fit(data.inputs, data.truth, FITTED).pipeline
    here = predictor_of(data.contract, pipeline).predict(data.inputs)
    skops.io.dump(pipeline, tmp_path / MODEL_FILE)
    (tmp_path / CONTRACT_FILE).write_bytes(to_json(data.contract))
    there = Predictor.load(tmp_path, "cpu").predict(data.inputs)

    assert _skill(data, here) > 0.8
    np.testing.assert_allclose(_numbers(there), _numbers(here), rtol=1e-6, atol=1e-7)
    assert set(skops.io.get_untrusted_types(file=tmp_path / MODEL_FILE)) <= set(TRUSTED)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_a_forest_comes_back_from_its_file_to_the_last_bit(tmp_path: Path, task: str) -> None:
    data = checked(task)
    made = recipe("extra_trees", data)
    earlier = made.fit(data.inputs, data.truth, FITTED).pipeline
    pipeline = made.refit(earlier, data.inputs, data.truth)
    skops.io.dump(pipeline, tmp_path / MODEL_FILE)
    (tmp_path / CONTRACT_FILE).write_bytes(to_json(data.contract))
    write_golden(tmp_path, predictor_of(data.contract, pipeline), data.inputs)
    loaded = Predictor.load(tmp_path, "cpu")

    for each in (loaded, loaded.lowered()):
        report = replay_golden(tmp_path, each)
        assert report.matches
        assert report.worst == 0.0
    assert pipeline[-1].n_jobs is None
    assert max(tree.tree_.node_count for tree in pipeline[-1].estimators_) < 800


def test_weights_of_rows_are_the_same_whatever_their_sum() -> None:
    """Else they would change how strongly a learner is held back."""
    data = checked("binary")
    weights = np.linspace(1, 3, ROWS)
    first, second = (
        recipe("logistic", data).fit(data.inputs, data.truth, FITTED, times * weights).output
        for times in (1, 1000)
    )

    np.testing.assert_allclose(first, second, atol=1e-6)


def _numbers(answers: Answers) -> np.ndarray:
    if answers.probabilities is not None:
        return answers.probabilities
    return np.asarray(answers.predictions, dtype=float)


def _skill(data: Checked, answers: Answers) -> float:
    truth, said = data.truth[FITTED:], _numbers(answers)[FITTED:]
    if answers.probabilities is None:
        return float(np.corrcoef(said, truth)[0, 1])
    scores = said[:, 1] if said.shape[1] == 2 else said
    return float(roc_auc_score(truth, scores, multi_class="ovr"))


@pytest.mark.parametrize(("task", "candidate"), PAIRS)
def test_rows_unlike_any_in_training_are_answered(task: str, candidate: Candidate) -> None:
    data = checked(task)
    pipeline = recipe(candidate, data).fit(data.inputs, data.truth, FITTED).pipeline
    strange = data.inputs.head(3).copy()
    strange[["text", "rare"]] = "never seen"
    strange[["mean radius", "n"]] = [1e12, np.nan]
    nulls = data.inputs.head(2).copy()
    for name in nulls:
        nulls[name] = None

    for rows in (strange, nulls):
        answers = predictor_of(data.contract, pipeline).predict(rows)
        assert np.isfinite(_numbers(answers)).all()


@pytest.mark.parametrize("candidate", ["logistic", "xgboost", "extra_trees"])
def test_the_same_rows_and_seed_give_the_same_model(candidate: Candidate) -> None:
    data = checked("binary")
    first, second = (
        predictor_of(
            data.contract, recipe(candidate, data).fit(data.inputs, data.truth, FITTED).pipeline
        ).predict(data.inputs)
        for _ in range(2)
    )

    np.testing.assert_array_equal(first.probabilities, second.probabilities)


def test_trees_stop_growing_and_are_refitted_to_the_size_that_was_best() -> None:
    data = checked("binary")
    made = recipe("xgboost", data)
    earlier = made.fit(data.inputs, data.truth, FITTED).pipeline

    final = made.refit(earlier, data.inputs, data.truth)

    trees = trees_of(earlier)
    assert trees is not None
    assert 1 <= trees < 500
    assert final[-1].get_booster().num_boosted_rounds() == trees
    assert parameters(earlier)["trees"] == trees


def test_zero_is_a_number_to_trees_and_not_a_gap() -> None:
    random = np.random.default_rng(0)
    x = random.choice([-1.0, 0.0, 1.0, np.nan], 2000)
    rows = pd.DataFrame({"x": x, "s": random.choice(["a", "b"], 2000), "y": x == 0})
    model = ModelSettings.model_validate({"task": "binary", "source": "x.csv", "target": "y"})
    data = check(rows, 1500, "m", model)
    pipeline = recipe("xgboost", data).fit(data.inputs, data.truth, 1500).pipeline

    asked = pd.DataFrame({"x": [0.0, np.nan], "s": ["a", "a"]})
    shares = predictor_of(data.contract, pipeline).predict(asked).probabilities

    assert shares is not None
    assert shares[0, 1] > 0.9
    assert shares[1, 1] < 0.1


def test_absolute_errors_are_learned_as_absolute_errors() -> None:
    """The median of what is skewed lies below its mean."""
    random = np.random.default_rng(0)
    rows = pd.DataFrame({"x": random.normal(size=2000), "y": random.exponential(1, 2000)})
    model = ModelSettings.model_validate({"task": "regression", "source": "x.csv", "target": "y"})
    data = check(rows, 1500, "m", model)
    means = {}
    for metric in ("squared_error", "absolute_error"):
        pipeline = (
            recipe("xgboost", data, metric=metric).fit(data.inputs, data.truth, 1500).pipeline
        )
        means[metric] = _numbers(predictor_of(data.contract, pipeline).predict(rows)).mean()

    assert means["squared_error"] == pytest.approx(1, abs=0.15)
    assert means["absolute_error"] == pytest.approx(np.log(2), abs=0.15)


def test_settings_worth_knowing_are_told() -> None:
    data = checked("binary")
    linear = recipe("logistic", data).fit(data.inputs, data.truth, FITTED).pipeline

    assert parameters(linear) == {"C": 1.0, "max_iter": 300, "tol": 1e-3}
