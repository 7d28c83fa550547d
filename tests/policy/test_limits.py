"""Limits keep to the false-alarm budget on data that does not change, and find what does."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.policy.distance import distance
from trimtab.policy.limits import SMALLEST, family_wise, rate_in_budget, upper
from trimtab.policy.pseudo_windows import by_rows, by_time
from trimtab.policy.reference import build_reference
from trimtab.policy.summaries import count, read
from trimtab.records.documents import from_json, to_json
from trimtab.records.durations import Rate
from trimtab.records.reference import OUTPUT, Reference
from trimtab.records.schema import Column, ColumnType, Schema

WEEK = timedelta(days=7)
COLUMNS = 8
SCHEMA = Schema(
    columns=(
        *(Column(name=f"x{i}", type=ColumnType.DOUBLE, required=False) for i in range(COLUMNS)),
        Column(name="kind", type=ColumnType.STRING, required=False),
    )
)


def stream(rows: int, *, seed: int, memory: float) -> pd.DataFrame:
    """Rows that resemble the one before them by `memory`, around a mean that never changes."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(rows, COLUMNS)) * np.sqrt(1 - memory**2)
    values = np.empty_like(noise)
    values[0] = rng.normal(size=COLUMNS)
    for row in range(1, rows):
        values[row] = memory * values[row - 1] + noise[row]
    frame = pd.DataFrame(values, columns=[f"x{i}" for i in range(COLUMNS)])
    frame["kind"] = np.where(values[:, 0] > 1, "high", np.where(values[:, 1] > 0, "some", "none"))
    return frame


def reference_of(frame: pd.DataFrame, *, rows_a_week: int, rate: float) -> Reference:
    numbers = frame.drop(columns="kind").to_numpy()
    step = WEEK / rows_a_week
    times = pd.Series(pd.date_range("2013-01-07", periods=len(frame), freq=step, tz="UTC"))
    return build_reference(
        frame,
        numbers.mean(axis=1),
        times,
        SCHEMA,
        window=WEEK,
        false_alarms=rate,
        min_rows=200,
        seed=0,
    )


def alarms(reference: Reference, window: pd.DataFrame) -> bool:
    limits = reference.limits_at(len(window))
    assert limits is not None
    output = window.drop(columns="kind").mean(axis=1)
    for summary in reference.columns:
        values = output if summary.name == OUTPUT else window[summary.name]
        type_ = ColumnType.STRING if summary.name == "kind" else ColumnType.DOUBLE
        found = distance(summary, count(summary, read(values, type_)))
        if found is None or found > limits.by_column[summary.name]:
            return True
    return False


@pytest.mark.parametrize("memory", [0.0, 0.9])
def test_undisturbed_windows_raise_about_as_many_alarms_as_the_budget_allows(
    memory: float,
) -> None:
    rate, size, windows = 0.05, 500, 300
    frame = stream((40 + windows) * size, seed=11, memory=memory)
    reference = reference_of(frame[: 40 * size], rows_a_week=size, rate=rate)

    live = frame[40 * size :]
    found = [alarms(reference, live[i * size : (i + 1) * size]) for i in range(windows)]

    assert 0 < sum(found) <= 0.1 * windows  # 0.05 expected; 40 weeks do not say it more exactly


def test_a_few_weeks_of_training_do_not_make_alarms_the_rule() -> None:
    size, windows, rates = 500, 20, []
    for seed in range(6):
        frame = stream((11 + windows) * size, seed=seed, memory=0.9)
        reference = reference_of(frame[: 11 * size], rows_a_week=size, rate=1 / 13)
        live = frame[11 * size :]
        found = [alarms(reference, live[i * size : (i + 1) * size]) for i in range(windows)]
        rates.append(sum(found) / windows)

    assert np.mean(rates) <= 0.15


@pytest.mark.parametrize("size", [200, 500, 1000])
def test_a_shift_of_half_a_standard_deviation_is_found_in_independent_rows(size: int) -> None:
    frame = stream(13_000, seed=3, memory=0.0)
    reference = reference_of(frame, rows_a_week=1000, rate=1 / 13)
    moved = stream(20 * size, seed=4, memory=0.0)
    moved["x3"] += 0.5

    found = [alarms(reference, moved[i * size : (i + 1) * size]) for i in range(20)]

    assert sum(found) >= (14 if size == 200 else 20)


def test_limits_of_autocorrelated_rows_are_wider_than_those_of_independent_ones() -> None:
    independent, alike = (
        reference_of(stream(10_000, seed=1, memory=m), rows_a_week=500, rate=0.05)
        for m in (0, 0.95)
    )

    assert independent.limits[-1].by_column["x0"] < 0.7 * alike.limits[-1].by_column["x0"]


def test_the_same_rows_give_the_same_reference_and_it_survives_its_file() -> None:
    frame = stream(2000, seed=2, memory=0.5)

    first, second = (reference_of(frame, rows_a_week=500, rate=0.05) for _ in range(2))

    assert first == second == from_json(Reference, to_json(first))


@given(
    rows=st.integers(min_value=1, max_value=600),
    min_rows=st.integers(min_value=30, max_value=300),
    rows_a_week=st.integers(min_value=5, max_value=400),
    seed=st.integers(min_value=0, max_value=9),
)
@settings(max_examples=40, deadline=None)
def test_every_column_has_a_limit_that_narrows_with_more_rows(
    rows: int, min_rows: int, rows_a_week: int, seed: int
) -> None:
    frame = stream(rows, seed=seed, memory=0.3)
    times = pd.Series(pd.date_range("2013-01-07", periods=rows, freq=WEEK / rows_a_week, tz="UTC"))

    reference = build_reference(
        frame,
        frame["kind"].to_numpy(),
        times if seed % 2 else None,
        SCHEMA,
        window=WEEK,
        false_alarms=0.05,
        min_rows=min_rows,
        seed=seed,
    )

    assert reference.rows_needed == min_rows
    sizes = [limits.rows for limits in reference.limits]
    assert sizes == sorted(set(sizes))
    for name in (*SCHEMA.names, OUTPUT):
        by_size = [limits.by_column[name] for limits in reference.limits]
        assert by_size == sorted(by_size, reverse=True)
        assert all(SMALLEST <= limit <= 1 for limit in by_size)


def test_rows_may_come_in_any_order_when_their_times_are_known() -> None:
    frame = stream(2000, seed=5, memory=0.9)
    times = pd.Series(pd.date_range("2013-01-07", periods=2000, freq="1h", tz="UTC"))
    shuffled = np.random.default_rng(0).permutation(2000)

    def build(order: np.ndarray) -> Reference:
        return build_reference(
            frame.iloc[order],
            frame["x0"].to_numpy()[order],
            times.iloc[order],
            SCHEMA,
            window=WEEK,
            false_alarms=0.05,
            min_rows=50,
            seed=0,
        )

    in_order, out_of_order = build(np.arange(2000)), build(shuffled)

    assert in_order.limits == out_of_order.limits


def test_a_reference_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no rows"):
        reference_of(stream(1, seed=0, memory=0)[:0], rows_a_week=10, rate=0.05)


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


def test_a_column_that_always_jumps_does_not_widen_the_limits_of_the_others() -> None:
    calm = np.random.default_rng(0).uniform(0.05, 0.07, size=(200, 5))
    wild = np.random.default_rng(1).uniform(0.0, 0.9, size=(200, 1))

    alone = family_wise(calm, independent=200, rate=0.05)
    beside = family_wise(np.hstack([calm, wild]), independent=200, rate=0.05)

    assert (beside[:5] < alone * 1.2).all()
    assert beside[5] > 0.8


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
