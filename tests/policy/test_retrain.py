from collections.abc import Callable
from dataclasses import replace
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
    vetoes_of,
)
from trimtab.records.durations import Rate
from trimtab.records.previews import Preview
from trimtab.records.requests import Obstacle, RequestState, RetrainRequest, Trigger
from trimtab.records.row_counts import Arrival
from trimtab.records.triggers import AllOf

NOW = datetime(2013, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
ALL = tuple(map(AllOf.parse, ("drift", "quality", "every 9d", "5 new labels")))
RULES = RetrainRules(
    on=ALL,
    cooldown=3 * DAY,
    budget=Rate.parse("4 per month"),
    min_new_rows=500,
    give_up_after=5,
)


def preview(gain: float) -> Preview:
    return Preview(
        metric="log_loss",
        before=0.5,
        after=0.5 - gain,
        low=gain - 0.01,
        high=gain + 0.01,
        judged_on=300,
        fitted_before=900,
        fitted_after=1000,
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
    broken_data=st.lists(st.sampled_from(["temp is null", "wind is frozen"]), max_size=2).map(
        tuple
    ),
    preview=st.none() | st.sampled_from([0.02, 0.0, -0.02]).map(preview),
    vetoes=st.lists(ages, max_size=4).map(lambda found: tuple(NOW - age for age in found)),
    override=st.none() | st.just("put right in the source"),
)
rules = st.builds(
    RetrainRules,
    on=st.sets(st.sampled_from(ALL)).map(tuple),
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
def test_broken_data_never_trains_unless_a_person_says_why(
    facts: RetrainFacts, rules: RetrainRules
) -> None:
    said_why = facts.trigger is Trigger.MANUAL and facts.override
    if facts.broken_data and not said_why:
        assert not decide(facts, rules).go
        assert Obstacle.BROKEN_DATA in decide(facts, rules).obstacles


@given(facts=facts, rules=rules)
def test_the_order_of_what_is_known_does_not_matter(
    facts: RetrainFacts, rules: RetrainRules
) -> None:
    turned = replace(
        facts,
        trainings=facts.trainings[::-1],
        broken_data=facts.broken_data[::-1],
        vetoes=facts.vetoes[::-1],
    )

    assert decide(turned, rules) == decide(facts, rules)


@given(facts=facts, rules=rules, more=st.integers(1, 5000))
def test_more_new_rows_never_turn_a_yes_into_a_no(
    facts: RetrainFacts, rules: RetrainRules, more: int
) -> None:
    richer = replace(facts, new_rows=(facts.new_rows or 0) + more)
    poorer = replace(facts, new_rows=facts.new_rows or 0)

    assert decide(richer, rules).go >= decide(poorer, rules).go


@given(facts=facts, rules=rules)
def test_a_no_names_an_obstacle_for_each_reason_and_a_yes_none(
    facts: RetrainFacts, rules: RetrainRules
) -> None:
    decision = decide(facts, rules)

    assert len(decision.obstacles) == (0 if decision.go else len(decision.reasons))
    assert decision.go == (not decision.obstacles)


@given(facts=facts, rules=rules)
def test_obstacles_of_time_are_gone_at_the_moment_that_was_told(
    facts: RetrainFacts, rules: RetrainRules
) -> None:
    until = decide(facts, rules).not_before
    if until is not None:
        # A preview is made only when the one before is long enough ago.
        vetoes = facts.vetoes if facts.preview is None else ()
        then = decide(replace(facts, now=until, preview=None, vetoes=vetoes), rules)

        assert until > facts.now
        assert not {Obstacle.COOLDOWN, Obstacle.BUDGET, Obstacle.PREVIEW} & set(then.obstacles)


@given(facts=facts, rules=rules)
def test_previews_say_no_three_times_at_most(facts: RetrainFacts, rules: RetrainRules) -> None:
    if len(facts.vetoes) >= 3 and facts.preview is not None:
        assert Obstacle.PREVIEW not in decide(facts, rules).obstacles


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
    automatic = facts.trigger not in (Trigger.FIRST, Trigger.MANUAL)
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
        is_broken = facts.broken_data and not facts.override
        assert decide(facts, rules).go == (not is_broken and not facts.in_flight)


@given(facts=facts, rules=rules, more=st.integers(0, 5000))
def test_counting_the_rows_can_only_turn_a_yes_into_a_no(
    facts: RetrainFacts, rules: RetrainRules, more: int
) -> None:
    uncounted, counted = replace(facts, new_rows=None), replace(facts, new_rows=more)

    assert decide(uncounted, rules).go >= decide(counted, rules).go


@given(facts=facts, rules=rules)
def test_time_alone_never_takes_a_permission_away(facts: RetrainFacts, rules: RetrainRules) -> None:
    later = replace(facts, now=NOW + 400 * DAY)

    assert decide(later, rules).go >= decide(facts, rules).go


@pytest.mark.parametrize(
    ("obstacle", "words"),
    [
        ({"trainings": (NOW - DAY,)}, "cool-down of 3d ends 2013-06-03 00:00"),
        ({"trainings": tuple(NOW - n * 5 * DAY for n in range(1, 5))}, "the budget is spent"),
        ({"new_rows": 499}, "at least 500"),
        ({"losses_in_row": 5}, "a person has to look"),
        ({"in_flight": 1}, "still open"),
        ({"broken_data": ("temp is null",)}, "temp is null"),
        ({"preview": preview(-0.02)}, "a gain of -0.0200"),
        (
            {"vetoes": (NOW - 2 * DAY, NOW - DAY, NOW - 3 * DAY)},
            "predicted no gain 1 d ago; the next one is 2013-06-03",
        ),
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
        preview=preview(-0.02),
    )

    assert len(decide(everything, RULES).reasons) == 7


def test_what_is_not_in_the_settings_may_not_ask() -> None:
    deaf = RetrainRules(
        on=(AllOf.parse("quality"),),
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


def test_a_person_who_has_one_trained_starts_the_count_anew() -> None:
    lost = [ended(RequestState.REJECTED, day) for day in (9, 8, 7, 6, 5)]
    tried = replace(ended(RequestState.REJECTED, 7), trigger=Trigger.MANUAL)
    turned_away = replace(ended(RequestState.DECLINED, 7), trigger=Trigger.MANUAL)

    assert losses_in_row([*lost[:2], tried, *lost[3:]], None) == 2
    assert losses_in_row([*lost[:2], turned_away, *lost[3:]], None) == 4


def test_vetoes_count_back_to_the_last_training() -> None:
    veto = replace(
        ended(RequestState.DECLINED, 0), obstacles=(Obstacle.PREVIEW,), preview=preview(-0.1)
    )
    at = [replace(veto, finished_at=NOW + day * DAY) for day in (9, 8, 6)]
    waiting = replace(at[1], preview=None)  # declined because the next preview was not due
    trained = ended(RequestState.REJECTED, 7)

    assert vetoes_of([at[0], waiting, at[1], trained, at[2]], None) == (
        NOW + 9 * DAY,
        NOW + 8 * DAY,
    )
    assert vetoes_of(at, NOW + 7 * DAY) == (NOW + 9 * DAY, NOW + 8 * DAY)


@pytest.mark.parametrize(("noes", "hours"), [(1, 18), (2, 36), (3, 72), (4, 72)])
def test_after_each_no_the_next_preview_waits_longer(noes: int, hours: int) -> None:
    last = NOW - timedelta(hours=hours)
    vetoes = (last, *(last - n * DAY for n in range(1, noes)))
    just_before = tuple(at + timedelta(seconds=1) for at in vetoes)

    assert decide(good(vetoes=vetoes), RULES).go
    assert decide(good(vetoes=just_before), RULES).obstacles == (Obstacle.PREVIEW,)


def test_after_three_vetoes_the_truth_is_asked_and_that_is_said() -> None:
    vetoes = tuple(NOW - n * 4 * DAY for n in (1, 2, 3))
    decision = decide(good(vetoes=vetoes, preview=preview(-0.02)), RULES)

    assert decision.go
    assert any("it has said no 3 times, so the truth is asked" in r for r in decision.reasons)


def test_who_overrides_broken_data_is_quoted() -> None:
    override = "the unit was put right in the source"
    facts = good(Trigger.MANUAL, broken_data=("temp is null",), override=override)

    assert any(override in reason for reason in decide(facts, RULES).reasons)
    assert not decide(replace(facts, trigger=Trigger.DRIFT), RULES).go, "only a person may"


def test_it_is_said_how_far_labels_have_come_and_when_there_are_enough() -> None:
    arrival = Arrival(
        labelled=310, expected=500, share=0.95, after=2 * DAY, enough_at=NOW + timedelta(hours=6)
    )
    decision = decide(good(new_rows=90, arrival=arrival), RULES)

    assert decision.not_before == arrival.enough_at
    [reason] = decision.reasons
    for words in ("90 new", "310 of about 500", "48 h", "95% of enough are expected by 2013-06-01"):
        assert words in reason
