"""What the gate asks beside the loss: calibration, latency, size."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.policy.budgets import latency_check, median_floor, size_check
from trimtab.policy.gate import refused, with_checks
from trimtab.policy.reliability import calibration_check, row_errors
from trimtab.records.amounts import Margin, format_size, parse_seconds, parse_size
from trimtab.records.gate import GateCheck

ROWS = 3000
RANDOM = np.random.default_rng(0)
TRUE = RANDOM.beta(2, 3, ROWS)
HAPPENED = (RANDOM.random(ROWS) < TRUE).astype(float)


def sharper(times: float) -> np.ndarray:
    """Say the true probabilities with log odds that are so many times too large."""
    return np.asarray(1 / (1 + (1 / TRUE - 1) ** times))


def compared(champion: np.ndarray, challenger: np.ndarray, margin: float = 0.02) -> GateCheck:
    return calibration_check(
        (champion, HAPPENED),
        (challenger, HAPPENED),
        blocks=np.arange(ROWS) // 100,
        margin=margin,
        confidence=0.95,
        min_rows=100,
        seed=0,
    )


def test_probabilities_that_are_too_sure_fail_beside_honest_ones() -> None:
    found = compared(TRUE, sharper(2.5))

    assert found.passed is False
    assert found.challenger is not None
    assert found.challenger > 0.08
    assert "Worse calibrated" in found.why


def test_probabilities_as_honest_as_the_champions_or_more_so_pass() -> None:
    assert compared(TRUE, TRUE).passed
    assert compared(sharper(2.5), TRUE).passed
    assert compared(TRUE, sharper(1.05), margin=0.0).passed, "not proven worse"


def test_the_mean_of_the_rows_parts_is_the_expected_calibration_error() -> None:
    said = np.repeat([0.2, 0.8], 50)
    happened = np.r_[np.ones(15), np.zeros(35), np.ones(35), np.zeros(15)]

    assert row_errors(said, happened).mean() == pytest.approx(0.1)  # 0.3 and 0.7 came true


def test_too_few_rows_tell_nothing_of_calibration() -> None:
    few = calibration_check(
        (TRUE[:50], HAPPENED[:50]),
        (sharper(5)[:50], HAPPENED[:50]),
        blocks=np.arange(50),
        margin=0.0,
        confidence=0.95,
        min_rows=100,
        seed=0,
    )

    assert few.passed is None


def latency(challenger: np.ndarray, **limits: float | None) -> GateCheck:
    rules = {"most": None, "most_slowdown": None, **limits}
    champion = np.full(len(challenger), 1e-3)
    return latency_check(champion, challenger, confidence=0.95, **rules)


def test_a_few_slow_rows_on_a_busy_machine_do_not_fail_a_version() -> None:
    busy = np.where(np.arange(24) % 3 == 0, 0.2, 0.001)

    assert latency(busy, most=0.002, most_slowdown=1.5).passed
    assert latency(busy + 0.005, most=0.002).passed is False
    assert latency(busy + 0.005, most_slowdown=1.5).passed is False
    assert latency(busy).passed is None


def test_a_latency_that_nobody_could_measure_fails_where_there_is_a_budget() -> None:
    assert latency(np.empty(0), most=1.0).passed is False
    assert latency(np.empty(0)).passed is None


@given(st.lists(st.floats(0, 10), min_size=1, max_size=60), st.floats(0.5, 0.999))
def test_a_median_is_never_below_its_floor(values: list[float], confidence: float) -> None:
    assert median_floor(np.array(values), confidence) <= np.median(values)


def test_a_size_within_its_budget_passes() -> None:
    assert size_check(None, 100, most=100).passed
    assert size_check(50, 101, most=100).passed is False
    assert size_check(50, 10**12, most=None).passed is None


def test_a_check_that_fails_turns_a_yes_into_a_no_and_one_that_is_told_does_not() -> None:
    passed = GateCheck(name="size", passed=True)
    told = GateCheck(name="latency", passed=None, why="unused")
    failed = GateCheck(name="golden rows", passed=False, why="they differ")

    result = with_checks(refused("log_loss", 0.95, passed), [told])
    assert result.passed
    assert result.reasons == ()
    result = with_checks(result, [failed])
    assert not result.passed
    assert result.reasons == ("they differ",)


@pytest.mark.parametrize(
    "text", ["-1", "1.5.2", "110%", "two", "", "nan", "inf", True, None, "1e3"]
)
def test_what_is_no_margin_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="no margin"):
        Margin.parse(text)


@pytest.mark.parametrize("text", ["0", "0 B", "5 pounds", "MB", "-4 kB", True])
def test_what_is_no_size_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="no size"):
        parse_size(text)


@pytest.mark.parametrize("text", ["5", "0ms", "5h", "-1ms", math.nan, math.inf, True])
def test_what_is_no_time_for_an_answer_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="no time"):
        parse_seconds(text)


@given(st.integers(1, 10**13))
def test_a_size_is_read_as_it_is_written(size: int) -> None:
    assert parse_size(format_size(size)) == pytest.approx(size, rel=0.006)
