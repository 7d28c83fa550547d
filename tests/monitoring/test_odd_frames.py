"""Whatever frame comes: a finding for every column, a verdict that can be stored, and a page."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trimtab.policy.evaluate import Beside, Judgement, judge_frame
from trimtab.policy.reference import build_reference
from trimtab.policy.watched import WatchedVersion
from trimtab.records.contracts import Contract, Task
from trimtab.records.documents import from_json, to_json
from trimtab.records.reference import OUTPUT
from trimtab.records.schema import Column, ColumnType, Schema
from trimtab.records.verdicts import FindingKind, Verdict, VerdictKind
from trimtab.records.windows import Window
from trimtab_monitoring.drift import draw
from trimtab_monitoring.report import make_report

MONDAY = datetime(2013, 4, 1, tzinfo=UTC)
DAY = timedelta(days=1)
ROWS = 300
CONTRACT = Contract(
    model="odd",
    task=Task.BINARY,
    target="late",
    schema=Schema(
        columns=(
            Column(name="wind", type=ColumnType.DOUBLE, required=False),
            Column(name="stops", type=ColumnType.LONG, required=False),
            Column(name="carrier", type=ColumnType.STRING, required=False),
            Column(name="holiday", type=ColumnType.BOOLEAN, required=False),
            Column(name="booked", type=ColumnType.DATETIME, required=False),
        )
    ),
    classes=(0, 1),
)
NAMES = [*CONTRACT.schema.names, OUTPUT]


def moments(rows: int, start: datetime) -> list[datetime]:
    return [start + i * (DAY / max(1, rows)) for i in range(rows)]


def traffic(rows: int, *, seed: int, start: datetime = MONDAY) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    wind = rng.gamma(4.0, 3.0, size=rows)
    age = pd.to_timedelta(rng.exponential(20.0, size=rows), unit="h")
    return pd.DataFrame(
        {
            "wind": wind,
            "stops": rng.integers(0, 5, size=rows),
            "carrier": rng.choice(["AA", "B6", "DL"], size=rows),
            "holiday": rng.uniform(size=rows) < 0.3,
            "booked": pd.Series(pd.to_datetime(moments(rows, start), utc=True)) - age,
            OUTPUT: 1 / (1 + np.exp(2 - wind / 10)),
        }
    )


@pytest.fixture(scope="module")
def watched() -> WatchedVersion:
    days = [MONDAY - (20 - i) * DAY for i in range(20)]
    trained = pd.concat(
        [traffic(ROWS, seed=50 + i, start=day) for i, day in enumerate(days)], ignore_index=True
    )
    times = pd.Series([time for day in days for time in moments(ROWS, day)])
    reference = build_reference(
        trained[CONTRACT.schema.names],
        trained[OUTPUT].to_numpy(),
        times,
        CONTRACT.schema,
        importance={"wind": 0.6, "stops": 0.1, "carrier": 0.1, "holiday": 0.1, "booked": 0.1},
        window=DAY,
        false_alarms=1 / 13,
        min_rows=200,
        seed=0,
    )
    return WatchedVersion(
        version="1", contract=CONTRACT, reference=reference, sample=trained[:1000]
    )


def judged(watched: WatchedVersion, frame: pd.DataFrame) -> Judgement:
    """Judge a frame as the window of a day, beside the well one of the day before."""
    rows = pd.DataFrame({"time": moments(len(frame), MONDAY)}, index=frame.index)
    window = Window(MONDAY, MONDAY + DAY)
    return judge_frame(
        "odd", watched, window, frame, before(watched), rows=rows, refused=0, now=window.end
    )


@cache
def before(watched: WatchedVersion) -> Beside:
    frame, rows = traffic(ROWS, seed=1), pd.DataFrame({"time": moments(ROWS, MONDAY)})
    well = judge_frame(
        "odd", watched, Window(MONDAY - DAY, MONDAY), frame, Beside(),
        rows=rows, refused=0, now=MONDAY,
    )  # fmt: skip
    return Beside(before=well.verdict.evidence, previous=well.sums)


def columns_of(verdict: Verdict) -> list[str]:
    """The findings of columns: that on pairs and that on repeated rows stand behind them."""
    return [finding.column for finding in verdict.findings][: len(NAMES)]


def is_stored_whole(verdict: Verdict) -> bool:
    return from_json(Verdict, to_json(verdict)) == verdict


def late(value: Any) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Put a value into every ninth row of a column of numbers."""
    return lambda f: f.assign(wind=f["wind"].astype(object).where(f.index % 9 != 0, value))


