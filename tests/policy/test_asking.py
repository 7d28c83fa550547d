"""When a new version is asked for: any of the entries, all of their conditions, and no storm."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.policy.asking import (
    Known,
    decision_on,
    needs_count,
    next_request,
    standing_ask,
    waiting_words,
)
from trimtab.policy.retrain import RetrainRules
from trimtab.records.durations import Rate
from trimtab.records.estimates import Method
from trimtab.records.incidents import Incident, Situation
from trimtab.records.promotions import Promotion
from trimtab.records.quality import Estimate, Quality
from trimtab.records.requests import Obstacle, RequestState, RetrainRequest, Trigger
from trimtab.records.row_counts import RowCount
from trimtab.records.triggers import AllOf
from trimtab.records.verdicts import Finding, FindingKind, Verdict, VerdictKind
from trimtab.records.windows import Window

NOW = datetime(2013, 6, 1, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
STABLE, DRIFT = VerdictKind.STABLE, VerdictKind.DRIFT
BROKEN, TOO_FEW = VerdictKind.BROKEN_DATA, VerdictKind.NOT_ENOUGH_ROWS
WARNING = Estimate(
    method=Method.CBPE, value=0.9, low=0.8, high=1.0, limit=0.5, rows=900, warns=True
)


def rules(*on: str, **other: Any) -> RetrainRules:
    values: dict[str, Any] = {
        "cooldown": 3 * DAY,
        "budget": Rate.parse("4 per month"),
        "min_new_rows": 500,
        "give_up_after": 2,
        **other,
    }
    return RetrainRules(on=tuple(map(AllOf.parse, on)), **values)


def verdict(
    kind: VerdictKind, *, loss: float | None = None, estimate: Estimate | None = None
) -> Verdict:
    finding = Finding(
        column="wind",
        kind=FindingKind.DRIFTED if kind is DRIFT else FindingKind.STABLE,
        distance=0.2,
        limit=0.1,
        note="",
    )
    return Verdict(
        model="m",
        version="1",
        window=Window(NOW - DAY, NOW),
        kind=kind,
        rows=1000,
        rows_needed=200,
        findings=(finding,),
        quality=Quality(
            metric="log_loss",
            value=loss,
            limit=0.5,
            labelled=900,
            completeness=0.9,
            estimate=estimate,
        ),
        refused=0,
        judged_at=NOW,
    )


def incident(situation: Situation = Situation.DRIFT) -> Incident:
    return Incident(
        id=f"i-{situation}",
        model="m",
        version="1",
        situation=situation,
        opened_at=NOW,
        evidence=("wind",),
    )


def known(**other: Any) -> Known:
    champion = Promotion(
        model="m",
        epoch=1,
        version="1",
        previous=None,
        manifest_sha256="0" * 64,
        actor="gate",
        reasons=(),
        at=NOW - 10 * DAY,
    )
    values: dict[str, Any] = {
        "model": "m",
        "now": NOW,
        "champion": champion,
        "requests": (),
        **other,
    }
    return Known(**values)


def drifting(**other: Any) -> Known:
    return known(incidents=(incident(),), verdicts=(verdict(DRIFT),), **other)


def counted(new_rows: int, epoch: int = 1) -> RowCount:
    return RowCount(model="m", epoch=epoch, counted_at=NOW, new_rows=new_rows)


def past(state: RequestState, days: float, **other: Any) -> RetrainRequest:
    values: dict[str, Any] = {
        "id": f"{state}-{days}",
        "model": "m",
        "trigger": Trigger.DRIFT,
        "asked_by": "monitoring",
        "asked_at": NOW - days * DAY,
        "state": state,
        "finished_at": None if state.is_open else NOW - days * DAY,
        **other,
    }
    return RetrainRequest(**values)


def asked(known: Known, rules: RetrainRules) -> RetrainRequest | None:
    return next_request(known, rules, id="next", asked_by="tests")


@pytest.mark.parametrize(
    ("newest", "active", "trigger"),
    [
        (verdict(DRIFT), [Situation.DRIFT], Trigger.DRIFT),
        (verdict(DRIFT), [], None),
        (verdict(STABLE), [Situation.DRIFT], None),
        (verdict(DRIFT), [Situation.DRIFT, Situation.BROKEN_DATA], None),
        (verdict(BROKEN), [Situation.DRIFT], None),
        (verdict(BROKEN), [Situation.BROKEN_DATA], None),
        (verdict(STABLE, loss=0.9), [Situation.QUALITY], Trigger.QUALITY),
        (verdict(STABLE, estimate=WARNING), [Situation.QUALITY], Trigger.ESTIMATE),
        (verdict(DRIFT, loss=0.9), [Situation.QUALITY, Situation.DRIFT], Trigger.QUALITY),
        (verdict(BROKEN, loss=0.9), [Situation.QUALITY], None),
    ],
)
def test_only_what_lasts_and_is_not_broken_asks_for_a_new_version(
    newest: Verdict, active: list[Situation], trigger: Trigger | None
) -> None:
    world = known(incidents=tuple(map(incident, active)), verdicts=(newest,))
    ask = standing_ask(world, rules("drift", "quality").on)

    assert (ask.trigger if ask else None) == trigger


@pytest.mark.parametrize(
    ("on", "loss", "estimate", "asks"),
    [
        ("measured quality", 0.9, None, True),
        ("measured quality", None, WARNING, False),
        ("estimated quality", None, WARNING, True),
        ("estimated quality", 0.9, WARNING, False),
        ("drift", 0.9, WARNING, False),
    ],
)
def test_measured_and_estimated_losses_can_be_told_apart(
    on: str, loss: float | None, estimate: Estimate | None, asks: bool
) -> None:
    newest = verdict(STABLE, loss=loss, estimate=estimate)
    world = known(incidents=(incident(Situation.QUALITY),), verdicts=(newest,))

    assert (standing_ask(world, rules(on).on) is not None) == asks


def test_nothing_is_asked_before_there_is_a_champion_or_while_a_request_is_open() -> None:
    assert asked(replace(drifting(), champion=None), rules("drift")) is None
    for state in (RequestState.ASKED, RequestState.RUNNING, RequestState.WAITING):
        assert asked(drifting(requests=(past(state, 1),)), rules("drift")) is None


@pytest.mark.parametrize(("days", "asks"), [(29, False), (30, True), (45, True)])
def test_a_schedule_counts_from_the_last_training_or_move(days: int, asks: bool) -> None:
    moved = known().champion
    assert moved is not None
    schedule = rules("every 30d")
    by_move = known(champion=replace(moved, at=NOW - days * DAY))
    by_training = known(
        champion=replace(moved, at=NOW - 99 * DAY),
        requests=(past(RequestState.DECLINED, 1), past(RequestState.REJECTED, days)),
    )

    assert (asked(by_move, schedule) is not None) == asks
    assert (asked(by_training, schedule) is not None) == asks


def test_all_of_fires_when_the_second_condition_comes_true_later() -> None:
    both = rules("drift and 1000 new labels")

    assert asked(drifting(), both) is None
    assert asked(drifting(count=counted(999)), both) is None
    assert asked(known(count=counted(1000)), both) is None, "labels alone are not enough"
    request = asked(drifting(count=counted(1000)), both)
    assert request is not None
    assert request.trigger is Trigger.DRIFT
    assert request.incident == "i-drift"
    assert any("drift in" in reason for reason in request.reasons)
    assert any("1,000 labelled rows" in reason for reason in request.reasons)


def test_labels_that_another_champion_had_not_seen_do_not_count() -> None:
    assert asked(known(count=counted(5000, epoch=2)), rules("1000 new labels")) is None


def test_labels_that_a_challenger_was_tried_with_are_not_new_again() -> None:
    tried = past(RequestState.REJECTED, 5, new_rows=1200)
    on = rules("1000 new labels")

    assert asked(known(count=counted(1200)), on) is not None
    assert asked(known(count=counted(2100), requests=(tried,)), on) is None
    assert asked(known(count=counted(2200), requests=(tried,)), on) is not None


def test_a_cause_is_declined_once_and_asked_again_when_the_obstacle_has_ended() -> None:
    trained = past(RequestState.REJECTED, 1)
    on = rules("drift")
    first = asked(drifting(requests=(trained,)), on)
    assert first is not None, "it stands in the ledger that it was asked, and declined"
    declined = replace(
        first,
        state=RequestState.DECLINED,
        finished_at=NOW,
        obstacles=(Obstacle.COOLDOWN,),
    )
    for hours in range(1, 48):
        later = drifting(requests=(declined, trained))
        assert asked(replace(later, now=NOW + hours * HOUR), on) is None
    again = asked(replace(drifting(requests=(declined, trained)), now=NOW + 2 * DAY), on)

    assert again is not None
    assert again.cause == first.cause
    assert "asked again: declined 2013-06-01 00:00 for cool-down" in again.reasons[0]


def test_a_cause_that_is_over_is_not_asked_again() -> None:
    declined = past(RequestState.DECLINED, 9, cause="drift i-drift")
    well = known(incidents=(incident(),), verdicts=(verdict(STABLE),), requests=(declined,))

    assert asked(well, rules("drift")) is None


def test_labels_that_came_let_a_declined_request_be_asked_again() -> None:
    declined = past(RequestState.DECLINED, 0.5, cause="drift i-drift", obstacles=(Obstacle.ROWS,))
    on = rules("drift")

    assert asked(drifting(requests=(declined,), count=counted(499)), on) is None
    assert needs_count(drifting(requests=(declined,), count=counted(499)), on)
    assert asked(drifting(requests=(declined,), count=counted(500)), on) is not None


def test_whatever_is_declined_again_and_again_is_asked_ever_more_rarely() -> None:
    """What cannot be known before, such as a source that is away, must make no storm."""
    requests: list[RetrainRequest] = []
    numbers, on, moments = count(), rules("drift"), []
    for minute in range(0, 7 * 24 * 60, 10):
        now = NOW + timedelta(minutes=minute)
        request = next_request(
            replace(drifting(requests=tuple(requests)), now=now),
            on,
            id=str(next(numbers)),
            asked_by="tests",
        )
        if request is not None:
            moments.append(minute / 60)
            ended = replace(
                request,
                state=RequestState.DECLINED,
                finished_at=now,
                obstacles=(Obstacle.DATA,),
            )
            requests.insert(0, ended)

    assert moments[:6] == [0, 1, 3, 7, 15, 31]
    assert len(moments) <= 12


def test_rows_are_counted_only_where_somebody_waits_for_them() -> None:
    both = rules("drift and 1000 new labels")

    assert not needs_count(known(), both), "there is no drift: labels change nothing"
    assert needs_count(drifting(), both)
    assert not needs_count(drifting(count=counted(1000)), both)
    assert needs_count(known(), rules("1000 new labels"))
    assert not needs_count(known(), rules("drift"))
    assert not needs_count(drifting(requests=(past(RequestState.ASKED, 0),)), both)


@pytest.mark.parametrize(
    ("world", "on", "words"),
    [
        (known(), ("drift", "quality"), ["waits for drift or quality"]),
        (known(), (), ["waits for a person"]),
        (
            known(count=counted(310)),
            ("drift and 1000 new labels", "every 30d"),
            ["waits for drift and 1,000 new labels (310 so far) or every 30d (due 2013-06-21"],
        ),
        (
            drifting(requests=(past(RequestState.REJECTED, 1),), count=counted(310)),
            ("drift",),
            ["drift: ", "the cool-down of 3d ends 2013-06-03", "310 new labelled rows; at least"],
        ),
        (
            known(requests=(past(RequestState.REJECTED, 1), past(RequestState.FAILED, 5))),
            ("drift",),
            ["2 trainings in a row gave no better version; a person has to look"],
        ),
        (
            known(incidents=(incident(Situation.BROKEN_DATA),), verdicts=(verdict(BROKEN),)),
            ("drift",),
            ["the data is broken", "waits for drift"],
        ),
        (drifting(requests=(past(RequestState.RUNNING, 0),)), ("drift",), ["it is running"]),
    ],
)
def test_it_can_be_told_at_any_time_what_is_waited_for(
    world: Known, on: tuple[str, ...], words: list[str]
) -> None:
    told = waiting_words(world, rules(*on))

    for expected in words:
        assert expected in told


states = st.sampled_from(RequestState)
requests = st.lists(
    st.tuples(states, st.integers(0, 40), st.sampled_from(["drift i-drift", "other"])),
    max_size=5,
).map(
    lambda found: tuple(
        past(state, days, cause=cause) for state, days, cause in sorted(found, key=lambda f: f[1])
    )
)


@given(requests=requests, rows=st.none() | st.integers(0, 3000))
def test_what_is_asked_again_would_not_be_declined_for_what_is_known(
    requests: tuple[RetrainRequest, ...], rows: int | None
) -> None:
    world = drifting(requests=requests, count=None if rows is None else counted(rows))
    on = rules("drift", "1000 new labels", "every 9d")
    request = asked(world, on)
    if request is not None and request.reasons[0].startswith("asked again"):
        assert decision_on(world, on, request.trigger).go


@given(requests=requests, rows=st.integers(0, 3000))
def test_a_policy_with_one_more_entry_asks_whenever_it_asked_without(
    requests: tuple[RetrainRequest, ...], rows: int
) -> None:
    world = drifting(requests=requests, count=counted(rows))
    fewer, more = rules("1000 new labels").on, rules("1000 new labels", "drift").on

    assert (standing_ask(world, fewer) is None) >= (standing_ask(world, more) is None)
