from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from trimtab.policy.gate import compare
from trimtab.records.documents import from_json, to_json
from trimtab.records.gate import GateResult

ROWS = 300
BLOCKS = np.arange(ROWS) // 10
few = settings(max_examples=40, deadline=None)
losses = arrays.arrays(np.float64, ROWS, elements=st.floats(0, 16, width=32))


def judge(champion: np.ndarray, challenger: np.ndarray, **changes: Any) -> GateResult:
    rules: dict[str, Any] = {
        "blocks": BLOCKS[: len(champion)],
        "slices": {},
        "metric": "log_loss",
        "confidence": 0.95,
        "min_rows": 50,
        "seed": 0,
    }
    return compare(champion, challenger, **{**rules, **changes})


@few
@given(losses)
def test_a_challenger_never_beats_itself(loss: np.ndarray) -> None:
    assert not judge(loss, loss).passed


@few
@given(losses, losses, st.floats(0.5, 0.99))
def test_two_models_never_both_beat_each_other(
    a: np.ndarray, b: np.ndarray, confidence: float
) -> None:
    there = judge(a, b, confidence=confidence)
    back = judge(b, a, confidence=confidence)

    assert not (there.passed and back.passed)


@few
@given(losses, losses, st.sampled_from([np.nan, np.inf, -np.inf]), st.integers(0, ROWS - 1))
def test_a_loss_that_is_no_number_never_passes(
    a: np.ndarray, b: np.ndarray, value: float, row: int
) -> None:
    broken = b.copy()
    broken[row] = value

    assert not judge(a, broken).passed
    assert not judge(broken, a).passed


@few
@given(losses, losses, st.integers(-8, 8))
def test_the_unit_of_the_loss_does_not_matter(a: np.ndarray, b: np.ndarray, power: int) -> None:
    scale = 2.0**power

    assert judge(a, b).passed == judge(a * scale, b * scale).passed


@few
@given(losses, losses)
def test_the_names_of_the_blocks_do_not_matter(a: np.ndarray, b: np.ndarray) -> None:
    named = np.array([f"day {block:03}" for block in BLOCKS])

    assert judge(a, b) == judge(a, b, blocks=named)


@few
@given(losses, losses)
def test_every_answer_can_be_kept_as_json(a: np.ndarray, b: np.ndarray) -> None:
    result = judge(a, np.where(b > 15, np.nan, b), slices={"s=x": BLOCKS == 0})

    assert from_json(GateResult, to_json(result)) == result


def test_a_challenger_that_is_better_everywhere_passes_and_says_by_how_much() -> None:
    rng = np.random.default_rng(0)
    champion = rng.exponential(0.5, ROWS)

    result = judge(champion, champion - 0.1)

    assert result.passed
    assert result.overall.low == pytest.approx(0.1)
    assert result.reasons[0].startswith("Better: log_loss 0.4793 against 0.5793")
    assert "at least 0.1" in result.reasons[0]


def test_a_gain_that_one_day_made_is_luck() -> None:
    champion = np.ones(ROWS)
    challenger = np.where(BLOCKS == 3, 0.0, 1.02)

    assert challenger.mean() < champion.mean()
    assert not judge(champion, challenger).passed


def test_rows_of_one_block_are_one_observation() -> None:
    """Each row counted on its own would prove what four days cannot."""
    rng = np.random.default_rng(3)
    days = np.repeat(np.arange(4), 500)
    luck = np.array([-0.03, 0.05, -0.02, 0.06])[days]
    gains = luck + rng.normal(0, 0.1, len(days))

    by_day = judge(np.ones(2000) + gains, np.ones(2000), blocks=days)
    by_row = judge(np.ones(2000) + gains, np.ones(2000), blocks=np.arange(2000))

    assert by_row.passed
    assert not by_day.passed


def test_a_single_block_proves_nothing() -> None:
    champion = np.ones(ROWS)

    assert not judge(champion, champion - 0.5, blocks=np.zeros(ROWS)).passed


def test_too_few_rows_prove_nothing() -> None:
    champion = np.ones(40)

    result = judge(champion, champion - 0.5)

    assert not result.passed
    assert "40 rows are too few" in result.reasons[0]


def test_no_rows_at_all_are_an_answer_and_not_an_error() -> None:
    result = judge(np.empty(0), np.empty(0))

    assert not result.passed
    assert result.overall.rows == 0


def test_one_slice_that_is_worse_stops_a_challenger_that_is_better_on_the_whole() -> None:
    jfk = np.arange(ROWS) % 3 == 0
    champion = np.ones(ROWS)
    challenger = np.where(jfk, 1.1, 0.5)

    result = judge(champion, challenger, slices={"origin=JFK": jfk, "origin=EWR": ~jfk})

    assert not result.passed
    assert result.overall.low > 0
    assert result.reasons[0].startswith("Worse where origin=JFK: log_loss 1.1 against 1 on 100")
    assert [part.name for part in result.slices] == ["origin=JFK", "origin=EWR"]


def test_a_slice_with_few_rows_is_reported_and_not_judged() -> None:
    tiny = np.arange(ROWS) < 10
    champion = np.ones(ROWS)

    result = judge(champion, np.where(tiny, 2.0, 0.5), slices={"origin=LGA": tiny})

    assert result.passed
    assert "origin=LGA: 10 rows, too few to judge" in result.reasons[1]


@pytest.mark.parametrize(("gain", "passes"), [(0.0, 0.05), (0.02, 0.4)])
def test_the_confidence_is_what_it_says(gain: float, passes: float) -> None:
    """Without a gain about 1 in 20 comparisons passes by luck; with one many do."""
    passed = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        luck = rng.normal(0, 0.05, 30)[BLOCKS]
        champion = np.ones(ROWS) + luck + gain + rng.normal(0, 0.1, ROWS)
        passed += judge(champion, np.ones(ROWS), seed=seed).passed

    if gain == 0:
        assert passed <= stats.binom.ppf(0.999, 200, passes)
    else:
        assert passed >= 200 * passes
