"""The Jensen-Shannon distance of counts."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon

from trimtab.policy.distance import distance_of_counts, jensen_shannon
from trimtab.policy.summaries import count, read, summarise
from trimtab.records.schema import ColumnType

histograms = st.lists(st.integers(min_value=0, max_value=1000), min_size=4, max_size=4).filter(any)


@given(left=histograms, right=histograms)
def test_it_is_the_distance_that_scipy_computes(left: list[int], right: list[int]) -> None:
    found = float(jensen_shannon(np.array(left), np.array(right)))

    assert found == pytest.approx(jensenshannon(left, right, base=2), abs=1e-7)


@given(left=histograms, right=histograms, factor=st.integers(min_value=1, max_value=9))
def test_it_is_symmetric_between_0_and_1_and_blind_to_the_number_of_rows(
    left: list[int], right: list[int], factor: int
) -> None:
    p, q = np.array(left), np.array(right)

    assert 0 <= jensen_shannon(p, q) <= 1
    assert jensen_shannon(p, q) == pytest.approx(jensen_shannon(q, p), abs=1e-9)
    assert jensen_shannon(p * factor, q) == pytest.approx(jensen_shannon(p, q), abs=1e-7)
    assert jensen_shannon(p, p) == pytest.approx(0, abs=1e-7)


def test_disjoint_counts_are_as_far_apart_as_can_be() -> None:
    assert jensen_shannon(np.array([5, 0]), np.array([0, 2])) == 1.0


def test_without_rows_there_is_no_distance() -> None:
    summary = summarise("c", read(pd.Series([1.0, 2.0]), ColumnType.DOUBLE)).summary

    nothing = count(summary, read(pd.Series([], dtype=float), ColumnType.DOUBLE))
    assert np.isnan(jensen_shannon(nothing.counts, np.ones(5)))
    assert distance_of_counts(summary, nothing.counts) == 1.0


def test_a_shift_of_half_a_standard_deviation_has_its_known_distance() -> None:
    rng = np.random.default_rng(0)
    summary = summarise("c", read(pd.Series(rng.normal(size=50_000)), ColumnType.DOUBLE)).summary

    moved = count(summary, read(pd.Series(rng.normal(size=50_000) + 0.5), ColumnType.DOUBLE))

    # of two normal densities so far apart, by numerical integration
    x = np.linspace(-8, 9, 20_001)
    p, q = np.exp(-(x**2) / 2), np.exp(-((x - 0.5) ** 2) / 2)
    assert distance_of_counts(summary, moved.counts) == pytest.approx(
        jensenshannon(p, q, base=2), abs=0.01
    )


def test_missing_values_have_a_bin_of_their_own() -> None:
    full = pd.Series(["a", "b"] * 50)
    summary = summarise("c", read(full, ColumnType.STRING)).summary

    window = count(summary, read(full.where(full == "a"), ColumnType.STRING))
    holed = distance_of_counts(summary, window.counts)

    assert holed == pytest.approx(math.sqrt(0.5), abs=1e-6)


def test_unseen_categories_do_not_hide_among_the_rare_ones() -> None:
    names = [f"c{i % 60}" for i in range(6000)]
    summary = summarise("c", read(pd.Series(names), ColumnType.STRING)).summary
    rare = [name if name in summary.categories[:49] else "new" for name in names]

    window = count(summary, read(pd.Series(rare), ColumnType.STRING))
    assert distance_of_counts(summary, window.counts) > 0.2
