"""Real Evidently: it carries our p-values and our limits, and no odd window breaks it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trimtab.policy.evaluate import Beside, Judgement, judge_frame
from trimtab.policy.watched import WatchedVersion
from trimtab.records.reference import OUTPUT
from trimtab.records.verdicts import Finding, FindingKind, VerdictKind
from trimtab.records.windows import Window
from trimtab_monitoring.drift import METHOD, draw

if TYPE_CHECKING:
    from tests.monitoring.conftest import Lab

RNG = np.random.default_rng(5)
STRINGS = pd.Series([f"id {i}" for i in range(400)])


NO_WINDOW = Window(datetime(2013, 4, 1, tzinfo=UTC), datetime(2013, 4, 8, tzinfo=UTC))


def judged(watched: WatchedVersion, frame: pd.DataFrame) -> Judgement:
    step = (NO_WINDOW.end - NO_WINDOW.start) / max(1, len(frame))
    rows = pd.DataFrame({"time": [NO_WINDOW.start + i * step for i in range(len(frame))]})
    quality = replace(watched.reference, quality=None)
    return judge_frame(
        "late", replace(watched, reference=quality), NO_WINDOW, frame, Beside(),
        rows=rows, refused=0, now=NO_WINDOW.end,
    )  # fmt: skip


def verdict_of(
    watched: WatchedVersion, frame: pd.DataFrame
) -> tuple[VerdictKind, dict[str, Finding]]:
    verdict = judged(watched, frame).verdict
    return verdict.kind, {f.column: f for f in verdict.findings if f.column in NAMES}


def drawn(watched: WatchedVersion, frame: pd.DataFrame) -> tuple[Judgement, Any]:
    judgement = judged(watched, frame)
    return judgement, draw(watched, judgement.readings, judgement.verdict.findings)


def test_evidently_reports_our_p_value_against_our_limit(lab: Lab, watched: WatchedVersion) -> None:
    judgement, snapshot = drawn(watched, lab.traffic(400, seed=1))

    found = {m["config"]["column"]: m for m in snapshot.dict()["metrics"]}
    assert list(found) == lab.names
    for finding in judgement.verdict.findings:
        if finding.column in found:
            metric = found[finding.column]
            assert metric["config"]["method"] == METHOD
            assert (metric["value"], metric["config"]["threshold"]) in [
                (pytest.approx(-np.log10(p)), pytest.approx(-np.log10(limit)))
                for p, limit in (
                    (finding.p_value, finding.limit),
                    (finding.lasting, finding.lasting_limit),
                )
                if p is not None and limit is not None
            ]


def test_evidently_s_own_tests_fail_exactly_where_a_column_has_drifted(
    lab: Lab, watched: WatchedVersion
) -> None:
    frame = lab.traffic(400, seed=2)
    frame["wind"] *= 1.5
    judgement, snapshot = drawn(watched, frame)

    failed = {
        test["metric_config"]["params"]["column"]
        for test in snapshot.dict()["tests"]
        if str(test["status"].value) == "FAIL"
    }
    drifted = {f.column for f in judgement.verdict.drifted} & set(NAMES)
    assert "wind" in drifted
    assert failed == drifted


def test_the_p_value_is_of_all_rows_and_not_only_of_those_that_are_drawn(
    lab: Lab, watched: WatchedVersion
) -> None:
    judgement, snapshot = drawn(watched, lab.traffic(5000, seed=3))

    assert judgement.verdict.findings[0].rows == 5000
    assert snapshot is not None


def test_the_result_on_seeded_data_stays_what_it_was(lab: Lab, watched: WatchedVersion) -> None:
    frame = lab.traffic(400, seed=4)
    frame.loc[frame.index % 4 == 0, "wind"] += 12.0

    kind, found = verdict_of(watched, frame)

    assert kind is VerdictKind.DRIFT
    assert {name: f.distance for name, f in found.items()} == pytest.approx(GOLDEN, abs=5e-3)


GOLDEN = {"wind": 0.245, "stops": 0.052, "carrier": 0.035, "holiday": 0.010, OUTPUT: 0.108}
NAMES = list(GOLDEN)

ODD_WINDOWS: dict[str, tuple[Callable[[pd.DataFrame], pd.DataFrame], str, FindingKind]] = {
    "empty": (lambda f: f[:0], "wind", FindingKind.NOT_JUDGED),
    "one row": (lambda f: f[:1], "wind", FindingKind.NOT_JUDGED),
    "all NaN": (lambda f: f.assign(wind=np.nan), "wind", FindingKind.BROKEN),
    "numbers as strings": (
        lambda f: f.assign(wind=f["wind"].astype(str)),
        "wind",
        FindingKind.BROKEN,
    ),
    "extra column": (
        lambda f: f.assign(extra=pd.Series([[1]] * len(f), dtype=object)),
        "wind",
        FindingKind.STABLE,
    ),
    "overflowing to inf": (lambda f: f.assign(wind=f["wind"] * 1e308), "wind", FindingKind.BROKEN),
    "giants": (lambda f: f.assign(wind=1.7e308), "wind", FindingKind.BROKEN),
    "one bad string": (
        lambda f: f.assign(wind=f["wind"].astype(object).where(f.index != 3, "n/a")),
        "wind",
        FindingKind.STABLE,
    ),
    "lists": (
        lambda f: f.assign(carrier=pd.Series([["AA"]] * len(f), dtype=object)),
        "carrier",
        FindingKind.BROKEN,
    ),
    "all None": (lambda f: f.assign(carrier=None), "carrier", FindingKind.BROKEN),
    "missing column": (lambda f: f.drop(columns="carrier"), "carrier", FindingKind.BROKEN),
    "some inf": (
        lambda f: f.assign(wind=f["wind"].where(f.index % 9 != 0, np.inf)),
        "wind",
        FindingKind.DRIFTED,
    ),
    "frozen": (lambda f: f.assign(wind=10.0), "wind", FindingKind.BROKEN),
    "one unknown category": (lambda f: f.assign(carrier="XX"), "carrier", FindingKind.BROKEN),
    "all categories unknown and unique": (
        lambda f: f.assign(carrier=STRINGS[: len(f)]),
        "carrier",
        FindingKind.BROKEN,
    ),
    "no input at all": (lambda f: f[[OUTPUT]], "wind", FindingKind.BROKEN),
}


@pytest.mark.parametrize("name", list(ODD_WINDOWS))
def test_an_odd_window_has_a_stated_verdict_and_every_column(
    name: str, lab: Lab, watched: WatchedVersion
) -> None:
    spoil, column, expected = ODD_WINDOWS[name]

    _, found = verdict_of(watched, spoil(lab.traffic(400, seed=6)))

    assert list(found) == lab.names
    assert found[column].kind is expected
    if expected in (FindingKind.BROKEN, FindingKind.NOT_JUDGED):
        assert found[column].note


def test_an_odd_column_costs_that_column_only(lab: Lab, watched: WatchedVersion) -> None:
    judgement, snapshot = drawn(watched, lab.traffic(400, seed=6).assign(carrier=None))

    found = [m["config"]["column"] for m in snapshot.dict()["metrics"]]
    assert found == [name for name in lab.names if name != "carrier"]
    assert {f.column for f in judgement.verdict.broken} == {"carrier"}


cells = st.one_of(
    st.none(), st.floats(), st.integers(), st.booleans(), st.text(max_size=6), st.just([1])
)


@given(
    spoilt=st.dictionaries(
        st.sampled_from(["wind", "stops", "carrier", "holiday", OUTPUT]),
        st.lists(cells, min_size=1, max_size=6),
        max_size=2,
    ),
    lost=st.sets(st.sampled_from(["wind", "stops", "carrier"]), max_size=1),
    rows=st.sampled_from([0, 1, 200, 250]),
)
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_frame_has_a_finding_for_every_column(
    spoilt: dict[str, list[Any]],
    lost: set[str],
    rows: int,
    lab: Lab,
    watched: WatchedVersion,
) -> None:
    frame = lab.traffic(rows, seed=8)
    for name, values in spoilt.items():
        frame[name] = pd.Series((values * rows)[:rows], dtype=object, index=frame.index)

    _, found = verdict_of(watched, frame.drop(columns=list(lost)))

    assert list(found) == lab.names


def page_of(watched: WatchedVersion, frame: pd.DataFrame, path: Path) -> str:
    _, snapshot = drawn(watched, frame)
    snapshot.save_html(str(path / "report.html"))
    return (path / "report.html").read_text()


def test_a_hostile_category_is_not_raw_in_the_page(
    lab: Lab, watched: WatchedVersion, tmp_path: Path
) -> None:
    hostile = "</script><script>alert(2)</script>"
    frame = lab.traffic(400, seed=9)
    frame.loc[:150, "carrier"] = hostile
    evil_sample = watched.sample.assign(carrier=f"{hostile}&amp;")

    text = page_of(replace(watched, sample=evil_sample), frame, tmp_path)

    assert "alert(2)" in text  # it is shown ...
    assert "<script>alert" not in text  # ... and harmless
    assert not re.search(r"</script>\s*<script>alert", text)


def test_a_hostile_column_name_is_not_raw_in_the_page(
    lab: Lab, watched: WatchedVersion, tmp_path: Path
) -> None:
    name = "<img src=x onerror=alert(3)>"
    evil = replace(
        watched,
        contract=replace(
            watched.contract,
            schema=replace(
                watched.contract.schema,
                columns=tuple(
                    replace(c, name=name if c.name == "wind" else c.name)
                    for c in watched.contract.schema.columns
                ),
            ),
        ),
        reference=replace(
            watched.reference,
            columns=tuple(
                replace(c, name=name if c.name == "wind" else c.name)
                for c in watched.reference.columns
            ),
            checks=tuple(
                replace(
                    c,
                    column=name if c.column == "wind" else c.column,
                    other=name if c.other == "wind" else c.other,
                )
                for c in watched.reference.checks
            ),
        ),
        sample=watched.sample.rename(columns={"wind": name}),
    )
    text = page_of(evil, lab.traffic(400, seed=9).rename(columns={"wind": name}), tmp_path)

    assert "<img src=x" not in text
    assert r"\u2039img src=x onerror=alert(3)\u203a" in text


def test_a_page_is_small_enough_to_keep(lab: Lab, watched: WatchedVersion, tmp_path: Path) -> None:
    assert len(page_of(watched, lab.traffic(5000, seed=9), tmp_path)) < 6e6


def test_a_window_that_is_too_small_has_no_page(lab: Lab, watched: WatchedVersion) -> None:
    assert drawn(watched, lab.traffic(10, seed=9))[1] is None
