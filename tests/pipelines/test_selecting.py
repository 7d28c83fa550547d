"""Model selection on rows alone: which window, which settings, and what must not happen."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from optuna.distributions import FloatDistribution

from trimtab.records.searches import SearchState, SearchTrial
from trimtab.settings.project import ModelSettings
from trimtab_pipelines import choices
from trimtab_pipelines.blocks import cut
from trimtab_pipelines.search_memory import OwnMemory
from trimtab_pipelines.selecting import Selected, prepare, select

START = datetime(2013, 1, 1, tzinfo=UTC)
ROWS = 1600
UNTIL = START + timedelta(hours=ROWS)
TRIALS = 8


def world(changed_at: int = 0, seed: int = 0, rows: int = ROWS) -> pd.DataFrame:
    """Rows an hour apart, in which `x` says how likely `y` is; before the change, the opposite."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(rows, 3))
    sign = np.where(np.arange(rows) < changed_at, -1.0, 1.0)
    odds = sign * 2 * x[:, 0] + x[:, 1]
    return pd.DataFrame(x, columns=["x", "z", "noise"]).assign(
        text=random.choice(["a", "b"], rows),
        y=random.random(rows) < 1 / (1 + np.exp(-odds)),
        at=[START + timedelta(hours=n) for n in range(rows)],
    )


def model(search: dict[str, Any] | None = None, **train: Any) -> ModelSettings:
    return ModelSettings.model_validate(
        {
            "task": "binary",
            "source": "x.csv",
            "target": "y",
            "time": "at",
            "train": {"search": {"trials": TRIALS, "time_limit": "1h"} | (search or {}), **train},
        }
    )


def selected(
    rows: pd.DataFrame, settings: ModelSettings, memory: OwnMemory | None = None
) -> Selected:
    return select(prepare(rows, "m", settings, UNTIL), settings, memory=memory)


def without_times(trials: Sequence[SearchTrial]) -> list[object]:
    return [(t.number, t.candidate, t.window, t.settings, t.state, t.blocks) for t in trials]


@pytest.fixture(scope="module")
def steady() -> Selected:
    return selected(world(), model())


def test_every_candidate_is_tried_and_the_best_settings_of_each_are_fitted(
    steady: Selected,
) -> None:
    assert len(steady.searched.trials) == TRIALS
    assert [c.name for c in steady.candidates] == ["logistic", "xgboost", "extra_trees"]
    for candidate in steady.candidates:
        best = steady.searched.best(candidate.name)
        assert best is not None
        assert candidate.recipe.settings == best.settings
        same = [t for t in steady.searched.trials if t.candidate == candidate.name and t.is_whole]
        assert best.loss == min(t.loss for t in same if t.loss is not None)


def test_the_same_rows_and_seed_give_the_same_trials_and_the_same_model(steady: Selected) -> None:
    again = selected(world(), model())

    assert without_times(again.searched.trials) == without_times(steady.searched.trials)
    for first, second in zip(steady.candidates, again.candidates, strict=True):
        np.testing.assert_array_equal(first.losses, second.losses)


def test_another_seed_tries_other_settings(steady: Selected) -> None:
    learners = {"candidates": ["logistic"], "window": "all"}
    found = [selected(world(), model({"trials": 3}, seed=n, **learners)) for n in (0, 1)]

    tried = [[trial.settings for trial in each.searched.trials] for each in found]
    assert tried[0][0] == tried[1][0]
    assert tried[0][1:] != tried[1][1:]


@pytest.mark.parametrize("killed_after", [4, 7])
def test_a_search_that_goes_on_tries_what_it_would_have_tried(
    steady: Selected, killed_after: int
) -> None:
    memory = OwnMemory(list(steady.searched.trials[:killed_after]))
    rest = selected(world(), model(), memory)

    assert without_times(rest.searched.trials) == without_times(steady.searched.trials)
    assert rest.searched.trials[:killed_after] == steady.searched.trials[:killed_after]


def test_all_rows_are_taken_where_the_world_stays_as_it_was(steady: Selected) -> None:
    assert str(steady.searched.window) == "all"
    assert steady.split.start == 0


def test_old_rows_that_mislead_are_left_out() -> None:
    found = selected(world(changed_at=950), model({"trials": 5}))

    assert str(found.searched.window) in ("recent", "weighted")
    kept = selected(world(changed_at=950), model({"trials": 0}, window="all"))
    assert found.best.validation_loss < kept.best.validation_loss - 0.02


