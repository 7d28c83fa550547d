"""From counts to findings: broken data is told from drift, and no column is left out."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from trimtab.policy.distance import distance
from trimtab.policy.judge import findings, kind_of
from trimtab.policy.summaries import ColumnCounts, count, read, summarise
from trimtab.records.reference import ColumnSummary, Limits, Reference
from trimtab.records.schema import ColumnType
from trimtab.records.verdicts import Finding, FindingKind, VerdictKind

RNG = np.random.default_rng(0)
ROWS = 1000
TYPES = {
    "wind": ColumnType.DOUBLE,
    "stops": ColumnType.LONG,
    "carrier": ColumnType.STRING,
    "holiday": ColumnType.BOOLEAN,
    "since": ColumnType.DATETIME,
}
TRAINED = pd.DataFrame(
    {
        "wind": RNG.gamma(4.0, 3.0, size=ROWS),
        "stops": RNG.integers(0, 5, size=ROWS),
        "carrier": RNG.choice(["AA", "B6", "DL", "UA"], size=ROWS),
        "holiday": RNG.uniform(size=ROWS) < 0.3,
        "since": pd.to_datetime("2013-01-01", utc=True) + pd.to_timedelta(np.arange(ROWS), "h"),
    }
)


def reference(*, limit: float = 0.1, **limits: float) -> Reference:
    columns = [summarise(name, read(TRAINED[name], type_)).summary for name, type_ in TYPES.items()]
    by_column = {summary.name: limits.get(summary.name, limit) for summary in columns}
    return Reference(
        rows=ROWS,
        columns=tuple(columns),
        limits=(Limits(rows=200, by_column=by_column),),
        window=pd.Timedelta(days=7).to_pytimedelta(),
        false_alarms=0.05,
    )


def judged(window: pd.DataFrame, against: Reference | None = None) -> dict[str, Finding]:
    against = against or reference()
    counted: dict[str, ColumnCounts] = {}
    distances: dict[str, float | None] = {}
    summary: ColumnSummary
    for summary in against.columns:
        if summary.name in window:
            counted[summary.name] = count(summary, read(window[summary.name], TYPES[summary.name]))
            distances[summary.name] = distance(summary, counted[summary.name])
    found = findings(against, TYPES, counted, distances, rows=len(window))
    return {finding.column: finding for finding in found}


def kinds(window: pd.DataFrame) -> tuple[VerdictKind, dict[str, FindingKind]]:
    found = judged(window)
    return kind_of(list(found.values())), {name: f.kind for name, f in found.items()}


def test_the_training_rows_themselves_are_stable() -> None:
    assert kinds(TRAINED) == (VerdictKind.STABLE, dict.fromkeys(TYPES, FindingKind.STABLE))


def test_a_shift_within_the_range_is_drift() -> None:
    kind, found = kinds(TRAINED.assign(wind=TRAINED["wind"] * 1.3))

    assert kind is VerdictKind.DRIFT
    assert found == {**dict.fromkeys(TYPES, FindingKind.STABLE), "wind": FindingKind.DRIFTED}


def broken(column: str, values: Any) -> str:
    """Judge a window in which one column is changed; gives the note if it is broken data."""
    window = TRAINED.assign(**{column: values})
    kind, found = kinds(window)
    others = {name: k for name, k in found.items() if name != column}
    assert set(others.values()) == {FindingKind.STABLE}
    if kind is VerdictKind.BROKEN_DATA:
        assert found[column] is FindingKind.BROKEN
        return judged(window)[column].note
    return ""


def test_a_null_burst_is_broken_data_and_not_drift() -> None:
    holed = TRAINED["wind"].where(RNG.uniform(size=ROWS) > 0.3)

    assert "missing" in broken("wind", holed)


def test_a_few_more_missing_values_are_drift() -> None:
    window = TRAINED.assign(wind=TRAINED["wind"].where(RNG.uniform(size=ROWS) > 0.1))

    assert judged(window)["wind"].kind is FindingKind.DRIFTED


@pytest.mark.parametrize("column", list(TYPES))
def test_a_wholly_missing_column_is_broken_data(column: str) -> None:
    assert "no values at all" in broken(column, None)


def test_a_column_that_training_had_holes_in_as_often_is_not_broken() -> None:
    calibrated = reference(wind=0.8)  # stretches without values are how this column is
    found = judged(
        TRAINED.assign(wind=TRAINED["wind"].where(RNG.uniform(size=ROWS) > 0.3)), calibrated
    )

    assert found["wind"].kind is FindingKind.STABLE


def test_a_frozen_column_is_broken_data() -> None:
    assert "frozen" in broken("wind", 11.5)
    assert "frozen" in broken("carrier", "AA")


def test_a_value_that_is_the_usual_one_anyway_is_not_frozen() -> None:
    assert broken("holiday", False) == ""
    assert judged(TRAINED.assign(holiday=False))["holiday"].kind is FindingKind.DRIFTED


def test_a_unit_change_is_broken_data() -> None:
    assert "another unit" in broken("wind", TRAINED["wind"] * 1000)
    assert "another unit" in broken("wind", TRAINED["wind"] + 1e6)


def test_another_spelling_of_all_categories_is_broken_data() -> None:
    assert "another spelling" in broken("carrier", TRAINED["carrier"].str.lower())


def test_one_new_category_among_many_is_drift() -> None:
    window = TRAINED.assign(carrier=TRAINED["carrier"].where(RNG.uniform(size=ROWS) > 0.1, "WN"))
    found = judged(window)["carrier"]

    assert found.kind is FindingKind.DRIFTED
    assert found.unseen == pytest.approx(0.1, abs=0.03)


def test_numbers_written_as_text_are_broken_data() -> None:
    assert "are no double" in broken("wind", TRAINED["wind"].astype(str))


def test_one_unreadable_value_is_said_and_breaks_nothing() -> None:
    window = TRAINED.astype({"wind": object})
    window.loc[3, "wind"] = "n/a"
    found = judged(window)["wind"]

    assert found.kind is FindingKind.STABLE
    assert "count as missing: 1" in found.note


def test_a_constant_that_becomes_another_constant_is_drift() -> None:
    constant = summarise("year", read(pd.Series([2013] * ROWS), ColumnType.LONG)).summary
    only = Reference(
        rows=ROWS,
        columns=(constant,),
        limits=(Limits(rows=200, by_column={"year": 0.03}),),
        window=pd.Timedelta(days=1).to_pytimedelta(),
        false_alarms=0.05,
    )
    window = count(constant, read(pd.Series([2014] * ROWS), ColumnType.LONG))

    (found,) = findings(only, {"year": ColumnType.LONG}, {"year": window}, {"year": 1.0}, rows=ROWS)
    assert found.kind is FindingKind.DRIFTED


def test_time_that_goes_on_is_neither_drift_nor_another_unit() -> None:
    later = TRAINED.assign(since=TRAINED["since"] + pd.Timedelta(days=4000))
    found = judged(later, reference(since=0.98))["since"]

    assert found.kind is FindingKind.NOT_JUDGED
    assert "it cannot tell" in found.note


def test_broken_data_wins_over_drift() -> None:
    kind, _ = kinds(TRAINED.assign(wind=TRAINED["wind"] * 1.3, carrier=None))

    assert kind is VerdictKind.BROKEN_DATA


def test_a_column_that_did_not_come_is_broken_and_still_in_the_verdict() -> None:
    found = judged(TRAINED.drop(columns="wind"))["wind"]

    assert found.kind is FindingKind.BROKEN
    assert found.missing == 1.0
    assert "missing from the window" in found.note


@pytest.mark.parametrize("rows", [0, 1, 199])
def test_with_too_few_rows_no_column_is_judged(rows: int) -> None:
    found = judged(TRAINED[:rows])

    assert list(found) == list(TYPES)
    assert {f.kind for f in found.values()} == {FindingKind.NOT_JUDGED}
    assert all("200 are needed" in f.note for f in found.values())


def test_nothing_judged_is_no_verdict() -> None:
    assert kind_of([Finding(column="a", kind=FindingKind.NOT_JUDGED)]) is (
        VerdictKind.NOT_ENOUGH_ROWS
    )


def test_a_column_without_a_limit_is_said_not_to_be_judged() -> None:
    without = Reference(
        rows=ROWS,
        columns=reference().columns,
        limits=(Limits(rows=200, by_column={}),),
        window=pd.Timedelta(days=1).to_pytimedelta(),
        false_alarms=0.05,
    )

    assert {f.kind for f in judged(TRAINED, without).values()} == {FindingKind.NOT_JUDGED}
