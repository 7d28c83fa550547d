"""The comparison of a trial, on data whose answer is known."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.policy.agreement import conclude, quantile
from trimtab.policy.block_sums import MOST
from trimtab.policy.routing import goes_to_challenger, group_of
from trimtab.policy.said import Said, make_plan
from trimtab.policy.tallying import begin, with_pairs, with_served, with_timings
from trimtab.records.agreement import Groups, TrialResult
from trimtab.records.contracts import Contract, Task
from trimtab.records.documents import from_json, to_json
from trimtab.records.schema import Schema
from trimtab.records.tallies import Tally

NOON = datetime(2013, 4, 1, 12, tzinfo=UTC)
HOUR = 3600.0


def contract(task: Task = Task.BINARY, classes: Sequence[str] = ("no", "yes")) -> Contract:
    named = tuple(classes) if task.is_classification else ()
    return Contract(model="m", task=task, target="y", schema=Schema(columns=()), classes=named)


def odds(shares: Sequence[float] | np.ndarray) -> Said:
    """What a binary version said: the probability of `yes`."""
    yes = np.asarray(shares, dtype=float)
    return Said(output=np.column_stack([1 - yes, yes]))


def numbers(values: Sequence[float] | np.ndarray) -> Said:
    return Said(output=np.asarray(values, dtype=float).reshape(-1, 1))


def empty(said: Said, promise: Contract, slices: dict[str, list[str]] | None = None) -> Tally:
    return begin(make_plan(promise, said, slices or {}))


def concluded(tally: Tally) -> TrialResult:
    return conclude(
        tally, champion="7", challenger="8", through=NOON, confidence=0.95, min_rows=100
    )


def times(rows: int, hours: float = 48) -> np.ndarray:
    return NOON.timestamp() + np.linspace(0, hours * HOUR, rows, endpoint=False)


def test_a_version_beside_itself_agrees_with_itself_in_all() -> None:
    said = odds(np.random.default_rng(0).random(1000))
    found = concluded(with_pairs(empty(said, contract()), times(1000), said, said, {}))

    assert (found.overall.rows, found.overall.agreed, found.overall.distance) == (1000, 1.0, 0.0)
    assert (found.overall.low, found.overall.high) == (1.0, 1.0)
    (shift,) = found.overall.shifts
    assert (shift.score, shift.low, shift.high) == ("yes", 0.0, 0.0)
    assert (found.changes, found.remarks, found.groups) == ((), (), None)


def test_agreement_and_shift_are_those_that_were_built_in() -> None:
    champion = np.tile([0.2, 0.2, 0.2, 0.8], 500)
    challenger = np.tile([0.2, 0.2, 0.6, 0.8], 500)
    tally = empty(odds(champion), contract(), {"origin": ["JFK", "LGA"]})
    masks = {
        "origin=JFK": np.tile([1, 1, 0, 0], 500) == 1,
        "origin=LGA": np.tile([0, 0, 1, 1], 500) == 1,
    }
    found = concluded(with_pairs(tally, times(2000), odds(champion), odds(challenger), masks))

    assert found.overall.agreed == pytest.approx(0.75)
    (shift,) = found.overall.shifts
    assert [shift.champion, shift.challenger] == pytest.approx([0.35, 0.45])
    assert shift.low is not None
    assert shift.high is not None
    assert shift.low <= 0.1 + 1e-9
    assert shift.high >= 0.1 - 1e-9
    assert [(s.name, s.rows) for s in found.slices] == [
        ("origin=LGA", 1000),
        ("origin=JFK", 1000),
    ], "the slice that differs most comes first"
    assert [s.agreed for s in found.slices] == pytest.approx([0.5, 1.0])
    (change,) = found.changes
    assert (change.champion, change.challenger, change.rows) == ("no", "yes", 500)


def test_answers_with_nothing_in_common_are_one_apart() -> None:
    said, other = odds(np.full(300, 0.1)), odds(np.full(300, 0.9))
    sample = odds(np.linspace(0, 1, 300))
    found = concluded(with_pairs(empty(sample, contract()), times(300), said, other, {}))

    assert found.overall.distance == pytest.approx(1.0)
    assert found.overall.agreed == 0.0


def test_numbers_agree_within_a_tenth_of_their_spread() -> None:
    values = np.random.default_rng(0).normal(100, 10, 5000)
    tally = empty(numbers(values), contract(Task.REGRESSION))
    moved = values + np.tile([0.5, 2.0], 2500)
    found = concluded(with_pairs(tally, times(5000), numbers(values), numbers(moved), {}))

    assert found.tolerance == pytest.approx(1.0, rel=0.05)
    assert found.overall.agreed == pytest.approx(0.5)
    (shift,) = found.overall.shifts
    assert shift.score == "prediction"
    assert shift.challenger - shift.champion == pytest.approx(1.25)
    assert found.changes == ()


def test_many_classes_are_counted_by_class() -> None:
    random = np.random.default_rng(0)
    shares = random.dirichlet(np.ones(3), 900)
    swapped = shares[:, [1, 0, 2]]
    tally = empty(Said(output=shares), contract(Task.MULTICLASS, ("a", "b", "c")))
    found = concluded(with_pairs(tally, times(900), Said(output=shares), Said(output=swapped), {}))

    is_c = shares.argmax(axis=1) == 2
    assert found.overall.agreed == pytest.approx(is_c.mean())
    assert [shift.score for shift in found.overall.shifts] == ["a", "b", "c"]
    assert {(c.champion, c.challenger) for c in found.changes} == {("a", "b"), ("b", "a")}


def test_rows_that_the_challenger_could_not_answer_are_counted_and_compared_with_nothing() -> None:
    said = odds(np.linspace(0.1, 0.9, 200))
    broken = Said(output=np.where(np.arange(200)[:, None] < 50, np.nan, said.output))
    found = concluded(with_pairs(empty(said, contract()), times(200), said, broken, {}))

    assert (found.unanswered, found.overall.rows, found.overall.agreed) == (50, 150, 1.0)
    assert any("could not answer 50 rows" in remark for remark in found.remarks)


@settings(max_examples=30, deadline=None)
@given(
    cuts=st.lists(st.integers(0, 600), max_size=6),
    hours=st.floats(0.1, 5000),
    seed=st.integers(0, 5),
)
def test_it_does_not_matter_in_which_batches_the_rows_came(
    cuts: list[int], hours: float, seed: int
) -> None:
    random = np.random.default_rng(seed)
    left, right, seconds = odds(random.random(600)), odds(random.random(600)), times(600, hours)
    masks = {"s=a": random.random(600) < 0.3}
    whole = with_pairs(empty(left, contract()), seconds, left, right, masks)
    parts = empty(left, contract())
    edges = [0, *sorted(cuts), 600]
    for start, end in pairwise(edges):
        rows = (np.arange(600) >= start) & (np.arange(600) < end)
        some = {name: mask[rows] for name, mask in masks.items()}
        parts = with_pairs(parts, seconds[rows], left.only(rows), right.only(rows), some)
        parts = from_json(Tally, to_json(parts))  # as it is kept between batches

    one, other = concluded(whole), concluded(parts)
    assert parts.block_seconds == whole.block_seconds
    assert (one.overall.rows, one.overall.distance) == (other.overall.rows, other.overall.distance)
    assert one.overall.agreed == pytest.approx(other.overall.agreed)
    assert one.slices[0].agreed == pytest.approx(other.slices[0].agreed)
    assert one.overall.low == pytest.approx(other.overall.low)
    assert one.overall.shifts[0].high == pytest.approx(other.overall.shifts[0].high)


def test_what_is_kept_stays_small_however_long_a_trial_lasts() -> None:
    said = odds(np.random.default_rng(0).random(50_000))
    masks = {f"s={n}": np.arange(50_000) % 25 == n for n in range(25)}
    tally = with_pairs(empty(said, contract()), times(50_000, 24 * 365), said, said, masks)

    assert len(tally.pairs["all rows"].sums.blocks) <= MOST
    assert len(to_json(tally)) < 300_000


def test_bounds_hold_the_true_shift_nine_times_in_ten_where_hours_share_their_luck() -> None:
    random, held = np.random.default_rng(1), 0
    for _ in range(60):
        luck = np.repeat(random.normal(0, 0.05, 48), 50)
        seconds = times(48 * 50)
        left = odds(np.clip(random.random(2400) * 0.6, 0, 1))
        right = odds(np.clip(left.output[:, 1] + 0.1 + luck, 0, 1))
        tally = with_pairs(empty(left, contract()), seconds, left, right, {})
        (shift,) = concluded(tally).overall.shifts
        assert shift.low is not None
        assert shift.high is not None
        held += shift.low <= 0.1 <= shift.high

    assert held >= 48, "9 in 10 of 60 are 54; fewer than 48 come once in a hundred seeds"


def served(tally: Tally, version: str, yes: np.ndarray, callers: np.ndarray, **more: int) -> Tally:
    """Let callers, by number, be answered by a version."""
    facts = {"requests": len(yes), "failed": 0, **more}
    groups = np.array(
        [group_of(f"key {c}", tally.plan.caller_groups) for c in range(max(callers) + 1)]
    )
    return with_served(
        tally,
        version,
        callers=groups[callers],
        said=odds(yes),
        latencies=np.full(len(yes), 2000.0),
        **facts,
    )


def by_share(share: float, callers: int, trial: str) -> np.ndarray:
    """Tell of each caller whether the challenger answers it."""
    return np.array([goes_to_challenger(trial, share, [str(c)], "") for c in range(callers)])


def both(yes: np.ndarray, callers: np.ndarray, is_new: np.ndarray) -> Groups:
    tally = empty(odds(yes), contract())
    tally = served(tally, "7", yes[~is_new[callers]], callers[~is_new[callers]])
    groups = concluded(served(tally, "8", yes[is_new[callers]], callers[is_new[callers]])).groups
    assert groups is not None
    return groups


def test_two_groups_that_one_version_answered_are_apart_by_chance_alone() -> None:
    random = np.random.default_rng(2)
    yes, callers = random.random(20_000), np.arange(20_000)
    groups = both(yes, callers, random.random(20_000) < 0.1)

    assert groups.by_chance is not None
    assert groups.distance < 1.6 * groups.by_chance
    used = empty(odds(yes), contract()).plan.bins
    textbook = np.sqrt((used - 1) / (8 * np.log(2)) * (1 / 18_000 + 1 / 2_000))
    assert groups.by_chance == pytest.approx(textbook, rel=0.2), "as for rows that are nobody's"
    (shift,) = groups.shifts
    assert shift.low is not None
    assert shift.high is not None
    assert shift.low < 0 < shift.high


@pytest.mark.parametrize(
    ("callers", "share", "visits"), [(60, 0.1, 40), (60, 0.5, 40), (400, 0.1, 8)]
)
def test_a_version_beside_itself_is_called_different_as_often_as_is_stated(
    callers: int, share: float, visits: int
) -> None:
    """Callers come back, each with answers of its own kind; some 150 trials, bounds of 95% each."""
    random, low, high, over, trials = np.random.default_rng(3), 0, 0, [], 0
    for trial in range(150):
        is_new = by_share(share, callers, f"trial {trial}")
        if is_new.sum() < 4:
            continue
        kind = random.beta(2, 2, callers)
        who = np.repeat(np.arange(callers), random.poisson(visits, callers) + 1)
        yes = np.clip(kind[who] + random.normal(0, 0.05, len(who)), 0, 1)
        groups = both(yes, who, is_new)
        (shift,) = groups.shifts
        assert shift.low is not None
        assert shift.high is not None
        assert groups.by_chance is not None
        trials += 1
        low, high = low + (shift.low > 0), high + (shift.high < 0)
        over.append(groups.distance / groups.by_chance)

    assert trials > 100
    assert max(low, high) <= 0.11 * trials, "of 5%, that comes once in some hundred seeds"
    assert np.sqrt(np.mean(np.square(over))) == pytest.approx(1.0, abs=0.3)


def test_a_difference_is_seen_although_callers_come_back() -> None:
    random = np.random.default_rng(4)
    who = np.repeat(np.arange(400), 30)
    is_new = by_share(0.5, 400, "a")
    yes = np.clip(random.beta(2, 2, 400)[who] * 0.7 + 0.15 * is_new[who], 0, 1)
    groups = both(yes, who, is_new)

    assert groups.by_chance is not None
    assert groups.distance > 1.5 * groups.by_chance
    assert groups.shifts[0].low is not None
    assert groups.shifts[0].low > 0


@settings(max_examples=20, deadline=None)
@given(cuts=st.lists(st.integers(0, 400), max_size=5), seed=st.integers(0, 5))
def test_it_does_not_matter_in_which_batches_callers_came(cuts: list[int], seed: int) -> None:
    random = np.random.default_rng(seed)
    yes, callers = random.random(400), random.integers(0, 300, 400)
    whole = served(empty(odds(yes), contract()), "7", yes, callers)
    parts = empty(odds(yes), contract())
    for start, end in pairwise([0, *sorted(cuts), 400]):
        if start < end:
            parts = served(parts, "7", yes[start:end], callers[start:end])
            parts = from_json(Tally, to_json(parts))

    one, other = whole.served["7"], parts.served["7"]
    assert (one.rows, one.requests, one.callers.blocks) == (400, 400, other.callers.blocks)
    np.testing.assert_allclose(one.callers.sums, other.callers.sums)


def test_one_caller_bounds_nothing() -> None:
    yes = np.linspace(0, 1, 50)
    tally = served(empty(odds(yes), contract()), "7", yes, np.arange(50))
    found = concluded(served(tally, "8", yes, np.zeros(50, dtype=int)))

    assert found.groups is not None
    assert found.groups.by_chance is None
    assert found.groups.shifts[0].low is None
    assert any("1 callers of one version, too few" in remark for remark in found.remarks)


def test_two_groups_that_different_versions_answered_are_told_apart() -> None:
    random = np.random.default_rng(2)
    yes, is_new = random.random(20_000), random.random(20_000) < 0.1
    callers = np.arange(20_000)
    tally = served(empty(odds(yes), contract()), "7", yes[~is_new], callers[~is_new])
    tally = served(tally, "8", yes[is_new] ** 2, callers[is_new], failed=3)
    found = concluded(tally)

    assert found.groups is not None
    assert found.groups.by_chance is not None
    assert found.groups.distance > 2 * found.groups.by_chance
    assert found.groups.shifts[0].high is not None
    assert found.groups.shifts[0].high < 0
    assert {s.version: (s.requests, s.rows, s.failed) for s in found.served} == {
        "7": (int((~is_new).sum()), int((~is_new).sum()), 0),
        "8": (int(is_new.sum()), int(is_new.sum()), 3),
    }


@given(st.lists(st.floats(1, 1e8), min_size=1, max_size=200), st.sampled_from([0.5, 0.99]))
def test_a_quantile_of_latency_is_right_to_five_percent(micros: list[float], level: float) -> None:
    tally = with_timings(empty(odds([0.5]), contract()), "8", micros)
    found = quantile(tally.timings["8"], level)

    true = np.quantile(micros, level, method="inverted_cdf") / 1000
    assert found == pytest.approx(true, rel=0.05)


def test_a_short_trial_says_that_it_is_short() -> None:
    said = odds(np.linspace(0, 1, 50))
    found = concluded(with_pairs(empty(said, contract()), times(50, 1 / 60), said, said, {}))

    assert found.overall.low is None, "one block bounds nothing"
    assert any("too few" in remark for remark in found.remarks)
    assert any("let it run longer" in remark for remark in found.remarks)


def test_a_result_survives_being_kept() -> None:
    said = odds(np.linspace(0, 1, 500))
    found = concluded(with_pairs(empty(said, contract()), times(500), said, said, {}))

    assert from_json(TrialResult, to_json(found)) == found
