"""Which policy is taken, and how sure that is said to be."""

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.policy.choosing import prefer
from trimtab.policy.summaries import Floats
from trimtab.records.replays import Preference

WEEKS = 39
ROWS = np.full(WEEKS, 1000.0)
COSTS = {"never": 0.0, "drift": 50.0, "monthly": 90.0}


def choose(losses: Mapping[str, Floats], rows: Floats = ROWS) -> Preference:
    return prefer(losses, rows, COSTS, confidence=0.95, seed=1)


def weeks(mean: float, *, seed: int = 0, spread: float = 0.02) -> Floats:
    noise = np.random.default_rng(seed).normal(size=WEEKS)
    return np.asarray((mean + spread * noise) * ROWS)


def test_the_lowest_loss_is_taken_and_a_clear_gain_is_sure() -> None:
    shared = weeks(0.5, seed=3, spread=0.1)

    found = choose({"never": shared + weeks(0.03), "drift": shared, "monthly": shared + 20})

    assert found.policy == "drift"
    assert [rival.name for rival in found.rivals] == ["monthly", "never"]
    assert all((rival.low or 0) > 0 for rival in found.rivals)
    assert found.rivals[0].chance == 1
    assert found.cheaper is None


def test_a_difference_that_is_chance_is_called_unsure_and_the_cheaper_policy_is_named() -> None:
    shared = weeks(0.5, seed=3)
    noise = np.random.default_rng(5).normal(size=WEEKS) * 20

    found = choose({"never": shared, "monthly": shared + noise - noise.mean() - 0.5})

    (rival,) = found.rivals
    assert found.policy == "monthly"
    assert rival.low is not None
    assert rival.low < 0 < rival.gain
    assert rival.chance is not None
    assert 0.4 < rival.chance < 0.8
    assert found.cheaper == "never"


def test_policies_with_the_same_answers_are_alike_and_the_cheapest_stands_for_them() -> None:
    shared = weeks(0.5)

    found = choose({"monthly": shared + 5, "drift": shared, "never": shared.copy()})

    assert (found.policy, found.alike) == ("never", ("drift",))
    assert [rival.name for rival in found.rivals] == ["monthly"]


def test_bad_weeks_that_come_together_make_it_less_sure() -> None:
    gains = np.random.default_rng(2).normal(size=WEEKS) * 10 + 3
    together = np.sort(gains)

    def low(more: Floats) -> float:
        bound = choose({"drift": ROWS, "never": ROWS + more}).rivals[0].low
        assert bound is not None
        return bound

    assert low(together) < low(gains)


def test_a_past_of_three_windows_tells_no_chance() -> None:
    found = choose({"drift": np.ones(3), "never": np.full(3, 2.0)}, np.full(3, 10.0))

    assert found.policy == "drift"
    assert found.rivals[0].chance is None


def test_nothing_to_choose_from_is_an_error() -> None:
    with pytest.raises(ValueError, match="nothing"):
        choose({"never": np.zeros(WEEKS)}, np.zeros(WEEKS))


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.floats(-1, 1), st.integers(4, 60))
def test_who_is_taken_has_the_lowest_loss_and_bounds_enclose_the_gain(
    seed: int, shift: float, count: int
) -> None:
    random = np.random.default_rng(seed)
    rows = random.integers(1, 100, count).astype(float)
    losses = {
        name: random.random(count) * rows + shift * i for i, name in enumerate(("never", "drift"))
    }

    found = choose(losses, rows)

    assert losses[found.policy].sum() == min(of.sum() for of in losses.values())
    for rival in found.rivals:
        assert rival.gain >= 0
        assert rival.low is not None
        assert rival.high is not None
        assert rival.low <= rival.gain <= rival.high


def test_the_chance_is_honest_about_policies_that_are_alike_in_truth() -> None:
    sure = 0
    for seed in range(200):
        noise = np.random.default_rng(seed).normal(size=(2, WEEKS)) * 10
        found = choose({"never": ROWS + noise[0], "drift": ROWS + noise[1]})
        sure += (found.rivals[0].low or 0) > 0

    # Two looks, as either may be the better one, with 5% each; runs of weeks cost a little more.
    assert sure / 200 < 0.16
