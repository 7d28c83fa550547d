"""No decision of a replay knows more than the loop would have known at that moment."""

from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.errors import SettingsError
from trimtab.records.windows import Window
from trimtab.settings import RetrainSettings
from trimtab_pipelines.collect import known_rows
from trimtab_pipelines.errors import SourceError
from trimtab_pipelines.replay.answering import Answering
from trimtab_pipelines.replay.history import History
from trimtab_pipelines.replay.policies import policy_of
from trimtab_pipelines.replay.simulation import Course, Simulation
from trimtab_pipelines.replay.workshop import open_workshop

from .conftest import DAYS, SINCE, START, TURN, Past, world

LAG = timedelta(days=2)


def course(history: History, folder: Path) -> Course:
    with open_workshop(history, folder, 1) as workshop:
        return Simulation(
            history=history,
            policy=policy_of("own", history.settings.retrain),
            workshop=workshop,
            answering=Answering(history=history),
            first=workshop.load(workshop.make(SINCE)),
        ).run()


def decisions(course: Course, until: datetime) -> list[tuple[object, ...]]:
    """What was asked before a moment, and how it ended."""
    return [
        (r.asked_at, r.trigger, r.state, r.reasons, r.new_rows, r.version)
        for r in (one.request for one in course.pursued)
        if r.asked_at <= until
    ]


@pytest.fixture(scope="module")
def truly(past: Past, tmp_path_factory: pytest.TempPathFactory) -> Course:
    return course(past(world(lag=LAG), TURN + timedelta(days=11)), tmp_path_factory.mktemp("a"))


def test_labels_that_come_after_a_moment_change_no_decision_before_it(
    truly: Course, past: Past, tmp_path: Path
) -> None:
    moment = TURN + timedelta(days=9)
    changed = world(lag=LAG)
    later = changed["known"] > moment
    changed.loc[later, "late"] = ~changed.loc[later, "late"]
    changed.loc[later, "known"] += timedelta(hours=5)

    found = course(past(changed, TURN + timedelta(days=11)), tmp_path)

    assert decisions(found, moment) == decisions(truly, moment) != []
    assert not np.array_equal(found.losses, truly.losses, equal_nan=True)


def test_rows_that_are_asked_after_a_moment_change_no_decision_before_it(
    truly: Course, past: Past, tmp_path: Path
) -> None:
    moment = TURN + timedelta(days=9)
    changed = world(lag=LAG)
    later = changed["at"] >= moment
    changed.loc[later, "x"] = 99.0

    found = course(past(changed, TURN + timedelta(days=11)), tmp_path)

    assert decisions(found, moment) == decisions(truly, moment)


hours = st.one_of(st.none(), st.integers(-5, 24 * DAYS))


@settings(max_examples=25, deadline=None)
@given(
    lags=st.lists(hours, min_size=DAYS, max_size=DAYS), at=st.integers(0, 24 * DAYS), start=hours
)
def test_what_is_known_is_what_a_training_would_collect(
    past: Past, lags: list[int | None], at: int, start: int | None
) -> None:
    rows = world().iloc[:: len(world()) // DAYS].head(DAYS).reset_index(drop=True)
    waits = pd.Series([np.nan if lag is None else float(lag) for lag in lags])
    rows["known"] = rows["at"] + pd.to_timedelta(waits, unit="h")
    history = past(rows)
    moment = START + timedelta(hours=at)
    since = None if start is None else START + timedelta(hours=start)

    found = history.known(moment, since)

    try:
        expected = known_rows(rows, history.settings, moment)
    except SourceError:
        expected = rows.head(0)
    if since is not None:
        expected = expected[expected["at"] >= since]
    assert found["at"].tolist() == expected["at"].tolist()


def test_windows_are_those_of_the_monitors_grid(past: Past) -> None:
    history = past(until=TURN + timedelta(hours=5))
    windows = history.windows()

    assert windows[0] == Window.around(SINCE, timedelta(days=1))
    assert windows[-1].start < history.until <= windows[-1].end
    assert all(a.end == b.start for a, b in pairwise(windows))


@pytest.mark.parametrize("name", ["every 3d", "drift and 1000 new labels"])
def test_a_condition_is_a_policy_under_the_projects_own_rules(name: str) -> None:
    own = RetrainSettings(cooldown="2d", give_up_after=3)
    policy = policy_of(name, own)

    assert [str(entry) for entry in policy.settings.on] == [policy.rule]
    assert (policy.settings.cooldown, policy.settings.give_up_after) == (timedelta(days=2), 3)


def test_what_is_no_condition_is_refused() -> None:
    with pytest.raises(SettingsError, match="never, monthly"):
        policy_of("whenever", RetrainSettings())