def test_the_rows_of_a_recent_window_end_where_the_gates_begin() -> None:
    found = selected(world(changed_at=950), model({"trials": 0}, window=["recent"]))

    seen = found.split.seen
    assert len(seen) == len(found.checked.inputs) == len(found.best.losses)
    assert len(seen) == -(-found.split.end // 3)
    assert found.best.fitted == found.split.fitted
    np.testing.assert_array_equal(seen["x"].to_numpy(), found.checked.inputs["x"].to_numpy())


def test_weights_reach_the_learners() -> None:
    """Of rows that count next to nothing, nothing is learned."""
    rows = world(changed_at=1000)
    usual = selected(rows, model({"trials": 0}, window="all"))
    weighted = selected(rows, model({"trials": 0}, window="weighted 3d"))

    by_name = {c.name: c.validation_loss for c in usual.candidates}
    assert weighted.checked.weights is not None
    assert len(weighted.checked.inputs) == len(usual.checked.inputs)
    for candidate in weighted.candidates:
        assert candidate.validation_loss < by_name[candidate.name] - 0.1


def test_hopeless_settings_are_pruned_after_the_newest_block() -> None:
    found = selected(world(), model({"trials": 20}, candidates=["logistic"], window="all"))

    pruned = [t for t in found.searched.trials if t.state is SearchState.PRUNED]
    assert pruned
    assert all(1 <= len(trial.blocks) < 3 for trial in pruned)
    assert all(len(trial.blocks) == 3 for trial in found.searched.trials if trial.is_whole)


def test_no_trial_looks_at_the_rows_of_the_gate(steady: Selected) -> None:
    """Whatever stands there, the same is chosen."""
    rows = world()
    first = prepare(rows, "m", model(), UNTIL).split.end
    turned = rows.copy()
    turned.loc[first:, "y"] = ~turned.loc[first:, "y"]

    found = selected(turned, model({"trials": 7})).searched.trials

    assert without_times(found) == without_times(steady.searched.trials[:7])


def test_the_search_ends_with_its_time_and_says_so() -> None:
    said: list[str] = []
    settings = model({"trials": 500, "time_limit": "1s"})

    found = select(prepare(world(), "m", settings, UNTIL), settings, progress=said.append)

    assert 1 <= len(found.searched.trials) < 500
    assert any("1 s are over" in line for line in said)
    assert any("about" in line and "s left" in line for line in said)


def test_a_setting_that_cannot_be_fitted_fails_its_trial_and_not_the_search(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The space is widened to where a learner refuses it."""
    monkeypatch.setattr(choices, "space_of", lambda candidate: {"C": FloatDistribution(-2.0, -1.0)})
    monkeypatch.setattr(choices, "usual", lambda candidate: {"C": -1.0})
    settings = model({"trials": 3}, candidates=["logistic"], window="all")
    memory = OwnMemory()

    found = selected(world(), settings, memory)

    assert found.best.recipe.settings == {}
    assert len(memory.trials()) == 3
    assert all(trial.state is SearchState.FAILED for trial in memory.trials())
    assert all("C" in trial.reason for trial in memory.trials())


def test_without_times_the_order_of_the_rows_counts() -> None:
    settings = model({"trials": 5}).model_copy(update={"time": None, "exclude": ("at",)})

    found = select(prepare(world(changed_at=950), "m", settings, UNTIL), settings)

    assert str(found.searched.window) in ("recent", "weighted")


def test_rare_classes_stay_rare_in_the_answers() -> None:
    """Three in a hundred: probabilities that were blown up would cost far more than they gain."""
    random = np.random.default_rng(0)
    rows = world(rows=4000)
    odds = 1.5 * rows["x"] - 4.5
    rows["y"] = random.random(len(rows)) < 1 / (1 + np.exp(-odds))

    found = selected(rows, model({"trials": 5}))

    assert found.best.answers.probabilities is not None
    said = found.best.answers.probabilities[:, 1]
    truth = rows["y"].to_numpy()[: len(said)]
    assert truth.mean() < 0.04
    assert said.mean() == pytest.approx(truth.mean(), abs=0.01)
    assert found.best.validation_loss < found.baseline


def test_a_window_without_a_class_does_not_compete() -> None:
    rows = world()
    rows.loc[rows.index[600:1300], "y"] = True
    found = selected(rows, model({"trials": 1}))

    assert [str(w) for w in found.searched.plan.windows] == ["all", "weighted"]


def test_blocks_end_with_the_newest_rows_and_many_rows_are_thinned() -> None:
    settings = model()
    made = prepare(world(), "m", settings, UNTIL)
    ages = np.arange(len(made.checked.inputs), 0, -1, dtype=float)

    rows = cut(made.checked, ages, made.split.fitted, blocks=3, max_rows=500)

    assert len(rows.checked.inputs) <= 500
    assert rows.ages[-1] == 1.0
    ends = [block.end for block in rows.blocks]
    assert ends[0] == len(rows.checked.inputs)
    assert [block.start for block in rows.blocks[:-1]] == ends[1:]