def column(name: str, values: Callable[[pd.DataFrame], Any]) -> Callable[..., pd.DataFrame]:
    return lambda frame: frame.assign(**{name: values(frame)})


def lists(frame: pd.DataFrame) -> pd.Series[Any]:
    return pd.Series([["AA"]] * len(frame), dtype=object, index=frame.index)


def unique(frame: pd.DataFrame) -> list[str]:
    return [f"id {i}" for i in range(len(frame))]


BROKEN, DRIFTED = FindingKind.BROKEN, FindingKind.DRIFTED
STABLE, NOT_JUDGED = FindingKind.STABLE, FindingKind.NOT_JUDGED
ODD: dict[str, tuple[Callable[[pd.DataFrame], pd.DataFrame], str, set[FindingKind]]] = {
    "empty": (lambda f: f[:0], "wind", {NOT_JUDGED}),
    "one row": (lambda f: f[:1], "wind", {NOT_JUDGED}),
    "all NaN": (column("wind", lambda f: np.nan), "wind", {BROKEN}),
    "numbers as strings": (column("wind", lambda f: f["wind"].astype(str)), "wind", {BROKEN}),
    "an extra column": (column("extra", lists), "wind", {STABLE}),
    "overflow to inf": (column("wind", lambda f: f["wind"] * 1e308), "wind", {BROKEN}),
    "a bad string": (
        lambda f: f.assign(wind=f["wind"].astype(object).where(f.index != 3, "n/a")),
        "wind",
        {STABLE},
    ),
    "lists": (column("carrier", lists), "carrier", {BROKEN}),
    "all None": (column("carrier", lambda f: None), "carrier", {BROKEN}),
    "a missing column": (lambda f: f.drop(columns="carrier"), "carrier", {BROKEN}),
    "some inf": (late(np.inf), "wind", {DRIFTED, BROKEN}),
    "a constant": (column("wind", lambda f: 1.0), "wind", {BROKEN}),
    "another constant": (column("stops", lambda f: 2), "stops", {BROKEN, DRIFTED}),
    "one unknown category": (column("carrier", lambda f: "XX"), "carrier", {BROKEN}),
    "unique categories": (column("carrier", unique), "carrier", {BROKEN}),
    "no input at all": (lambda f: f[[OUTPUT]], "booked", {BROKEN}),
}


@pytest.mark.parametrize("seed", [11, 12, 13])
@pytest.mark.parametrize("name", list(ODD))
def test_an_odd_window_has_a_stated_verdict_and_every_column(
    name: str, seed: int, watched: WatchedVersion
) -> None:
    spoil, spoilt, expected = ODD[name]

    judgement = judged(watched, spoil(traffic(ROWS, seed=seed)))
    verdict = judgement.verdict
    found = {finding.column: finding for finding in verdict.findings}

    assert columns_of(verdict) == NAMES
    assert found[spoilt].kind in expected
    assert found[spoilt].words
    assert is_stored_whole(verdict)


