"""Limits of what was measured in windows of the past, and the budget they keep to."""

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.policy.limits import rate_in_budget, upper
from trimtab.policy.pseudo_windows import by_rows, by_time
from trimtab.records.durations import Rate

WEEK = timedelta(days=7)


def test_a_budget_per_quarter_becomes_a_rate_per_window() -> None:
    assert rate_in_budget(Rate.parse("1 per quarter").per(WEEK)) == pytest.approx(1 / 13)
    assert rate_in_budget(Rate.parse("10 per day").per(WEEK)) == 0.2


@given(
    values=st.lists(st.floats(0, 1), min_size=20, max_size=200, unique=True),
    rate=st.floats(0.05, 0.2),
)
def test_no_more_of_many_values_exceed_their_own_limit_than_the_rate(
    values: list[float], rate: float
) -> None:
    limit = upper(np.array(values), independent=len(values), rate=rate)

    assert np.mean(np.array(values) > limit) <= rate


def test_few_windows_reach_beyond_the_largest_of_them() -> None:
    values = np.random.default_rng(0).normal(size=8)

    assert upper(values, independent=8, rate=0.01) > values.max()


def test_windows_are_cut_where_there_are_enough_and_resampled_where_not() -> None:
    rng = np.random.default_rng(0)

    assert by_rows(3000, 500, rng).draws is None
    assert by_rows(1000, 500, rng).draws is not None
    assert by_rows(3000, 500, rng).independent == 6


@given(
    times=st.lists(st.floats(0, 1e7), min_size=1, max_size=300).map(sorted),
    days=st.integers(1, 30),
)
def test_a_window_and_the_rest_are_all_rows_that_were_cut(times: list[float], days: int) -> None:
    windows = by_time(np.array(times), timedelta(days=days), np.random.default_rng(0))
    here, rest = windows.split(windows.total(np.ones(len(times))))

    if windows.draws is None:
        assert (here + rest == (windows.blocks >= 0).sum()).all()
    assert (here >= 0).all()
    assert windows.blocks.max() < windows.size
