"""What is kept of a column, and how windows are counted in its bins."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.policy.summaries import Numbers, count, read, reference_counts, size, summarise
from trimtab.records.schema import ColumnType

ODD_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.dates(),
    st.datetimes(),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=1), st.integers(), max_size=1),
)


def column(*values: Any, dtype: Any = object) -> "pd.Series[Any]":
    return pd.Series(list(values), dtype=dtype)


@given(
    trained=st.lists(ODD_VALUES, max_size=40),
    asked=st.lists(ODD_VALUES, max_size=40),
    type_=st.sampled_from(ColumnType),
)
def test_every_row_of_any_column_is_counted_once(
    trained: list[Any], asked: list[Any], type_: ColumnType
) -> None:
    summary = summarise("c", read(column(*trained), type_)).summary
    window = count(summary, read(column(*asked), type_))

    assert summary.rows == len(trained)
    assert window.rows == len(asked)
    assert len(window.counts) == size(summary) == len(reference_counts(summary))


@given(
    rows=st.lists(st.floats(allow_nan=True, width=32), min_size=1, max_size=200),
    cut=st.integers(min_value=0, max_value=200),
)
def test_counts_of_two_windows_add_up_to_those_of_both(rows: list[float], cut: int) -> None:
    summary = summarise("c", read(column(*rows, dtype=float), ColumnType.DOUBLE)).summary
    first, second, both = (
        count(summary, Numbers(np.array(part, dtype=float)))
        for part in (rows[:cut], rows[cut:], rows)
    )

    assert (first.counts + second.counts).tolist() == both.counts.tolist()
    assert both.counts.tolist() == reference_counts(summary).tolist()


def test_a_numeric_column_has_bins_of_equal_mass_with_finer_tails() -> None:
    values = pd.Series(np.random.default_rng(0).normal(size=30_000))

    summary = summarise("c", read(values, ColumnType.DOUBLE)).summary

    inner = np.array(summary.counts[4:-4])
    assert len(summary.counts) == 36
    assert (np.abs(inner - 1000) <= 1).all()
    assert summary.counts[1] == pytest.approx(30, abs=1)
    assert (summary.counts[0], summary.counts[-1]) == (0, 0)  # for what is below and above all
    assert (summary.low, summary.high) == (values.min(), values.max())


def test_a_value_that_is_frequent_ends_its_own_bin() -> None:
    rng = np.random.default_rng(0)
    rain = np.where(rng.uniform(size=10_000) < 0.9, 0.0, rng.exponential(size=10_000))

    summary = summarise("rain", read(pd.Series(rain), ColumnType.DOUBLE)).summary

    assert summary.edges[1] == 0.0
    assert summary.counts[1] == (rain == 0).sum()


def test_each_of_a_few_numbers_has_its_own_bin() -> None:
    summary = summarise("c", read(column(3, 1, 2, 2, None), ColumnType.LONG)).summary

    assert summary.edges == (np.nextafter(1.0, 0.0), 1.0, 2.0, 3.0)
    assert summary.counts == (0, 1, 2, 1, 0)
    assert summary.missing == 1


def test_categories_are_listed_by_frequency() -> None:
    summary = summarise("c", read(column("b", "a", "b", None), ColumnType.STRING)).summary

    assert summary.categories == ("b", "a")
    assert summary.counts == (2, 1, 0)


def test_free_text_does_not_fill_the_reference() -> None:
    texts = pd.Series([f"text {i}" for i in range(5000)])

    summary = summarise("c", read(texts, ColumnType.STRING)).summary
    again = count(summary, read(texts, ColumnType.STRING))

    assert len(summary.categories) == 1000
    assert summary.counts[-1] == 4000
    assert again.unseen == 4000  # as many as training did not list: the judge takes those off


def test_a_category_that_training_lacks_is_unseen() -> None:
    summary = summarise("c", read(column("a", "b"), ColumnType.STRING)).summary

    window = count(summary, read(column("a", "x", "y", None), ColumnType.STRING))

    assert window.unseen == 2
    assert window.missing == 1


def test_numbers_outside_are_told_from_numbers_far_outside() -> None:
    summary = summarise("c", read(column(0.0, 10.0), ColumnType.DOUBLE)).summary

    window = count(summary, read(column(5.0, 15.0, 25.0, float("inf")), ColumnType.DOUBLE))

    assert window.unseen == 3
    assert window.far == 2


@pytest.mark.parametrize("type_", [ColumnType.DOUBLE, ColumnType.LONG, ColumnType.DATETIME])
def test_values_of_another_type_count_as_missing_and_as_unreadable(type_: ColumnType) -> None:
    found = read(column([1], {"a": 1}, True if type_ is ColumnType.DATETIME else "7"), type_)

    assert isinstance(found, Numbers)
    assert np.isnan(found.values).all()
    assert found.unreadable == 3


def test_moments_are_read_with_and_without_a_zone() -> None:
    zoned = read(column("2013-04-01T00:00:00Z", None), ColumnType.DATETIME)
    bare = read(pd.Series(pd.to_datetime(["2013-04-01", "NaT"])), ColumnType.DATETIME)

    assert isinstance(zoned, Numbers)
    assert isinstance(bare, Numbers)
    np.testing.assert_array_equal(zoned.values, bare.values)


@pytest.mark.parametrize(
    "values",
    [column(True, False, None), column("True", "false", None), column(1.0, 0.0, np.nan)],
)
def test_booleans_are_one_category_however_they_are_written(values: "pd.Series[Any]") -> None:
    summary = summarise("c", read(values, ColumnType.BOOLEAN)).summary

    assert set(summary.categories) == {"true", "false"}
    assert summary.missing == 1


@pytest.mark.parametrize("dtype", ["Int64", "float32", "int8"])
def test_every_numeric_dtype_is_read_alike(dtype: str) -> None:
    found = read(pd.Series([1, 2, 3], dtype=dtype), ColumnType.LONG)

    assert isinstance(found, Numbers)
    assert found.values.tolist() == [1.0, 2.0, 3.0]


def test_what_is_above_the_largest_value_of_training_is_told_from_that_value() -> None:
    clear = pd.Series([10.0] * 90 + [2.0] * 10)  # most rows are at the largest value
    summary = summarise("visibility", read(clear, ColumnType.DOUBLE)).summary

    window = count(summary, read(clear + 1, ColumnType.DOUBLE))

    assert window.counts.tolist() == [0, 0, 10, 90, 0]
