"""Promised losses: kept by windows of the same kind, and by the slices of them."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from trimtab.policy.promises import deviations, promise_quality
from trimtab.records.quality import Slice

WEEK = timedelta(days=7)


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


def test_a_limit_rests_on_windows_of_a_usual_size() -> None:
    rng = np.random.default_rng(1)
    busy = pd.date_range("2013-01-07", periods=9_000, freq="10min", tz="UTC")
    stray = pd.DatetimeIndex([busy[-1] + timedelta(days=8)])
    times = pd.Series(busy.append(stray))
    losses = np.append(rng.exponential(size=9_000), 50.0)

    found = deviations(losses, times, window=WEEK, seed=0)

    assert found.rows > 100
    assert found.values.max() < 1


def test_each_slice_keeps_its_own_promise() -> None:
    rng = np.random.default_rng(0)
    is_bad = rng.uniform(size=40_000) < 0.3
    losses = rng.exponential(np.where(is_bad, 2.0, 0.5))
    bad, good, rare = (Slice(column="origin", value=name) for name in ("JFK", "EWR", "LGA"))
    times = pd.Series(pd.date_range("2013-01-07", periods=20_000, freq="10min", tz="UTC"))

    promise = promise_quality(
        losses[:20_000],
        times,
        metric="log_loss",
        window=WEEK,
        false_alarms=0.05,
        seed=0,
        slices={
            bad: is_bad[:20_000],
            good: ~is_bad[:20_000],
            rare: np.arange(20_000) < 29,
        },
    )

    by_slice = {part.rows_in: part for part in promise.slices}
    assert by_slice.keys() == {bad, good}  # 29 rows promise nothing
    assert by_slice[bad].expected == pytest.approx(2.0, abs=0.1)
    assert by_slice[good].expected == pytest.approx(0.5, abs=0.05)
    later = [losses[i : i + 1008][is_bad[i : i + 1008]].mean() for i in range(20_000, 39_000, 1008)]
    assert np.mean(np.array(later) > by_slice[bad].limit) <= 0.1
