"""Scores are standard over the training rows, whatever their distribution."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.policy.drift.scoring import coded, polynomials, ranks

masses = st.lists(st.integers(0, 1000), min_size=1, max_size=40).filter(any)


@given(counts=masses)
def test_polynomials_have_mean_0_variance_1_and_are_not_correlated(counts: list[int]) -> None:
    weights = np.array(counts, dtype=float)
    scores = polynomials(weights)
    shares = weights / weights.sum()

    assert len(scores) <= min(2, sum(1 for n in counts if n) - 1)
    assert scores @ shares == pytest.approx(np.zeros(len(scores)), abs=1e-6)
    assert (scores * shares) @ scores.T == pytest.approx(np.eye(len(scores)), abs=1e-6)


@given(counts=masses)
def test_ranks_rise_and_are_standard(counts: list[int]) -> None:
    weights = np.array(counts, dtype=float)
    shares = weights / weights.sum()

    for scores in ranks(weights):
        assert (np.diff(scores) >= 0).all()
        assert scores @ shares == pytest.approx(0, abs=1e-6)
        assert scores**2 @ shares == pytest.approx(1, abs=1e-6)


@given(counts=masses, seed=st.integers(0, 99))
def test_categories_are_scored_in_the_order_of_their_answers(counts: list[int], seed: int) -> None:
    weights = np.array(counts, dtype=float)
    means = np.random.default_rng(seed).uniform(size=len(counts))
    scores = coded(weights, np.where(weights > 0, means, np.nan))

    for row in scores:
        known = weights > 0
        assert (np.argsort(row[known]) == np.argsort(means[known])).all()
        assert row[~known] == pytest.approx(0)


def test_a_column_of_one_value_has_no_score() -> None:
    assert polynomials(np.array([5.0])).shape[0] == 0
    assert ranks(np.array([0.0, 5.0])).shape[0] == 0
    assert coded(np.array([3.0, 4.0]), np.array([0.5, 0.5])).shape[0] == 0
