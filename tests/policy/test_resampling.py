"""Bounds of means hold as often as they say, however few and however alike the blocks are."""

import numpy as np
import pytest
from scipy import stats

from trimtab.policy.resampling import Spread, bounds_of_mean, spread_of_mean

WORLDS = 400


def days(count: int, likeness: float, sizes: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Give the sums of days whose luck has mean 0 and goes on from one to the next."""
    luck = random.normal(size=count)
    for day in range(1, count):
        luck[day] = likeness * luck[day - 1] + np.sqrt(1 - likeness**2) * luck[day]
    return np.asarray((luck + random.normal(size=count) / np.sqrt(sizes)) * sizes)


@pytest.mark.parametrize("count", [5, 10, 20, 50])
@pytest.mark.parametrize("likeness", [0.0, 0.3])
@pytest.mark.parametrize("is_uneven", [False, True])
def test_a_bound_is_wrong_no_more_often_than_stated(
    count: int, likeness: float, is_uneven: bool
) -> None:
    wrong = 0
    for seed in range(WORLDS):
        random = np.random.default_rng(seed)
        sizes = np.ceil(random.gamma(2.0, 25.0, count)) + 1 if is_uneven else np.full(count, 50.0)
        found = bounds_of_mean(days(count, likeness, sizes, random), sizes, 0.95, seed=0)
        assert found is not None
        wrong += found[0] > 0

    assert wrong <= stats.binom.ppf(0.999, WORLDS, 0.05)


def test_few_blocks_bound_less_than_many() -> None:
    random = np.random.default_rng(1)
    widths = []
    for count in (5, 50):
        sizes = np.full(count, 1000.0 / count)
        low, high = bounds_of_mean(days(count, 0.0, sizes, random), sizes, 0.95, seed=0) or (0, 0)
        widths.append((high - low) * np.sqrt(count))

    assert widths[0] > 1.3 * widths[1]


def test_blocks_that_all_say_the_same_leave_no_doubt() -> None:
    found = spread_of_mean(np.full(8, 0.3) * 7, np.full(8, 7.0), seed=0)

    assert found is not None
    assert list(found.bounds(0.99)) == pytest.approx([0.3, 0.3])
    assert found.chance_of(0.4) == 0
    assert found.chance_of(0.2) == 1


def test_a_p_value_and_a_bound_are_two_ways_to_say_one_thing() -> None:
    found = Spread(mean=-1.0, error=0.4, freedom=11.0, below=1.0, above=1.2)

    assert found.chance_of(found.bounds(0.97)[1]) == pytest.approx(0.03)


def test_one_block_bounds_nothing() -> None:
    assert bounds_of_mean(np.array([3.0]), np.array([10.0]), 0.95, seed=0) is None
