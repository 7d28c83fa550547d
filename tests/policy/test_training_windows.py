"""Training windows: what they hold, how much rows count, and when one is clearly better."""

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.policy.training_windows import first_row, is_clearly_better, overall, weights
from trimtab.records.searches import SearchTrial
from trimtab.records.training_windows import TrainingWindow

DAY = timedelta(days=1).total_seconds()
ages_of_rows = st.lists(st.floats(0, 1e9), min_size=1, max_size=50).map(
    lambda found: np.array(sorted(found, reverse=True))
)


@pytest.mark.parametrize("text", ["all", "recent", "weighted", "weighted 30d", "12w"])
def test_a_window_is_written_as_it_is_read(text: str) -> None:
    assert str(TrainingWindow.parse(text)) == text


@pytest.mark.parametrize("text", ["", "al", "0d", "weighted 0d", "weighted x", "recent 3d", 7, "d"])
def test_what_is_no_window_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="write"):
        TrainingWindow.parse(text)


@given(ages_of_rows, st.integers(1, 1000))
def test_a_window_of_a_length_holds_exactly_the_rows_of_that_age(
    ages: np.ndarray, days: int
) -> None:
    first = first_row(TrainingWindow.parse(f"{days}d"), ages)

    assert (ages[first:] <= days * DAY).all()
    assert (ages[:first] > days * DAY).all()


@given(ages_of_rows)
def test_the_recent_rows_are_a_third_and_at_least_one(ages: np.ndarray) -> None:
    kept = len(ages) - first_row(TrainingWindow.parse("recent"), ages)

    assert 1 <= kept <= len(ages)
    assert 3 * (kept - 1) < len(ages) <= 3 * kept


@given(ages_of_rows, st.sampled_from(["weighted", "weighted 2d", "weighted 900d"]))
def test_newer_rows_never_count_less_and_all_count_one_on_average(
    ages: np.ndarray, text: str
) -> None:
    found = weights(TrainingWindow.parse(text), ages)

    assert found is not None
    assert found.mean() == pytest.approx(1)
    assert (np.diff(found) >= 0).all()


def test_weights_halve_with_every_half_life() -> None:
    found = weights(TrainingWindow.parse("weighted 3d"), np.array([9 * DAY, 6 * DAY, 3 * DAY]))

    assert found is not None
    assert found[1:] / found[:-1] == pytest.approx([2, 2])


def test_rows_of_any_age_count_something() -> None:
    found = weights(TrainingWindow.parse("weighted 1s"), np.array([1e9, 5e8, 1.0]))

    assert found is not None
    assert (found > 0).all()


def test_all_and_recent_rows_count_the_same() -> None:
    assert weights(TrainingWindow.parse("all"), np.arange(3.0)) is None
    assert weights(TrainingWindow.parse("recent"), np.arange(3.0)) is None


def trial(blocks: list[list[float]]) -> SearchTrial:
    return SearchTrial(
        number=0, candidate="c", window="all", blocks=tuple(tuple(block) for block in blocks)
    )


def test_a_steady_gain_is_clear_and_a_gain_in_one_piece_is_not() -> None:
    random = np.random.default_rng(0)
    usual = random.random((3, 8))
    steady, lucky = usual - 0.1 - random.random((3, 8)) / 100, usual.copy()
    lucky[0, 0] -= 1.0

    assert is_clearly_better(trial(steady.tolist()), trial(usual.tolist()), 3)
    assert not is_clearly_better(trial(lucky.tolist()), trial(usual.tolist()), 3)
    assert not is_clearly_better(trial(usual.tolist()), trial(steady.tolist()), 3)


def test_equals_are_taken_for_better_about_as_often_as_stated() -> None:
    random = np.random.default_rng(0)
    pairs = random.normal(size=(2000, 2, 3, 8))
    wins = sum(is_clearly_better(trial(a.tolist()), trial(b.tolist()), 3) for a, b in pairs)

    assert wins / len(pairs) == pytest.approx(0.05, abs=0.02)


@given(st.lists(st.lists(st.floats(0, 10), min_size=1, max_size=8), max_size=3))
def test_a_trial_is_never_clearly_better_than_itself(blocks: list[list[float]]) -> None:
    assert not is_clearly_better(trial(blocks), trial(blocks), 3)


def test_newer_blocks_count_more() -> None:
    assert overall([[1.0], [0.0], [0.0]], 3) == pytest.approx(1 / 2)
    assert overall([[0.0], [0.0], [1.0]], 3) == pytest.approx(1 / 6)
