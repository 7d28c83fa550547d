"""The life of incidents: many verdicts, one incident, and an end that says why."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from trimtab.policy.incidents import News, goes_on, next_steps
from trimtab.policy.situations import evidence, situations
from trimtab.records.incidents import Incident, IncidentState, Situation
from trimtab.records.promotions import Promotion
from trimtab.records.quality import Quality
from trimtab.records.verdicts import Finding, FindingKind, Verdict, VerdictKind
from trimtab.records.windows import Window

START = datetime(2013, 4, 1, tzinfo=UTC)
WEEK = timedelta(days=7)
STABLE, DRIFT = VerdictKind.STABLE, VerdictKind.DRIFT
BROKEN, TOO_FEW = VerdictKind.BROKEN_DATA, VerdictKind.NOT_ENOUGH_ROWS


def verdict(kind: VerdictKind, *, week: int = 0, loss: float | None = None) -> Verdict:
    quality = Quality(metric="log_loss", value=loss, limit=0.5, labelled=900, completeness=0.9)
    finding_of = {DRIFT: FindingKind.DRIFTED, BROKEN: FindingKind.BROKEN}
    finding = Finding(
        column="wind",
        kind=finding_of.get(kind, FindingKind.STABLE),
        distance=0.2,
        limit=0.1,
        note="it is frozen" if kind is BROKEN else "",
    )
    return Verdict(
        model="m",
        version="1",
        window=Window(START + week * WEEK, START + (week + 1) * WEEK),
        kind=kind,
        rows=1000,
        rows_needed=200,
        findings=(finding,),
        quality=quality,
        refused=0,
        judged_at=START,
    )


def newest_first(*kinds: VerdictKind) -> list[Verdict]:
    return [verdict(kind, week=week) for week, kind in enumerate(kinds)][::-1]


def champion(version: str) -> Promotion:
    return Promotion(
        model="m",
        epoch=int(version),
        version=version,
        previous=None,
        manifest_sha256="0" * 64,
        actor="pipelines",
        reasons=("better",),
        at=START,
    )


def incident(situation: Situation = Situation.DRIFT, version: str = "1") -> Incident:
    return Incident(
        id=f"i-{situation}",
        model="m",
        version=version,
        situation=situation,
        opened_at=START,
        evidence=("wind",),
    )


def opened(verdicts: list[Verdict], *active: Incident, k: int = 2, n: int = 3) -> set[Situation]:
    steps = next_steps(verdicts, active, champion("1"), k=k, n=n, now=START)
    return {step.incident.situation for step in steps if step.news is News.OPENED}


def resolutions(
    verdicts: list[Verdict], active: Incident, promoted: str = "1", n: int = 3
) -> list[str | None]:
    steps = next_steps(verdicts, [active], champion(promoted), k=2, n=n, now=START)
    return [step.incident.resolution for step in steps if step.news is News.RESOLVED]


@pytest.mark.parametrize(
    ("kinds", "found"),
    [
        ([DRIFT], set()),
        ([STABLE, STABLE, DRIFT], set()),
        ([DRIFT, DRIFT], {Situation.DRIFT}),
        ([DRIFT, STABLE, DRIFT], {Situation.DRIFT}),
        ([DRIFT, DRIFT, STABLE, STABLE], set()),
        ([DRIFT, TOO_FEW, TOO_FEW, TOO_FEW, DRIFT], {Situation.DRIFT}),
        ([BROKEN, DRIFT], set()),
        ([BROKEN, BROKEN, DRIFT], {Situation.BROKEN_DATA}),
    ],
)
def test_k_of_n_judged_windows_open_an_incident(
    kinds: list[VerdictKind], found: set[Situation]
) -> None:
    assert opened(newest_first(*kinds)) == found


def test_lost_quality_opens_an_incident_of_its_own() -> None:
    weeks = [verdict(STABLE, week=w, loss=0.6) for w in (1, 0)]

    assert opened(weeks) == {Situation.QUALITY}


def test_windows_without_enough_labels_say_nothing_of_quality() -> None:
    assert situations(verdict(STABLE, loss=None)) == set()


def test_many_verdicts_are_one_incident() -> None:
    weeks = newest_first(DRIFT, DRIFT, DRIFT, DRIFT)

    assert opened(weeks, incident()) == set()


def test_an_incident_ends_when_the_last_n_windows_are_well() -> None:
    assert resolutions(newest_first(DRIFT, STABLE, STABLE, STABLE), incident()) == [
        "the last 3 windows were well"
    ]
    assert resolutions(newest_first(DRIFT, STABLE, STABLE), incident()) == []
    assert resolutions(newest_first(STABLE, STABLE), incident()) == []


def test_an_incident_ends_with_the_version_that_it_was_about() -> None:
    steps = next_steps([], [incident()], champion("3"), k=2, n=3, now=START)

    (step,) = steps
    ended = step.incident
    assert step.news is News.RESOLVED
    assert ended.resolution == "version 3 was promoted"
    assert ended.state is IncidentState.RESOLVED
    assert ended.resolved_at == START


def test_no_promotion_mends_broken_data() -> None:
    assert resolutions([], incident(Situation.BROKEN_DATA), promoted="3") == []


def test_judging_a_window_again_opens_the_same_incident() -> None:
    weeks = newest_first(DRIFT, DRIFT)
    first, second = (
        next_steps(weeks, [], champion("1"), k=2, n=3, now=moment)[0].incident.id
        for moment in (START, START + WEEK)
    )

    assert first == second


def test_quality_is_told_by_the_newest_windows_that_have_labels() -> None:
    unlabelled = [verdict(STABLE, week=week) for week in (5, 4, 3)]
    worse = [verdict(STABLE, week=week, loss=0.9) for week in (2, 1)]
    lost = incident(Situation.QUALITY)

    assert opened(unlabelled + worse) == {Situation.QUALITY}
    assert resolutions(unlabelled + worse, lost) == []
    assert goes_on(unlabelled + worse, Situation.QUALITY)


def test_evidence_names_columns_what_they_show_and_what_is_left_out() -> None:
    many = replace(
        verdict(DRIFT),
        findings=tuple(
            Finding(column=f"c{i}", kind=FindingKind.DRIFTED, exceeds=1.0 + i, note=f"moved {i}")
            for i in range(7)
        ),
    )

    lines = evidence(Situation.DRIFT, many)

    assert lines[0] == "c6: moved 6"
    assert lines[-1] == "and 2 more columns"
    assert evidence(Situation.BROKEN_DATA, verdict(BROKEN)) == ["wind: it is frozen"]
    assert (
        "log_loss 0.6000, limit 0.5000" in evidence(Situation.QUALITY, verdict(STABLE, loss=0.6))[0]
    )
