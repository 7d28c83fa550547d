"""The bounds of a measured loss, and how long its labels took."""

from datetime import timedelta

import numpy as np
import pytest

from trimtab.policy.measuring import bounds, lag_of, limit_at, measured_slices
from trimtab.records.quality import QualityPromise, Slice, SlicePromise


def autocorrelated(rows: int, memory: float, rng: np.random.Generator) -> np.ndarray:
    noise = rng.normal(size=rows)
    found = np.empty(rows)
    last = noise[0] / np.sqrt(1 - memory**2)
    for i in range(rows):
        last = memory * last + noise[i]
        found[i] = last
    return found


@pytest.mark.parametrize("memory", [0.0, 0.9])
def test_the_bounds_hold_the_mean_though_rows_are_like_their_neighbours(memory: float) -> None:
    rng = np.random.default_rng(0)
    seconds = np.arange(2000.0)

    held = 0
    for _ in range(150):
        found = bounds(1 + autocorrelated(2000, memory, rng), seconds)
        assert found is not None
        held += found[0] <= 1 <= found[1]

    assert 0.84 <= held / 150 <= 0.97  # 0.9 is promised


def test_rows_of_one_moment_bound_nothing() -> None:
    assert bounds(np.ones(5), np.zeros(5)) is None
    assert bounds(np.full(5, np.nan), np.arange(5.0)) is None


def test_gaps_are_left_out_of_the_bounds() -> None:
    losses = np.where(np.arange(100) % 3 == 0, np.nan, 2.0)

    assert bounds(losses, np.arange(100.0)) == (2.0, 2.0)


def test_the_lag_is_of_the_labels_that_have_come() -> None:
    waited = [*range(1, 11), np.nan]

    found = lag_of(waited)

    assert found is not None
    assert (found.median, found.most) == (timedelta(seconds=5), timedelta(seconds=9))
    assert lag_of([]) is None
    assert lag_of([np.nan]) is None


def test_a_promise_is_widened_for_fewer_labels_and_never_narrowed() -> None:
    promise = QualityPromise(metric="brier", expected=1.0, limit=1.2, rows=400)

    assert limit_at(promise, 100) == pytest.approx(1.4)
    assert limit_at(promise, 4000) == pytest.approx(1.2)
    assert limit_at(promise, 0) == pytest.approx(1.2)


def test_a_slice_of_few_labels_has_no_value() -> None:
    jfk, ewr, gone = (Slice(column="origin", value=v) for v in ("JFK", "EWR", "LGA"))
    promises = [SlicePromise(rows_in=s, expected=1.0, limit=1.5, rows=30) for s in (jfk, ewr, gone)]
    losses = np.array([2.0] * 40 + [1.0] * 20 + [np.nan] * 40)
    rows = np.arange(100)

    found = measured_slices(promises, losses, {jfk: rows < 40, ewr: rows >= 40})

    assert [(s.name, s.rows, s.value, s.is_worse) for s in found] == [
        ("origin=JFK", 40, 2.0, True),
        ("origin=EWR", 20, None, False),
    ]
