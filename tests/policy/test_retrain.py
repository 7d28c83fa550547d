from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.policy.retrain import (
    RetrainFacts,
    RetrainRules,
    decide,
    losses_in_row,
    trainings_of,
)
from trimtab.records.durations import Rate
from trimtab.records.requests import RequestState, RetrainRequest, Trigger

NOW = datetime(2013, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
RULES = RetrainRules(
    triggers=frozenset(Trigger),
    cooldown=3 * DAY,
    budget=Rate.parse("4 per month"),
    min_new_rows=500,
    give_up_after=5,
)

ages = st.timedeltas(min_value=timedelta(0), max_value=100 * DAY)
facts = st.builds(
    RetrainFacts,
    trigger=st.sampled_from(Trigger),
    now=st.just(NOW),
    new_rows=st.none() | st.integers(0, 5000),
    trainings=st.lists(ages, max_size=8).map(lambda found: tuple(NOW - age for age in found)),
    losses_in_row=st.integers(0, 9),
    in_flight=st.integers(0, 2),
    broken_data=st.lists(st.just("temp is null"), max_size=2).map(tuple),
)
rules = st.builds(
    RetrainRules,
    triggers=st.sets(st.sampled_from(Trigger)).map(
        lambda chosen: frozenset(chosen | {Trigger.FIRST, Trigger.MANUAL})
    ),
    cooldown=st.timedeltas(min_value=timedelta(seconds=1), max_value=30 * DAY),
    budget=st.sampled_from(["1 per day", "4 per month", "2 per week"]).map(Rate.parse),
    min_new_rows=st.integers(1, 3000),
    give_up_after=st.integers(1, 6),
)


def good(trigger: Trigger = Trigger.DRIFT, **other: Any) -> RetrainFacts:
    values: dict[str, Any] = {"trigger": trigger, "now": NOW, "new_rows": 900, **other}
    return RetrainFacts(**values)


@given(facts=facts, rules=rules)
def test_every_answer_has_its_reasons(facts: RetrainFacts, rules: RetrainRules) -> None:
    reasons = decide(facts, rules).reasons

    assert reasons
    assert all(reasons)
    assert len(set(reasons)) == len(reasons)


@given(facts=facts, rules=rules)
def test_broken_data_never_trains_whoever_asks(facts: RetrainFacts, rules: RetrainRules) -> None:
    if facts.broken_data:
        assert not decide(facts, rules).go


@given(facts=facts, rules=rules)
def test_two_trainings_of_a_model_never_run_at_once(
    facts: RetrainFacts, rules: RetrainRules
) -> None:
    if facts.in_flight:
        assert not decide(facts, rules).go


@given(facts=facts, rules=rules)
def test_automatic_trainings_never_exceed_budget_or_cooldown(
    facts: RetrainFacts, rules: RetrainRules
) -> None:
    automatic = facts.trigger in (Trigger.DRIFT, Trigger.QUALITY)
    if automatic and decide(facts, rules).go:
        recent = [at for at in facts.trainings if NOW - at < rules.budget.period]
        assert len(recent) < rules.budget.count
        assert all(NOW - at >= rules.cooldown for at in facts.trainings)
        assert facts.losses_in_row < rules.give_up_after
        assert facts.trigger in rules.triggers


@given(facts=facts, rules=rules)
def test_a_person_is_refused_only_for_broken_data_or_another_open_request(
    facts: RetrainFacts, rules: RetrainRules
) -> None:
    if facts.trigger is Trigger.MANUAL:
        assert decide(facts, rules).go == (not facts.broken_data and not facts.in_flight)


@given(facts=facts, rules=rules, more=st.integers(0, 5000))
def test_counting_the_rows_can_only_turn_a_yes_into_a_no(
    facts: RetrainFacts, rules: RetrainRules, more: int
) -> None:
    uncounted = RetrainFacts(**{**_fields(facts), "new_rows": None})
    counted = RetrainFacts(**{**_fields(facts), "new_rows": more})

    assert decide(uncounted, rules).go >= decide(counted, rules).go


@given(facts=facts, rules=rules)
def test_time_alone_never_takes_a_permission_away(facts: RetrainFacts, rules: RetrainRules) -> None:
    later = RetrainFacts(**{**_fields(facts), "now": NOW + 400 * DAY})

    assert decide(later, rules).go >= decide(facts, rules).go


def _fields(facts: RetrainFacts) -> dict[str, Any]:
    return {name: getattr(facts, name) for name in RetrainFacts.__slots__}


@pytest.mark.parametrize(
    ("obstacle", "words"),
    [
        ({"trainings": (NOW - DAY,)}, "cool-down is 3d"),
        ({"trainings": tuple(NOW - n * 5 * DAY for n in range(1, 5))}, "the budget is spent"),
        ({"new_rows": 499}, "at least 500"),
        ({"losses_in_row": 5}, "a person has to look"),
        ({"in_flight": 1}, "still open"),
        ({"broken_data": ("temp is null",)}, "temp is null"),
    ],
)
def test_one_obstacle_is_enough_and_is_the_only_reason_given(
    obstacle: dict[str, Any], words: str
) -> None:
    decision = decide(good(**obstacle), RULES)

    assert not decision.go
    [reason] = decision.reasons
    assert words in reason


def test_all_obstacles_are_named_at_once() -> None:
    everything = good(
        trainings=tuple(NOW - n * DAY for n in range(1, 6)),
        new_rows=3,
        losses_in_row=7,
        in_flight=1,
        broken_data=("temp is null",),
    )

    assert len(decide(everything, RULES).reasons) == 6


def test_what_is_not_in_the_settings_may_not_ask() -> None:
    deaf = RetrainRules(
        triggers=frozenset({Trigger.QUALITY}),
        cooldown=DAY,
        budget=RULES.budget,
        min_new_rows=1,
        give_up_after=1,
    )

    assert decide(good(Trigger.DRIFT), deaf).reasons == (
        "drift may not ask for a new version (retrain.on)",
    )
    assert decide(good(Trigger.QUALITY), deaf).go


@pytest.mark.parametrize("trigger", [Trigger.FIRST, Trigger.MANUAL])
def test_who_skips_the_pause_or_the_budget_says_so(trigger: Trigger) -> None:
    often = tuple(NOW - n * timedelta(hours=6) for n in range(1, 6))
    decision = decide(good(trigger, trainings=often), RULES)

    assert decision.go
    assert any("need not wait for the cool-down" in reason for reason in decision.reasons)
    assert any("is not bound by the budget" in reason for reason in decision.reasons)


def ended(state: RequestState, day: int) -> RetrainRequest:
    return RetrainRequest(
        id=f"{state}-{day}",
        model="late",
        trigger=Trigger.DRIFT,
        asked_by="monitoring",
        asked_at=NOW + day * DAY,
        state=state,
        finished_at=None if state.is_open else NOW + day * DAY,
    )


@pytest.mark.parametrize(
    ("states", "since", "count"),
    [
        ([], None, 0),
        ([RequestState.REJECTED, RequestState.FAILED], None, 2),
        ([RequestState.REJECTED, RequestState.DECLINED, RequestState.REJECTED], None, 2),
        ([RequestState.REJECTED, RequestState.PROMOTED, RequestState.REJECTED], None, 1),
        ([RequestState.REJECTED, RequestState.REJECTED, RequestState.REJECTED], 2, 2),
    ],
)
def test_losses_count_back_to_the_last_move_of_the_champion(
    states: list[RequestState], since: int | None, count: int
) -> None:
    newest_first = [ended(state, len(states) - n) for n, state in enumerate(states)]
    moved: Callable[[int], datetime] = lambda day: NOW + day * DAY  # noqa: E731 - reads as a date

    assert losses_in_row(newest_first, moved(since) if since is not None else None) == count


def test_a_declined_request_was_no_training() -> None:
    requests = [ended(state, n) for n, state in enumerate(RequestState)]

    assert len(trainings_of(requests)) == 4
