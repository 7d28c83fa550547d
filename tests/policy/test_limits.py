"""Limits of what was measured in windows of the past, and the budget they keep to."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.policy.limits import rate_in_budget, upper
from trimtab.policy.pseudo_windows import by_rows, by_time
from trimtab.policy.reference import promise_quality
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


def test_a_promise_is_kept_by_windows_of_the_same_kind() -> None:
    rng = np.random.default_rng(0)
    losses = rng.exponential(size=40_000)
    times = pd.Series(pd.date_range("2013-01-07", periods=20_000, freq="10min", tz="UTC"))

    promise = promise_quality(
        losses[:20_000], times, metric="log_loss", window=WEEK, false_alarms=0.05, seed=0
    )

    later = losses[20_000:].reshape(-1, 1000).mean(axis=1)
    assert promise.expected == pytest.approx(1, abs=0.03)
    assert promise.limit > promise.expected
    assert np.mean(later > promise.limit) <= 0.1
    assert promise.limit < 1.2  # and a loss of a fifth more would show


@pytest.mark.parametrize("known", [1, 3, 50])
def test_a_promise_can_be_made_of_few_losses_and_of_gaps(known: int) -> None:
    losses = np.full(100, np.nan)
    losses[:known] = np.linspace(0.1, 0.9, known)

    promise = promise_quality(losses, None, metric="brier", window=WEEK, false_alarms=0.05, seed=0)

    assert np.isfinite(promise.limit)
    assert promise.limit >= promise.expected


def test_one_stray_time_does_not_break_a_promise() -> None:
    times = pd.Series(pd.to_datetime(["2010-01-01"] + ["2013-01-07"] * 99, utc=True))

    promise = promise_quality(
        np.ones(100), times, metric="brier", window=WEEK, false_alarms=0.05, seed=0
    )

    assert promise.limit == pytest.approx(1.0)


def test_a_promise_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no losses"):
        promise_quality(
            np.array([np.nan]), None, metric="brier", window=WEEK, false_alarms=0.05, seed=0
        )
