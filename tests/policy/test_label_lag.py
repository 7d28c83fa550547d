"""How late labels come is learned without the bias that young rows show quick labels only."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.policy.label_lag import LagCurve, arrival, curve_of, learn
from trimtab.records.quality import LabelLag

NOW = datetime(2013, 6, 1, tzinfo=UTC)
DAY = 86400.0


def arrived(days: float, mean_lag: float, rows: int, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Rows of the last `days`, of which those are kept whose label has come by now."""
    random = np.random.default_rng(seed)
    age = random.uniform(0, days * DAY, rows)
    lag = random.exponential(mean_lag * DAY, rows)
    return lag[lag <= age], age[lag <= age], age


def test_young_rows_do_not_make_labels_look_quicker_than_they_are() -> None:
    lag, age, _ = arrived(days=20, mean_lag=5, rows=20_000)
    curve = learn(lag, age)
    assert curve is not None
    naive = float((lag <= 5 * DAY).mean())
    truth = (1 - np.exp(-1)) / (1 - np.exp(-20 / 5))  # of the labels that come within 20 days

    assert naive > truth + 0.05
    assert float(curve.share(np.array([5 * DAY]))[0]) == pytest.approx(truth, abs=0.02)


def test_rows_without_a_label_yet_are_estimated_from_those_with_one() -> None:
    lag, age, everyone = arrived(days=40, mean_lag=3, rows=20_000, seed=1)
    curve = learn(lag, age)
    assert curve is not None
    times = np.sort(NOW.timestamp() - age)
    complete, found = arrival(times, NOW, curve, share=0.95, needed=1)
    after = found.after.total_seconds()

    assert found.labelled == len(lag) < len(everyone)
    assert found.expected == pytest.approx(len(everyone), rel=0.02)
    assert after == pytest.approx(3 * DAY * np.log(20), rel=0.1)
    assert complete == int((age >= after).sum())


def test_the_moment_with_enough_complete_rows_is_foreseen() -> None:
    _, age, everyone = arrived(days=12, mean_lag=3, rows=5000, seed=2)
    curve = LagCurve(lags=np.arange(1, 400) * DAY / 8, shares=1 - np.exp(-np.arange(1, 400) / 24))
    times = np.sort(NOW.timestamp() - age)
    _, found = arrival(times, NOW, curve, share=0.95, needed=3000)
    assert found.enough_at is not None
    then = found.enough_at.timestamp() - found.after.total_seconds()
    old_enough = int((NOW.timestamp() - everyone <= then).sum())

    assert 0.95 * old_enough == pytest.approx(3000, rel=0.05)
    assert arrival(times, NOW, curve, share=0.95, needed=100_000)[1].enough_at is None
    assert arrival(times, NOW, curve, share=0.95, needed=1)[1].enough_at is None, "now already"


@settings(max_examples=50)
@given(
    lags=st.lists(st.integers(0, 50), min_size=100, max_size=300),
    extra=st.integers(0, 40),
)
def test_a_learned_curve_rises_to_one(lags: list[int], extra: int) -> None:
    waited = np.array(lags, dtype=float)
    curve = learn(waited, waited + extra)
    assert curve is not None

    assert np.all(np.diff(curve.shares) >= 0)
    assert np.all((curve.shares >= 0) & (curve.shares <= 1))
    assert curve.shares[-1] == 1.0
    assert curve.within(0.95).total_seconds() in waited


def test_without_truncation_the_curve_is_the_share_that_came() -> None:
    waited = np.repeat(np.arange(1.0, 11.0), 20)
    curve = learn(waited, np.full(200, 1e9))
    assert curve is not None

    assert curve.share(np.arange(0.0, 12.0)) == pytest.approx([0, *np.arange(0.1, 1.01, 0.1), 1.0])


def test_few_labels_teach_nothing() -> None:
    assert learn(np.ones(99), np.ones(99)) is None
    assert learn(np.full(200, np.nan), np.ones(200)) is None


@pytest.mark.parametrize(("median", "most"), [(10, 100), (0, 0), (5, 5), (0, 3)])
def test_a_curve_through_median_and_most_passes_both(median: int, most: int) -> None:
    curve = curve_of(LabelLag(median=timedelta(hours=median), most=timedelta(hours=most)))
    share = curve.share(np.array([median * 3600.0 + 1, most * 3600.0 + 1]))

    assert share[0] >= 0.49
    assert share[1] >= 0.89
    assert curve.within(0.95) >= timedelta(hours=most) - timedelta(seconds=1)
