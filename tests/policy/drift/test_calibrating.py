"""A calibration learns from windows how far they differ, and errs towards no alarm."""

import numpy as np
import pytest

from trimtab.policy.drift.calibrating import calibrate, norm_of
from trimtab.policy.drift.observing import Observed
from trimtab.policy.drift.p_values import Kinds, p_values
from trimtab.records.checks import Calibration, Check, CheckKind

ROWS, TRAINED = 500, 100_000


def checks_of(kind: CheckKind, count: int) -> list[Check]:
    return [Check(column=f"c{i}", kind=kind, weight=1 / count) for i in range(count)]


def means(windows: int, count: int, *, effect: float = 1.0, seed: int = 0) -> Observed:
    """Means of `ROWS` rows that know as much as `ROWS / effect` independent ones."""
    rng = np.random.default_rng(seed)
    value = rng.normal(size=(windows, count)) * np.sqrt(effect / ROWS)
    return observed(value)


def observed(value: np.ndarray) -> Observed:
    return Observed(
        value=value, rows=np.full(value.shape, float(ROWS)), usual=np.zeros(value.shape)
    )


def calibrated(windows: int, count: int = 40, *, effect: float = 1.0) -> Calibration:
    seen = means(windows, count, effect=effect)
    checks = checks_of(CheckKind.LOCATION, count)
    return calibrate(checks, seen, rows=ROWS, trained=TRAINED, rate=0.01)


def test_windows_of_independent_rows_inflate_nothing() -> None:
    assert np.mean(calibrated(100).inflation) == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("effect", [4.0, 50.0])
def test_what_neighbours_share_is_found_as_the_design_effect(effect: float) -> None:
    found = calibrated(100, effect=effect)

    assert np.mean(found.inflation) == pytest.approx(effect, rel=0.1)


def test_p_values_of_windows_that_were_not_seen_are_no_more_often_small_than_they_say() -> None:
    checks = checks_of(CheckKind.LOCATION, 40)
    norm = norm_of(calibrated(12, effect=9.0), TRAINED)

    found = p_values(Kinds.of(checks), means(5000, 40, effect=9.0, seed=1), norm)

    for level in (0.2, 0.05, 0.001):
        assert 0.1 * level < np.mean(found <= level) < 1.1 * level


def test_what_is_shared_does_not_average_out_in_larger_windows() -> None:
    checks = checks_of(CheckKind.LOCATION, 40)
    norm = norm_of(calibrated(100, effect=9.0), TRAINED)
    value = np.full((1, 40), 0.3)

    small, large = (
        p_values(
            Kinds.of(checks),
            Observed(value=value, rows=np.full((1, 40), rows), usual=np.zeros((1, 40))),
            norm,
        ).mean()
        for rows in (500.0, 50_000.0)
    )

    assert small == pytest.approx(large, rel=0.5)


def test_fewer_windows_and_heavier_tails_move_the_limit_out() -> None:
    checks = checks_of(CheckKind.LOCATION, 40)
    heavy = np.random.default_rng(2).standard_t(2, size=(60, 40)) / np.sqrt(ROWS)

    many, few = calibrated(400).limit, calibrated(10).limit
    odd = calibrate(checks, observed(heavy), rows=ROWS, trained=TRAINED, rate=0.01)

    assert few < many <= 0.01
    assert odd.tail > 1.5
    assert odd.limit < calibrated(60).limit / 3


def test_the_tail_that_shorter_windows_showed_is_believed_in() -> None:
    checks = checks_of(CheckKind.LOCATION, 40)
    heavy = np.random.default_rng(2).standard_t(2, size=(60, 40)) / np.sqrt(ROWS)
    shorter = calibrate(checks, observed(heavy), rows=ROWS, trained=TRAINED, rate=0.01)
    few = means(9, 40, seed=3)

    alone = calibrate(checks, few, rows=ROWS, trained=TRAINED, rate=0.01)
    after = calibrate(checks, few, rows=ROWS, trained=TRAINED, rate=0.01, shorter=shorter)

    assert after.tail > alone.tail
    assert after.limit < alone.limit


def test_a_share_has_the_p_value_of_its_rows_and_the_reference_s() -> None:
    """12 of 500 beside 1 in 100 of 100,000: about P(Poisson(5) >= 12), doubled."""
    checks = checks_of(CheckKind.MISSING, 2)
    windows = np.random.default_rng(0).poisson(5, size=(100, 2)).astype(float)
    usual = Observed(
        value=windows, rows=np.full((100, 2), float(ROWS)), usual=np.full((100, 2), 0.01)
    )
    norm = norm_of(calibrate(checks, usual, rows=ROWS, trained=TRAINED, rate=0.01), TRAINED)
    window = Observed(
        value=np.full((1, 2), 12.0), rows=np.full((1, 2), 500.0), usual=np.full((1, 2), 0.01)
    )

    found = p_values(Kinds.of(checks), window, norm)

    assert 2 * 0.005 < found.mean() < 2 * 0.03
