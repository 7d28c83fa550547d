"""A bake: it goes back from what is worse, and hardly ever from what is as good."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.policy.baking import (
    LOOKS,
    SPENT,
    BakeFacts,
    BakeRules,
    Estimated,
    Paired,
    Traffic,
    confidence_at,
    due,
    look,
)
from trimtab.policy.tallying import steps_of
from trimtab.records.bakes import BakeLook

START = datetime(1970, 1, 1, tzinfo=UTC)
NOON = datetime(2013, 5, 3, 12, tzinfo=UTC)
DAY = 86_400.0
RULES = BakeRules(confidence=0.95, min_rows=100, max_slowdown=2.0)
QUIET = Traffic(latencies={})


def facts(**known: object) -> BakeFacts:
    nothing: dict[str, object] = {
        "metric": "log_loss",
        "since": START,
        "measured": None,
        "estimated": None,
        "traffic": QUIET,
        "traffic_before": QUIET,
    }
    return BakeFacts(**{**nothing, **known})  # type: ignore[arg-type]  # of the fields' own types


def seen(known: BakeFacts, number: int = 3) -> BakeLook:
    through = START + LOOKS[number] * timedelta(days=1)
    return look(known, RULES, number, at=through, through=through)


def pair(rows: int, worse_by: float, seed: int = 0, storm: float = 0.0) -> Paired:
    """Losses over a day; `storm` is the spread of what all rows of an hour share."""
    random = np.random.default_rng(seed)
    seconds = np.sort(random.uniform(0, DAY, rows))
    shared = random.normal(0, storm, 25)[(seconds // 3600).astype(int)] if storm else 0.0
    before = random.exponential(0.4, rows)
    champion = before + random.normal(worse_by, 0.3, rows) + shared
    return Paired(seconds=seconds, champion=champion, before=before)


def traffic(
    requests: int, failing: float = 0.0, ms: float = 5.0, seed: int = 0
) -> tuple[Traffic, Mapping[int, int]]:
    random = np.random.default_rng(seed)
    failed = random.binomial(requests, failing, 40)
    micros = random.lognormal(np.log(1000 * ms), 0.4, 40 * requests)
    counts = (tuple([requests] * 40), tuple(failed.tolist()))
    own = steps_of(random.lognormal(np.log(1000 * ms), 0.4, 400))
    return Traffic(requests=counts[0], failed=counts[1], latencies=steps_of(micros)), own


def test_a_worse_champion_is_found_out_and_a_better_one_is_not() -> None:
    worse = seen(facts(measured=pair(3000, 0.05)))
    better = seen(facts(measured=pair(3000, -0.05)))

    assert [figure.question for figure in worse.worse] == ["log_loss, measured"]
    assert worse.figures[0].low is not None
    assert 0 < worse.figures[0].low < 0.06
    assert not better.worse


def test_a_disaster_is_found_out_at_the_first_look() -> None:
    def early(worse_by: float) -> Paired:
        found = pair(300, worse_by)
        return replace(found, seconds=found.seconds / 64)

    assert seen(facts(measured=early(0.8)), 0).worse
    assert not seen(facts(measured=early(0.15)), 0).worse, "it may be the hour"


@pytest.mark.parametrize("storm", [0.0, 0.1])
def test_of_equally_good_champions_no_more_are_taken_back_than_is_stated(storm: float) -> None:
    taken_back = 0
    for seed in range(400):
        whole = pair(1200, 0.0, seed, storm)
        for number, share in enumerate(LOOKS):
            part = whole.seconds < share * DAY
            known = Paired(
                seconds=whole.seconds[part],
                champion=whole.champion[part],
                before=whole.before[part],
            )
            if seen(facts(measured=known), number).worse:
                taken_back += 1
                break

    # A third of 5% is what quality may err; 15 of 400 come by chance in one case of a thousand.
    assert taken_back < 15


def test_looks_and_questions_share_what_the_bake_may_err() -> None:
    spent = [3 * (1 - confidence_at(number, 0.95)) for number in range(len(LOOKS))]

    assert sum(SPENT) == 1
    assert sum(spent) == pytest.approx(0.05)


@given(
    through=st.floats(0, 1),
    taken=st.lists(st.integers(0, len(LOOKS) - 1), unique=True).map(sorted),
)
def test_a_look_is_never_taken_before_its_time_nor_twice(through: float, taken: list[int]) -> None:
    length = timedelta(days=64)
    found = due(NOON, NOON + length, NOON + through * length, taken)

    if found is not None:
        assert LOOKS[found] <= through + 1e-9
        assert all(found > number for number in taken)


def test_few_rows_and_few_stretches_of_time_prove_nothing() -> None:
    few = seen(facts(measured=pair(99, 5.0)))
    rows = pair(5000, 5.0)
    burst = seen(facts(measured=replace(rows, seconds=rows.seconds % 200)))

    assert not few.worse
    assert not burst.worse
    assert any("too few to measure" in remark for remark in few.remarks)


def test_rows_that_the_version_before_cannot_answer_are_compared_by_nobody() -> None:
    rows = pair(3000, 0.0)
    holes = replace(rows, before=np.where(np.arange(3000) % 2, np.nan, rows.before))

    assert seen(facts(measured=holes)).figures[0].rows == 1500


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_losses_that_are_no_numbers_take_nobody_back(bad: float) -> None:
    rows = pair(1000, 0.0)

    assert not seen(facts(measured=replace(rows, champion=np.full(1000, bad)))).worse


def estimated(worse_by: float, *, limit: float = 0.3, doubt: str = "") -> Estimated:
    return Estimated(losses=pair(3000, worse_by), margin=0.1, limit=limit, doubt=doubt)


def test_without_labels_the_estimates_speak_when_they_differ_by_more_than_they_may_miss() -> None:
    assert [f.question for f in seen(facts(estimated=estimated(0.3))).worse] == [
        "log_loss, estimated"
    ]
    assert not seen(facts(estimated=estimated(0.08))).worse


@pytest.mark.parametrize("silent", [{"limit": 2.0}, {"doubt": "they held in 2 of 9 windows"}])
def test_estimates_that_keep_the_promise_or_are_in_doubt_take_nobody_back(
    silent: dict[str, object],
) -> None:
    found = seen(facts(estimated=estimated(0.3, **silent)))  # type: ignore[arg-type]

    assert not found.worse
    if "doubt" in silent:
        assert any("not believed: they held in 2" in remark for remark in found.remarks)


def test_labels_have_the_word_over_estimates() -> None:
    found = seen(facts(measured=pair(3000, -0.05), estimated=estimated(0.3)))

    assert [figure.question for figure in found.figures] == ["log_loss, measured"]
    assert not found.worse


def test_without_labels_and_estimates_it_is_said_that_quality_is_not_known() -> None:
    now, own = traffic(100)
    found = seen(facts(traffic=now, traffic_before=now, timings=(own, own)))

    assert not found.worse
    assert len(found.figures) == 3, "errors, and two latencies"
    assert "nothing estimates the quality without labels" in found.remarks


def test_a_champion_that_fails_more_requests_is_taken_back() -> None:
    (failing, own), (before, _) = traffic(100, 0.05, seed=1), traffic(100, 0.005, seed=2)
    found = seen(facts(traffic=failing, traffic_before=before, timings=(own, own)))

    assert [figure.question for figure in found.worse] == ["failed requests"]


def test_one_burst_of_failures_is_one_piece_of_luck() -> None:
    before, own = traffic(100)
    burst = replace(before, failed=(100, *[0] * 39))

    assert not seen(facts(traffic=burst, traffic_before=before, timings=(own, own))).worse


def test_a_slow_champion_is_taken_back_and_a_busy_machine_is_not_blamed_on_it() -> None:
    (slow, own), (before, own_before) = traffic(100, ms=15), traffic(100, ms=5)
    to_blame = seen(facts(traffic=slow, traffic_before=before, timings=(own, own_before)))
    busy = seen(facts(traffic=slow, traffic_before=before, timings=(own_before, own_before)))

    assert {f.question for f in to_blame.worse} == {"latency at p50, ms", "latency at p99, ms"}
    assert not busy.worse


def test_what_nobody_can_notice_is_not_slow() -> None:
    (slow, own), (before, own_before) = traffic(100, ms=0.3), traffic(100, ms=0.1)

    assert not seen(facts(traffic=slow, traffic_before=before, timings=(own, own_before))).worse
