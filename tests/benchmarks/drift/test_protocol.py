"""Windows are undisturbed, changes have the size that they say, and all parts run."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from . import accuracy, pays, power, undisturbed
from .changes import CHANGES, Change, Pool, grid, plain, pool
from .contenders import CONTENDERS
from .data import TIMED, UNTIMED, DataSet
from .protocol import WEEK, Seconds, mean_apart, shuffled_blocks, shuffled_rows, wilson
from .report import tables
from .results import Results, Surroundings
from .rows import Rows, Use, rows_of
from .subjects import moments, trained

HOURS: Seconds = np.arange(24 * 7 * 24, dtype=np.float64) * 3600.0 + 1e9


def made_up() -> Rows:
    """Hours of 24 weeks with a daily pattern, a category and a number that is often missing."""
    rng = np.random.default_rng(7)
    times = moments(HOURS)
    level = np.cumsum(rng.normal(size=len(HOURS)) * 0.3) * 0.1 + np.sin(HOURS / 13_751)
    noise = rng.normal(size=len(HOURS))
    inputs = pd.DataFrame(
        {
            "level": level,
            "twin": level * 2 + noise * 0.2,
            "count": rng.poisson(4, len(HOURS)),
            "kind": rng.choice(["a", "b", "c"], len(HOURS)),
            "gap": np.where(rng.random(len(HOURS)) < 0.2, np.nan, noise),
        }
    )
    target = pd.Series(level + 0.3 * (inputs["kind"] == "a") + noise * 0.1 > 0)
    return rows_of("made_up", inputs, target, times, has_weeks=True)


def change(words: str) -> Change:
    return next(change for change in CHANGES if change.words == words)


def correlation(inputs: pd.DataFrame) -> float:
    return float(np.corrcoef(inputs["level"], inputs["twin"])[0, 1])


MADE_UP = DataSet(load=made_up, use=Use.TUNING)


@pytest.fixture(scope="module")
def source() -> Pool:
    rng = np.random.default_rng(0)
    rows = MADE_UP.rows()
    subject = trained(rows, shuffled_rows(len(HOURS), rng).reference, 200, rng)
    found = pool(subject, rows)
    assert found is not None
    return found


@given(seed=st.integers(0, 2**32), has_weeks=st.booleans())
def test_no_row_is_both_learned_and_watched_and_neighbours_stay_so(
    seed: int, has_weeks: bool
) -> None:
    rng = np.random.default_rng(seed)
    halves = shuffled_blocks(HOURS, 200, has_weeks=has_weeks, rng=rng)

    assert halves is not None
    both = np.r_[halves.reference.order, halves.watched.order]
    assert len(np.unique(both)) == len(both) > 0.9 * len(HOURS)
    assert np.mean(np.diff(both) == 1) > 0.99


@given(seed=st.integers(0, 2**32))
def test_shuffled_weeks_keep_the_hour_of_the_week_and_time_goes_on(seed: int) -> None:
    rng = np.random.default_rng(seed)
    halves = shuffled_blocks(HOURS, 200, has_weeks=True, rng=rng)

    assert halves is not None
    for half in (halves.reference, halves.watched):
        assert np.all((HOURS[half.order] - half.seconds) % WEEK == 0)
        assert np.all(np.diff(half.seconds) > 0)
    assert halves.reference.seconds[-1] < halves.watched.seconds[0]


def test_too_few_blocks_give_no_windows() -> None:
    rng = np.random.default_rng(0)

    assert shuffled_blocks(HOURS, 2000, has_weeks=True, rng=rng) is None
    assert mean_apart(HOURS) == 3600


@given(st.integers(0, 500), st.integers(1, 500))
def test_the_interval_holds_the_rate(hits: int, more: int) -> None:
    low, high = wilson(hits, hits + more)

    assert 0 <= low <= hits / (hits + more) <= high <= 1


def test_a_shift_has_its_size_and_keeps_whole_numbers_whole(source: Pool) -> None:
    counts = source.rows.inputs["count"].to_numpy(dtype=float)
    shift = change("mean +0.25 sd, least important")
    drawn = shift.draw(replace(source, least="count"), 4000, np.random.default_rng(1))

    assert drawn is not None
    after = drawn[0]["count"].to_numpy(dtype=float)
    moved = float(after.mean() - counts.mean()) / source.spread["count"]
    assert moved == pytest.approx(0.25, abs=0.06)
    assert grid(after) == grid(counts) == 1.0


def test_a_flip_changes_correlations_and_no_value(source: Pool) -> None:
    drawn = change("correlation flipped").draw(source, 2000, np.random.default_rng(2))
    as_it_was = plain(source, 2000, np.random.default_rng(2))[0]

    assert drawn is not None
    assert source.tied in ("level", "twin")
    assert sorted(drawn[0][source.tied]) == sorted(as_it_was[source.tied])
    assert correlation(as_it_was) > 0.9
    assert correlation(drawn[0]) < -0.9


@pytest.mark.parametrize("words", [change.words for change in CHANGES])
def test_every_change_gives_whole_windows_of_the_same_columns(source: Pool, words: str) -> None:
    drawn = change(words).draw(source, 200, np.random.default_rng(3))

    assert drawn is not None
    inputs, target = drawn
    assert list(inputs) == list(source.rows.inputs)
    assert len(inputs) == len(target) == 200
    assert list(inputs.index) == list(target.index)


def test_no_data_set_is_both_tuned_on_and_held_out() -> None:
    names = [data.name for data in (*TIMED, *UNTIMED)]

    assert len(set(names)) == len(names)
    assert {data.use for data in TIMED} == {data.use for data in UNTIMED} == set(Use)


def test_all_parts_run_on_a_small_set() -> None:
    ours = [contender for contender in CONTENDERS if contender.name == "trimtab"]
    alarms = undisturbed.false_alarms(
        [MADE_UP], ours, window_rows=200, budgets=(0.01, 0.05), windows=5, seed=0
    )
    noticed = power.found(
        [MADE_UP], ours, window_rows=200, budget=0.01, references=1, windows=1, seed=0
    )
    late = power.delays([MADE_UP], ours, window_rows=200, budget=0.01, streams=1, length=4, seed=0)
    results = Results(
        surroundings=Surroundings(machine="here", versions={}, seed=0),
        words={"trimtab": "ours"},
        alarms=list(alarms),
        found=list(noticed),
        delays=list(late),
        paid=list(pays.paid([MADE_UP], ours, budgets=(0.01,))),
        accuracy=list(accuracy.accuracy([MADE_UP], window_rows=500, shifts=(0.0,), seed=0)),
    )

    assert [found.windows for found in results.alarms] == [5, 5]
    assert {found.change for found in results.found} == {change.words for change in CHANGES}
    caught = {found.change: found.alarms for found in results.found}
    assert caught["unit x1000"] == 1
    assert {found.windows for found in results.paid} == {15}
    assert max(abs(found.ks - found.ks_exact) for found in results.accuracy) < 0.04
    printed = "\n".join(table.markdown() for table in tables(results))
    assert "made_up" in printed
    assert "unit x1000" in printed
