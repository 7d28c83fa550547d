"""From sums to findings: broken data is told from drift, and no column is left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from trimtab.policy.drift.judging import kind_of
from trimtab.records.reference import OUTPUT
from trimtab.records.verdicts import Finding, FindingKind, VerdictKind

if TYPE_CHECKING:
    from tests.policy.drift.conftest import Lab, Watched

ROWS, TRAINED_ROWS = 1000, 9000
HOUR = pd.Timedelta(hours=1)
STARTED = pd.Timestamp("2013-01-01", tz="UTC")
NAMES = ["wind", "degrees", "price", "stops", "carrier", "holiday", "booked", "year", OUTPUT]


def times_of(first: int, rows: int) -> pd.Series[Any]:
    return pd.Series(STARTED + np.arange(first, first + rows) * HOUR)


def world(first: int, rows: int, *, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    wind = rng.gamma(4.0, 3.0, size=rows)
    return pd.DataFrame(
        {
            "wind": wind,
            "degrees": rng.normal(15, 4, size=rows),
            "price": np.exp(rng.normal(4, 0.5, size=rows)),
            "stops": rng.integers(0, 5, size=rows),
            "carrier": rng.choice(["AA", "B6", "DL", "UA"], size=rows),
            "holiday": rng.uniform(size=rows) < 0.3,
            "booked": times_of(first, rows) - pd.to_timedelta(rng.exponential(30, rows), "D"),
            "year": np.full(rows, 2013),
            OUTPUT: 1 / (1 + np.exp(2 - wind / 10)),
        }
    )


WINDOW = world(TRAINED_ROWS, ROWS, seed=1)
HALF = np.random.default_rng(3).uniform(size=ROWS)


@pytest.fixture(scope="module")
def trained(lab: Lab) -> Watched:
    times = times_of(0, TRAINED_ROWS)
    return lab.watched(world(0, TRAINED_ROWS, seed=0), times=times, rate=0.05)


def judge(trained: Watched, window: pd.DataFrame, **known: Any) -> dict[str, Finding]:
    seconds = times_of(TRAINED_ROWS, len(window)).astype("int64").to_numpy() / 1e9
    judged = trained.judged(window, seconds=seconds, **known)
    return {finding.column: finding for finding in judged.findings}


def the_one(trained: Watched, kind: FindingKind, **columns: Any) -> Finding:
    """Judge a window in which some columns are changed; gives the finding of the first.

    No other column must look drifted or broken; how they move together may.
    """
    found = judge(trained, WINDOW.assign(**columns))
    others = {f.kind for name, f in found.items() if name not in (*columns, "(together)")}
    assert others == {FindingKind.STABLE}
    finding = found[next(iter(columns))]
    assert finding.kind is kind
    return finding


def broken(trained: Watched, **columns: Any) -> str:
    return the_one(trained, FindingKind.BROKEN, **columns).note


def drifted(trained: Watched, **columns: Any) -> Finding:
    return the_one(trained, FindingKind.DRIFTED, **columns)


def test_a_window_of_the_same_world_is_stable_in_every_column(trained: Watched) -> None:
    found = judge(trained, WINDOW)

    assert {name: f.kind for name, f in found.items()} == dict.fromkeys(
        [*NAMES, "(together)"], FindingKind.STABLE
    )
    assert kind_of(list(found.values())) is VerdictKind.STABLE
    for name in NAMES:
        assert found[name].rows == ROWS
        assert found[name].limit is not None
        assert found[name].p_value is not None


def test_a_shift_within_the_range_is_drift_and_says_how_far(trained: Watched) -> None:
    found = drifted(trained, wind=WINDOW["wind"] * 1.2)

    assert found.effect == pytest.approx(0.37, abs=0.15)
    assert found.words.startswith("location moved by +0.")


def test_a_null_burst_is_broken_and_a_few_more_missing_values_are_drift(trained: Watched) -> None:
    assert "missing" in broken(trained, wind=WINDOW["wind"].where(HALF > 0.3))
    assert drifted(trained, wind=WINDOW["wind"].where(HALF > 0.1)).check == "missing"


@pytest.mark.parametrize("column", NAMES)
def test_a_wholly_missing_column_is_broken_data(column: str, trained: Watched) -> None:
    assert "no values at all" in broken(trained, **{column: None})


def test_a_frozen_column_is_broken_unless_that_value_is_the_usual_one(trained: Watched) -> None:
    assert "frozen" in broken(trained, wind=11.5)
    assert "frozen" in broken(trained, carrier="AA")
    assert drifted(trained, holiday=False).check == "location"


@pytest.mark.parametrize(
    ("column", "factor", "offset", "unit"),
    [
        ("wind", 1000, 0, "1,000"),
        ("degrees", 1.8, 32, "Fahrenheit for Celsius"),
        ("degrees", 1, 273.15, "kelvin for Celsius"),
        ("price", 100, 0, "cents for euros"),
        ("price", 0.01, 0, "cents for euros, the other way round"),
        ("wind", 3.28084, 0, "feet for metres"),
    ],
)
def test_another_unit_is_named(
    column: str, factor: float, offset: float, unit: str, trained: Watched
) -> None:
    assert unit in broken(trained, **{column: WINDOW[column] * factor + offset})


def test_a_number_far_outside_in_no_known_unit_is_broken_all_the_same(trained: Watched) -> None:
    assert "far outside" in broken(trained, wind=WINDOW["wind"] + 1e6)


def test_two_columns_that_changed_places_are_both_named(trained: Watched) -> None:
    changed = {"degrees": WINDOW["price"], "price": WINDOW["degrees"]}
    found = judge(trained, WINDOW.assign(**changed))

    assert "stand in 'price'" in found["degrees"].note
    assert "stand in 'degrees'" in found["price"].note


def test_categories_of_another_spelling_are_broken_and_one_new_one_is_drift(
    trained: Watched,
) -> None:
    assert "another spelling" in broken(trained, carrier=WINDOW["carrier"].str.lower())

    found = drifted(trained, carrier=WINDOW["carrier"].where(HALF > 0.05, "WN"))
    assert found.check == "unseen"
    assert found.unseen == pytest.approx(0.05, abs=0.02)


def test_values_of_another_type_are_broken_when_they_are_most(trained: Watched) -> None:
    assert "are no double" in broken(trained, wind=WINDOW["wind"].astype(str))

    one = WINDOW["wind"].astype(object).where(WINDOW.index != 3, "n/a")
    assert "count as missing: 1" in judge(trained, WINDOW.assign(wind=one))["wind"].note


def test_time_goes_on_but_moments_that_were_far_away_are_stale_or_in_the_future(
    trained: Watched,
) -> None:
    stale = broken(trained, booked=WINDOW["booked"] - pd.Timedelta(days=4000))
    future = broken(trained, booked=WINDOW["booked"] + pd.Timedelta(days=4000))

    assert "the row's own time" in stale
    assert "the row's own time" in future


def test_a_constant_that_becomes_another_constant_is_drift(trained: Watched) -> None:
    assert drifted(trained, year=2014).check == "unseen"


def test_duplicated_traffic_is_broken_data(trained: Watched) -> None:
    found = judge(trained, pd.concat([WINDOW[:500]] * 2, ignore_index=True))

    assert found["(rows)"].kind is FindingKind.BROKEN
    assert "50% of the rows repeat" in found["(rows)"].note


def test_broken_data_wins_over_drift_and_adds_no_evidence(trained: Watched) -> None:
    window = WINDOW.assign(wind=WINDOW["wind"] * 1.3, carrier=None)
    judged = trained.judged(window)

    assert judged.kind is VerdictKind.BROKEN_DATA
    assert judged.evidence.windows == 0


def test_a_column_that_did_not_come_is_broken_and_still_in_the_verdict(trained: Watched) -> None:
    found = judge(trained, WINDOW.drop(columns="wind"))["wind"]

    assert found.kind is FindingKind.BROKEN
    assert found.missing == 1.0
    assert "missing from the window" in found.note


def test_a_column_that_is_not_captured_is_not_judged_and_says_why(trained: Watched) -> None:
    found = judge(trained, WINDOW.drop(columns="wind"), withheld={"wind": "dropped by settings"})

    assert found["wind"].kind is FindingKind.NOT_JUDGED
    assert found["wind"].note == "dropped by settings"


@pytest.mark.parametrize("rows", [0, 1, 199])
def test_with_too_few_rows_no_column_is_judged_and_evidence_stays(
    rows: int, trained: Watched
) -> None:
    before = trained.judged(WINDOW.assign(wind=WINDOW["wind"] * 1.3)).evidence
    judged = trained.judged(WINDOW[:rows], before=before)

    assert [f.column for f in judged.findings] == [*NAMES, "(together)"]
    assert {f.kind for f in judged.findings} == {FindingKind.NOT_JUDGED}
    assert all("200 are needed" in f.note for f in judged.findings)
    assert judged.evidence == before
    assert judged.kind is VerdictKind.NOT_ENOUGH_ROWS


def test_nothing_judged_is_no_verdict() -> None:
    assert kind_of([Finding(column="a", kind=FindingKind.NOT_JUDGED)]) is (
        VerdictKind.NOT_ENOUGH_ROWS
    )


def test_the_distance_from_the_window_before_is_told(trained: Watched) -> None:
    moved = WINDOW.assign(wind=WINDOW["wind"] * 2)
    seconds = times_of(TRAINED_ROWS, ROWS).astype("int64").to_numpy() / 1e9
    previous = trained.sums(moved, seconds)

    same = judge(trained, moved, previous=previous)["wind"]
    back = judge(trained, WINDOW, previous=previous)["wind"]

    assert same.since_previous == pytest.approx(0, abs=1e-6)
    assert same.distance == pytest.approx(back.since_previous, abs=0.1)
