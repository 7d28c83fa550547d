"""How often the gate errs: days that go on, slices, several looks, challengers that are no better.

The same at length, and on trained models: tests/benchmarks/gate.
"""

from datetime import UTC, datetime

import numpy as np
from scipy import stats

from trimtab.policy.gate import compare
from trimtab.policy.looks import asked_of
from trimtab.records.amounts import Margin
from trimtab.records.gate import GateResult
from trimtab.records.looks import Asked, Look

WORLDS, DAYS, ROWS = 200, 24, 20
DAY = np.repeat(np.arange(DAYS), ROWS)
ERROR = 0.05


def luck(random: np.random.Generator, likeness: float = 0.3) -> np.ndarray:
    """Draw what a challenger that is no better gains on each row."""
    days = random.normal(size=DAYS)
    for day in range(1, DAYS):
        days[day] = likeness * days[day - 1] + np.sqrt(1 - likeness**2) * days[day]
    return np.asarray(0.05 * days[DAY] + random.normal(scale=0.2, size=len(DAY)))


def judge(
    gains: np.ndarray, slices: np.ndarray, asked: Asked | None = None, slice_margin: str = "0"
) -> GateResult:
    return compare(
        1 + gains,
        np.ones(len(gains)),
        blocks=DAY,
        slices={f"s={n}": slices == n for n in np.unique(slices)},
        metric="log_loss",
        confidence=1 - ERROR,
        min_rows=20,
        seed=0,
        slice_margin=Margin.parse(slice_margin),
        asked=asked,
    )


def test_equals_that_come_again_and_again_are_promoted_no_more_often_than_stated() -> None:
    """Three challengers on the same rows: all of them together pass in 1 of 20 worlds at most."""
    passed = 0
    for seed in range(WORLDS):
        random = np.random.default_rng(seed)
        looks: list[Look] = []
        for number in (1, 2, 3):
            asked = asked_of(1 - ERROR, DAY.astype(float), looks)
            found = judge(luck(random), random.integers(0, 3, len(DAY)), asked)
            looks.append(a_look(number, found.passed))
        passed += any(look.passed for look in looks)

    assert passed <= stats.binom.ppf(0.999, WORLDS, ERROR)


def a_look(number: int, passed: bool) -> Look:
    return Look(
        model="m",
        number=number,
        at=datetime(2013, 4, 1, tzinfo=UTC),
        challenger=str(number),
        challenger_sha256="",
        champion="1",
        start=0.0,
        end=float(DAYS),
        rows=len(DAY),
        digest=str(number),
        confidence=0.95,
        passed=passed,
    )


def test_a_good_challenger_is_seldom_stopped_by_chance_however_many_slices_there_are() -> None:
    stopped = 0
    for seed in range(WORLDS // 2):
        random = np.random.default_rng(seed)
        found = judge(luck(random), random.integers(0, 12, len(DAY)))
        stopped += any(part.is_worse for part in found.slices)

    assert stopped <= stats.binom.ppf(0.999, WORLDS // 2, ERROR)


def test_a_slice_that_is_bad_is_found_among_many() -> None:
    """As often as its figure says: a loss of `noticed` is found four times of five, or so."""
    found = 0
    for seed in range(WORLDS // 4):
        random = np.random.default_rng(seed)
        slices, gains = random.integers(0, 8, len(DAY)), luck(random)
        noticed = judge(gains, slices).slices[5].noticed
        assert noticed is not None
        found += judge(gains - noticed * (slices == 5), slices).slices[5].is_worse

    assert found >= stats.binom.ppf(0.001, WORLDS // 4, 0.8)


def test_several_slices_that_are_a_little_worse_are_found_together() -> None:
    """None of five is proven worse alone at a fifth of the error; all five are, together."""
    slices = np.arange(len(DAY)) % 5
    wave = np.resize([0.9, -0.9, 1.1, -1.1], DAYS)[DAY] * 0.05
    alone = np.where(slices == 0, wave - 0.022, wave * (slices % 2 * 2 - 1))
    together = wave * np.where(slices % 2, 1, -1) - 0.022

    assert not any(part.is_worse for part in judge(alone, slices).slices)
    assert all(part.is_worse for part in judge(together, slices).slices)


def test_a_slice_may_be_worse_by_its_margin_and_no_more() -> None:
    random = np.random.default_rng(0)
    slices = np.arange(len(DAY)) % 2
    gains = luck(random) + np.where(slices == 1, -0.3, 0.9)

    assert judge(gains, slices).slices[1].is_worse
    assert not judge(gains, slices, slice_margin="0.5").slices[1].is_worse
    assert judge(gains, slices, slice_margin="0.1").slices[1].is_worse
    assert not judge(gains, slices, slice_margin="60%").slices[1].is_worse