@pytest.mark.parametrize("name", list(ODD))
def test_evidently_takes_every_odd_window_or_leaves_out_the_odd_column_only(
    name: str, watched: WatchedVersion
) -> None:
    spoil, spoilt, _ = ODD[name]
    judgement = judged(watched, spoil(traffic(ROWS, seed=14)))

    snapshot = draw(watched, judgement.readings, judgement.verdict.worst_first)

    drawn = {m["config"]["column"] for m in snapshot.dict()["metrics"]} if snapshot else set()
    judged_ones = {f.column for f in judgement.verdict.findings if f.kind is not NOT_JUDGED}
    gone = set(NAMES[:-1]) if name == "no input at all" else {spoilt}
    assert (judged_ones & set(NAMES)) - drawn <= gone


def test_the_odd_windows_are_sixteen() -> None:
    assert len(ODD) == 16


cells = st.one_of(
    st.none(),
    st.floats(),
    st.integers(min_value=-(10**400), max_value=10**400),
    st.booleans(),
    st.text(max_size=6),
    st.sampled_from(
        [
            "\0", "a\0b", "x" * 10_000, "\ud800", "</script>", "AA", b"bytes", [1], {"a": 2},
            set(), pd.NaT, pd.NA, np.float32("inf"), np.int8(3), 3 + 4j, date(9999, 1, 1),
            (3,), datetime(1, 1, 1), datetime(2500, 1, 1, tzinfo=UTC), DAY, object, OSError("x"),
            pd.Timestamp("2013-04-01"), pd.Period("2013"), pd.Interval(0, 1), np.array([1, 2]),
        ]
    ),
)  # fmt: skip


@st.composite
def frames(draw: st.DrawFn) -> pd.DataFrame:
    rows = draw(st.sampled_from([0, 1, 29, 200, 300]))
    frame = traffic(rows, seed=draw(st.integers(0, 5)))
    for name in draw(st.sets(st.sampled_from(NAMES), max_size=4)):
        values = draw(st.lists(cells, min_size=1, max_size=6))
        spoilt = pd.Series([*(values * rows)][:rows], dtype=object, index=frame.index)
        share = draw(st.sampled_from([1, 2, 50]))
        frame[name] = spoilt.where(np.arange(rows) % share == 0, frame[name].astype(object))
    kept = draw(st.permutations([*NAMES, "extra"]))[draw(st.integers(0, 2)) :]
    frame = frame.assign(extra=lists)[kept]
    if draw(st.booleans()):
        frame.index = pd.Index(np.zeros(rows, dtype=int))  # all the same
    return frame


@given(frame=frames())
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_frame_has_a_finding_for_every_column_and_a_verdict_that_can_be_stored(
    frame: pd.DataFrame, watched: WatchedVersion
) -> None:
    judgement = judged(watched, frame)

    assert columns_of(judgement.verdict) == NAMES
    assert all(finding.words for finding in judgement.verdict.findings)
    assert is_stored_whole(judgement.verdict)


@given(frame=frames())
@settings(
    max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_frame_has_a_page(frame: pd.DataFrame, watched: WatchedVersion) -> None:
    judgement = judged(watched, frame)

    report = make_report(watched, judgement.verdict, judgement.readings, None)

    report.page.encode("utf-8")
    assert report.page.count("<tr") == len(judgement.verdict.findings) + 1


def test_the_order_of_the_columns_is_that_of_the_contract(watched: WatchedVersion) -> None:
    frame = traffic(ROWS, seed=3)

    forwards = judged(watched, frame).verdict
    backwards = judged(watched, frame[NAMES[::-1]]).verdict

    assert backwards == forwards


def test_the_pictures_of_moments_are_of_their_ages_on_both_sides(watched: WatchedVersion) -> None:
    judgement = judged(watched, traffic(ROWS, seed=4))

    snapshot = draw(watched, judgement.readings, judgement.verdict.findings)

    assert snapshot is not None
    drawn = {m["config"]["column"] for m in snapshot.dict()["metrics"]}
    assert drawn == set(NAMES)
    assert judgement.verdict.kind is VerdictKind.STABLE
