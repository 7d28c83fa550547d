"""A change is what it says, where it says, and nothing else."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.records.drills import Change
from trimtab_pipelines.drill.injecting import NEW_CATEGORY, USUAL_SIZES, Injection, inject

COLUMNS = {
    Change.NOTHING: "",
    Change.CYCLE: "price",
    Change.MEAN_SHIFT: "price",
    Change.NEW_CATEGORY: "country",
    Change.NULL_BURST: "price",
    Change.UNIT_CHANGE: "price",
    Change.LABEL_FLIP: "late",
}


def rows(count: int) -> pd.DataFrame:
    chance = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "at": pd.date_range("2030-01-07", periods=count, freq="1h", tz="UTC"),
            "price": chance.normal(10, 2, count),
            "items": chance.integers(1, 9, count),
            "country": chance.choice(["NL", "BE"], count),
            "late": chance.random(count) < 0.3,
        }
    )


def injection(change: Change, **facts: object) -> Injection:
    known = {
        "column": COLUMNS[change],
        "size": USUAL_SIZES.get(change, 0.0),
        "deviation": 2.0,
        "period": timedelta(days=7),
    }
    return Injection(change=change, **{**known, **facts})  # type: ignore[arg-type]


@given(change=st.sampled_from(Change), count=st.integers(0, 60), seed=st.integers(0, 9))
def test_only_the_named_column_changes_and_always_the_same_way(
    change: Change, count: int, seed: int
) -> None:
    before = rows(count)
    after = inject(before, injection(change), "at", seed)

    assert after.equals(inject(before, injection(change), "at", seed))
    others = [name for name in before if name != COLUMNS[change]]
    assert after[others].equals(before[others])
    assert list(after.columns) == list(before.columns)
    assert before.equals(rows(count)), "what was given is left as it was"


def test_a_shift_is_of_so_many_standard_deviations() -> None:
    before = rows(50)
    after = inject(before, injection(Change.MEAN_SHIFT, size=-1.5), "at", 1)

    assert np.allclose(after["price"] - before["price"], -3.0)


def test_whole_numbers_stay_whole() -> None:
    for change in (Change.MEAN_SHIFT, Change.UNIT_CHANGE, Change.CYCLE):
        after = inject(rows(50), injection(change, column="items"), "at", 1)
        assert after["items"].dtype == np.dtype("int64")


def test_a_season_comes_back_after_its_period() -> None:
    before = rows(24 * 14)
    swing = inject(before, injection(Change.CYCLE), "at", 1)["price"] - before["price"]

    assert np.allclose(swing[: 24 * 7].to_numpy(), swing[24 * 7 :].to_numpy())
    assert swing.max() == pytest.approx(2.0, abs=0.01)


@given(share=st.floats(0.05, 1))
def test_shares_are_of_the_rows(share: float) -> None:
    before = rows(2000)
    null = inject(before, injection(Change.NULL_BURST, size=share), "at", 1)["price"].isna()
    new = inject(before, injection(Change.NEW_CATEGORY, size=share), "at", 1)["country"]

    assert null.mean() == pytest.approx(share, abs=0.05)
    assert (new == NEW_CATEGORY).mean() == pytest.approx(share, abs=0.05)


def test_labels_are_turned_round_and_numbers_mirrored() -> None:
    before = rows(50)
    flipped = inject(before, injection(Change.LABEL_FLIP), "at", 1)
    mirrored = inject(before, injection(Change.LABEL_FLIP, column="price"), "at", 1)

    assert (flipped["late"] == ~before["late"]).all()
    assert mirrored["price"].mean() == pytest.approx(before["price"].mean())
    assert np.corrcoef(mirrored["price"], before["price"])[0, 1] == pytest.approx(-1)
