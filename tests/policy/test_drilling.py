"""What a platform has to do in a drill, and that nothing else passes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.policy.drilling import (
    EXPECTATIONS,
    Course,
    DrillRules,
    Standing,
    course_of,
    has_given_up,
    is_over,
    judge,
    what_is_left,
)
from trimtab.records.drills import Asked, Change, Moment, Observed, Reaction
from trimtab.records.durations import Rate
from trimtab.records.incidents import Situation
from trimtab.records.requests import RequestState, Trigger

NOON = datetime(2030, 1, 7, 12, tzinfo=UTC)
RULES = DrillRules(
    n=3,
    triggers=frozenset(Trigger),
    cooldown=timedelta(days=3),
    budget=Rate.parse("2 per month"),
    give_up_after=2,
)
QUIET = Observed(
    change=Change.NOTHING,
    done="nothing",
    sent=Moment(windows=6, rows=600),
    noticed=None,
    reactions=(),
    asked=(),
    alerts=0,
    received=0,
    failed_requests=0,
    unsettled="",
)
PROMOTED = Asked(trigger=Trigger.DRIFT, state=RequestState.PROMOTED, asked_at=NOON)

changes = st.sampled_from(Change)
situations = st.sampled_from(Situation)
rules = st.builds(
    DrillRules,
    n=st.integers(1, 10),
    triggers=st.frozensets(st.sampled_from(Trigger)),
    cooldown=st.timedeltas(timedelta(0), timedelta(days=30)),
    budget=st.builds(
        Rate, count=st.integers(0, 5), period=st.just(timedelta(days=30)) | st.just(timedelta(7))
    ),
    give_up_after=st.integers(1, 5),
)
reactions = st.builds(
    Reaction,
    situation=situations,
    opened=st.builds(Moment, windows=st.integers(1, 20), rows=st.integers(1, 2000)),
    is_over=st.booleans(),
)
requests = st.builds(
    Asked,
    trigger=st.sampled_from([Trigger.DRIFT, Trigger.QUALITY]),
    state=st.sampled_from(RequestState),
    asked_at=st.datetimes(datetime(2030, 1, 1), datetime(2030, 3, 1), timezones=st.just(UTC)),
)
observations = st.builds(
    Observed,
    change=changes,
    done=st.just(""),
    sent=st.just(QUIET.sent),
    noticed=st.none(),
    reactions=st.lists(reactions, max_size=3).map(tuple),
    asked=st.lists(requests, max_size=4).map(tuple),
    alerts=st.integers(0, 5),
    received=st.integers(0, 5),
    failed_requests=st.integers(0, 2),
    unsettled=st.sampled_from(["", "1 incident is not over"]),
)


def reacted(change: Change, situation: Situation, *asked: Asked) -> Observed:
    opened = Reaction(situation=situation, opened=Moment(windows=2, rows=200), is_over=True)
    return replace(QUIET, change=change, reactions=(opened,), asked=asked, alerts=2, received=2)


@pytest.mark.parametrize(
    "observed",
    [
        QUIET,
        replace(QUIET, change=Change.CYCLE),
        reacted(Change.MEAN_SHIFT, Situation.DRIFT, PROMOTED),
        reacted(Change.NEW_CATEGORY, Situation.DRIFT, PROMOTED),
        reacted(Change.NULL_BURST, Situation.BROKEN_DATA),
        reacted(Change.UNIT_CHANGE, Situation.BROKEN_DATA),
        reacted(Change.LABEL_FLIP, Situation.QUALITY, replace(PROMOTED, trigger=Trigger.QUALITY)),
    ],
    ids=lambda observed: str(observed.change),
)
def test_the_right_reaction_has_no_fault(observed: Observed) -> None:
    assert judge(observed, RULES).faults == ()


@pytest.mark.parametrize(
    ("observed", "fault"),
    [
        (reacted(Change.NOTHING, Situation.DRIFT), "an incident of drift opened"),
        (reacted(Change.CYCLE, Situation.QUALITY), "an incident of quality opened"),
        (replace(QUIET, change=Change.MEAN_SHIFT), "no incident of drift opened"),
        (reacted(Change.MEAN_SHIFT, Situation.BROKEN_DATA, PROMOTED), "no incident of drift"),
        (reacted(Change.MEAN_SHIFT, Situation.DRIFT), "no new version was asked for"),
        (reacted(Change.NULL_BURST, Situation.DRIFT), "no incident of broken_data opened"),
        (
            reacted(Change.NULL_BURST, Situation.BROKEN_DATA, PROMOTED),
            "a version was trained because of drift",
        ),
        (reacted(Change.LABEL_FLIP, Situation.DRIFT, PROMOTED), "no incident of quality opened"),
        (
            reacted(
                Change.MEAN_SHIFT,
                Situation.DRIFT,
                PROMOTED,
                replace(PROMOTED, asked_at=NOON + timedelta(days=1)),
            ),
            "two trainings within the cool-down of 3d",
        ),
        (
            reacted(
                Change.MEAN_SHIFT,
                Situation.DRIFT,
                *(replace(PROMOTED, asked_at=NOON + timedelta(days=d)) for d in (0, 5, 10)),
            ),
            "3 trainings where 2 per month are allowed",
        ),
        (
            reacted(
                Change.MEAN_SHIFT, Situation.DRIFT, replace(PROMOTED, state=RequestState.FAILED)
            ),
            "a training failed",
        ),
        (replace(QUIET, unsettled="1 incident is not over"), "did not settle: 1 incident"),
        (replace(QUIET, failed_requests=2), "2 requests failed"),
    ],
)
def test_a_wrong_reaction_is_named(observed: Observed, fault: str) -> None:
    assert any(fault in found for found in judge(observed, RULES).faults)


def test_an_incident_that_opens_late_is_a_fault() -> None:
    late = reacted(Change.MEAN_SHIFT, Situation.DRIFT, PROMOTED)
    opened = replace(late.reactions[0], opened=Moment(windows=7, rows=700))

    assert judge(replace(late, reactions=(opened,)), RULES).faults == (
        "the incident opened after 7 windows; 6 are time enough",
    )


def test_an_alert_that_nobody_got_is_a_fault() -> None:
    lost = replace(reacted(Change.UNIT_CHANGE, Situation.BROKEN_DATA), received=1)

    assert judge(lost, RULES).faults == ("1 of 2 alerts did not arrive",)


def test_a_request_that_the_rules_decline_is_no_fault_of_drift_and_one_of_the_control() -> None:
    declined = replace(PROMOTED, state=RequestState.DECLINED)

    assert judge(reacted(Change.MEAN_SHIFT, Situation.DRIFT, declined), RULES).faults == ()
    assert judge(reacted(Change.NULL_BURST, Situation.BROKEN_DATA, declined), RULES).faults == ()
    assert judge(replace(QUIET, asked=(declined,)), RULES).faults == (
        "a new version was asked for",
    )


def test_drift_that_may_not_ask_is_left_alone() -> None:
    strict = replace(RULES, triggers=frozenset({Trigger.QUALITY}))

    assert judge(reacted(Change.MEAN_SHIFT, Situation.DRIFT), strict).faults == ()


@given(observed=observations, rules=rules)
def test_no_training_on_broken_data_or_on_nothing_ever_passes(
    observed: Observed, rules: DrillRules
) -> None:
    expected = EXPECTATIONS[observed.change]
    if not expected.retrains and any(asked.has_trained for asked in observed.asked):
        assert judge(observed, rules).faults


@given(observed=observations, rules=rules)
def test_what_passes_has_opened_what_it_should_and_nothing_else(
    observed: Observed, rules: DrillRules
) -> None:
    if judge(observed, rules).faults:
        return
    expected, opened = EXPECTATIONS[observed.change], {r.situation for r in observed.reactions}
    assert opened <= expected.opens | expected.tolerates
    assert bool(opened & expected.opens) is bool(expected.opens)
    assert not observed.unsettled


@given(observed=observations, rules=rules)
def test_more_trouble_never_makes_a_drill_pass(observed: Observed, rules: DrillRules) -> None:
    worse = replace(observed, failed_requests=observed.failed_requests + 1, unsettled="open")

    assert set(judge(observed, rules).faults) - set(judge(worse, rules).faults) <= {
        f"{observed.failed_requests} requests failed",
        f"did not settle: {observed.unsettled}",
    }
    assert judge(worse, rules).faults


@given(change=changes, rules=rules, cycle=st.integers(0, 30))
def test_every_drill_ends_and_leaves_an_incident_time_to_open(
    change: Change, rules: DrillRules, cycle: int
) -> None:
    course = course_of(change, rules, cycle=cycle)
    expected = EXPECTATIONS[change]
    silent = Standing(windows=course.most, active=3, newest=course.most, at_work=True)

    assert is_over(silent, course)
    assert course.least <= course.most
    assert (course.changed is not None) is expected.passes
    if expected.opens and not expected.passes:
        assert course.least >= rules.within
    if expected.passes:
        assert course.changed == rules.n


@given(
    windows=st.integers(1, 30),
    active=st.integers(0, 2),
    newest=st.integers(0, 30),
    at_work=st.booleans(),
)
def test_nothing_that_is_open_is_called_rest(
    windows: int, active: int, newest: int, at_work: bool
) -> None:
    standing = Standing(windows=windows, active=active, newest=newest, at_work=at_work)
    course = Course(changed=3, least=5, most=20, rest=2)

    if not what_is_left(standing, course):
        assert active == 0
        assert not at_work
        assert newest == 0 or windows - newest >= 2


def test_a_person_is_asked_after_so_many_losses_and_not_before() -> None:
    lost, won, declined = (
        replace(PROMOTED, state=state)
        for state in (RequestState.REJECTED, RequestState.PROMOTED, RequestState.DECLINED)
    )

    assert has_given_up([lost, declined, lost, declined], RULES)
    assert not has_given_up([lost, declined, lost], RULES), "the next request asks the person"
    assert not has_given_up([lost, won, lost, declined], RULES)


def test_an_incident_that_a_person_was_asked_about_is_rest() -> None:
    course = course_of(Change.NEW_CATEGORY, RULES)
    waiting = Standing(windows=9, active=1, newest=9, at_work=False)

    assert what_is_left(waiting, course)
    assert not what_is_left(replace(waiting, asks_person=True), course)
    assert what_is_left(replace(waiting, asks_person=True, at_work=True), course)
