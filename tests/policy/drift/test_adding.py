"""Sums add up: a window is what its stretches are together, in any order."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trimtab.policy.drift.adding import add, repeated
from trimtab.records.documents import from_json, to_json
from trimtab.records.sums import WindowSums

if TYPE_CHECKING:
    from tests.policy.drift.conftest import Lab, Watched


@given(cuts=st.lists(st.integers(0, 900), max_size=5), order=st.randoms(use_true_random=False))
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_however_rows_are_cut_their_sums_are_those_of_the_whole(
    cuts: list[int], order: object, lab: Lab, independent: Watched
) -> None:
    frame = lab.stream(900, seed=2)
    frame.loc[::7, "x2"] = np.nan
    frame.loc[::11, "kind"] = "new"
    edges = sorted({0, 900, *cuts})
    stretches = [
        independent.sums(frame[low:high].reset_index(drop=True)) for low, high in pairwise(edges)
    ]
    order.shuffle(stretches)  # type: ignore[attr-defined]

    together, whole = add(stretches), independent.sums(frame)

    assert together.products == pytest.approx(whole.products)
    assert (together.columns, together.hashes) == (whole.columns, whole.hashes)
    assert (together.rows, together.seasons) == (whole.rows, whole.seasons)


def test_nothing_adds_nothing(lab: Lab, independent: Watched) -> None:
    sums = independent.sums(lab.stream(50, seed=2))

    assert add([]) == WindowSums()
    assert add([WindowSums(), sums, WindowSums()]) == sums
    assert from_json(WindowSums, to_json(sums)) == sums


def test_a_column_that_some_rows_lack_counts_as_missing_there(
    lab: Lab, independent: Watched
) -> None:
    frame = lab.stream(100, seed=2)
    sums = add([independent.sums(frame), independent.sums(frame.drop(columns="x3"))])

    assert sums.columns["x3"].missing == 100
    assert sums.columns["x3"].rows == sums.columns["x4"].rows == 200


@pytest.mark.parametrize("times", [1, 2, 10])
def test_repeated_rows_are_counted_whatever_their_number(
    times: int, lab: Lab, independent: Watched
) -> None:
    frame = pd.concat([lab.stream(2000, seed=3)] * times, ignore_index=True)

    assert repeated(independent.sums(frame)) == pytest.approx(1 - 1 / times, abs=0.01)


def test_the_cost_of_a_sum_does_not_grow_with_its_rows(lab: Lab, independent: Watched) -> None:
    small, large = (len(to_json(independent.sums(lab.stream(n, seed=4)))) for n in (500, 20_000))

    assert large < 1.5 * small
