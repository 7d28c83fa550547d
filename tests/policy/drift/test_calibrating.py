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


def observed(
    value: np.ndarray, *, rows: float = ROWS, usual: float = 0.0, carried: np.ndarray | None = None
) -> Observed:
    return Observed(
        value=value,
        rows=np.full(value.shape, rows),
        usual=np.full(value.shape, usual),
        carried=np.ones(value.shape) if carried is None else carried,
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
        p_values(Kinds.of(checks), observed(value, rows=rows), norm).mean()
        for rows in (500.0, 50_000.0)
    )

    assert small == pytest.approx(large, rel=0.5)


def test_fewer_windows_and_heavier_tails_move_the_limit_out() -> None:
    checks = checks_of(CheckKind.LOCATION, 40)
    heavy = np.random.default_rng(2).standard_t(2, size=(60, 40)) / np.sqrt(ROWS)

    many, few = calibrated(400).limit[0], calibrated(10).limit[0]
    odd = calibrate(checks, observed(heavy), rows=ROWS, trained=TRAINED, rate=0.01)

    assert few < many <= 0.01
    assert odd.tail[0] > 1.5
    assert odd.limit[0] < calibrated(60).limit[0] / 3


def test_the_tail_that_shorter_windows_showed_is_believed_in() -> None:
    checks = checks_of(CheckKind.LOCATION, 40)
    heavy = np.random.default_rng(2).standard_t(2, size=(60, 40)) / np.sqrt(ROWS)
    shorter = calibrate(checks, observed(heavy), rows=ROWS, trained=TRAINED, rate=0.01)
    few = means(9, 40, seed=3)

    alone = calibrate(checks, few, rows=ROWS, trained=TRAINED, rate=0.01)
    after = calibrate(checks, few, rows=ROWS, trained=TRAINED, rate=0.01, shorter=shorter)

    assert after.tail[0] > alone.tail[0]
    assert after.limit[0] < alone.limit[0]


def test_a_share_has_the_p_value_of_its_rows_and_the_reference_s() -> None:
    """12 of 500 beside 1 in 100 of 100,000: about P(Poisson(5) >= 12), doubled."""
    checks = checks_of(CheckKind.MISSING, 2)
    windows = np.random.default_rng(0).poisson(5, size=(100, 2)).astype(float)
    usual = observed(windows, usual=0.01)
    norm = norm_of(calibrate(checks, usual, rows=ROWS, trained=TRAINED, rate=0.01), TRAINED)
    window = observed(np.full((1, 2), 12.0), usual=0.01)

    found = p_values(Kinds.of(checks), window, norm)

    assert 2 * 0.005 < found.mean() < 2 * 0.03


def test_windows_that_are_near_each_other_do_not_vouch_for_one_another() -> None:
    """A clump that two windows share is as new to the others as one that a single window has."""
    checks = checks_of(CheckKind.LOCATION, 40)
    value = np.random.default_rng(4).normal(size=(80, 40)) / np.sqrt(ROWS)
    value[30:32, 0] += 15 / np.sqrt(ROWS)

    shared = calibrate(checks, observed(value), rows=ROWS, trained=TRAINED, rate=0.01)

    assert shared.tail[0] > 1.5 * calibrated(80).tail[0]


def test_one_kind_of_check_with_odd_windows_spoils_no_other_one() -> None:
    kinds = [CheckKind.LOCATION] * 20 + [CheckKind.SPREAD] * 20
    checks = [Check(column=f"c{i}", kind=kind, weight=1 / 40) for i, kind in enumerate(kinds)]
    rng = np.random.default_rng(5)
    value = rng.normal(size=(100, 40)) / np.sqrt(ROWS)
    value[:, 20:] = rng.standard_t(2, size=(100, 20)) / np.sqrt(ROWS)

    found = calibrate(checks, observed(value), rows=ROWS, trained=TRAINED, rate=0.01)

    assert found.tail[0] < 1.3 < found.tail[20]
    assert found.limit[0] > 3 * found.limit[20]


def test_what_few_windows_carry_has_a_heavy_tail() -> None:
    checks = checks_of(CheckKind.CORRELATION, 40)
    carried = np.ones((100, 40))
    carried[3:5, 0] = 1000.0  # all that the first pair has ever shown came in two windows
    value = np.random.default_rng(6).normal(size=(100, 40)) / np.sqrt(ROWS)

    found = calibrate(
        checks, observed(value, carried=carried), rows=ROWS, trained=TRAINED, rate=0.01
    )

    assert found.freedom[0] < 3
    assert np.median(found.freedom[1:]) > 50
