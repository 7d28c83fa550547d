"""Labels that come late or are corrected, and estimates that are graded by them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from trimtab.policy.hindsight import MEMORY, worth_measuring
from trimtab.records.incidents import Situation
from trimtab.records.quality import Estimate, Quality, Voice
from trimtab.records.reference import OUTPUT
from trimtab.records.verdicts import Verdict

if TYPE_CHECKING:
    from tests.monitoring.conftest import Lab, World


def frame_of(lab: Lab, week: int) -> pd.DataFrame:
    return lab.traffic(lab.rows_a_week, seed=100 + week)


def unsure(lab: Lab, week: int) -> pd.DataFrame:
    """A week of cases that are hard to tell: the model itself says so."""
    frame = frame_of(lab, week)
    wind = np.random.default_rng(week).uniform(15.0, 25.0, size=len(frame))
    return frame.assign(wind=wind, **{OUTPUT: 1 / (1 + np.exp(2 - wind / 10))})


def serve_with_labels(world: World, lab: Lab, weeks: Sequence[int]) -> None:
    for week in weeks:
        frame = frame_of(lab, week)
        world.serve(week, frame, labels=lab.truth(frame, seed=week))
        while world.watch.step():
            pass


def stored(world: World) -> list[Verdict]:
    """All verdicts, oldest first."""
    with world.database.transaction() as stores:
        return list(reversed(stores.verdicts.recent("late")))


def qualities(world: World) -> list[Quality]:
    return [verdict.quality for verdict in stored(world) if verdict.quality is not None]


def estimate_of(quality: Quality | None) -> Estimate:
    assert quality is not None
    assert quality.estimate is not None
    return quality.estimate


def test_a_window_with_labels_is_measured_estimated_and_graded(world: World, lab: Lab) -> None:
    serve_with_labels(world, lab, range(2))

    newest = qualities(world)[-1]

    assert newest.voice is Voice.MEASURED
    assert newest.value is not None
    assert newest.low is not None
    assert newest.high is not None
    assert newest.low < newest.value < newest.high
    estimate = estimate_of(newest)
    assert estimate.low < newest.value < estimate.high
    assert sum(map(sum, estimate.confusion)) == pytest.approx(lab.rows_a_week, abs=1)
    assert estimate.record is not None
    assert (estimate.record.windows, estimate.record.held) == (2, 2)
    assert not estimate.warns


def test_slices_and_lag_are_told(world: World, lab: Lab) -> None:
    serve_with_labels(world, lab, [0])

    (found,) = qualities(world)

    assert {part.name for part in found.slices} >= {"carrier=AA", "holiday=true"}
    assert sum(part.name.count("wind") for part in found.slices) == 4
    carriers = [part for part in found.slices if part.name.startswith("carrier=")]
    assert sum(part.rows for part in carriers) == lab.rows_a_week
    assert all(part.value is not None and not part.is_worse for part in carriers)
    assert found.lag is not None
    assert timedelta(days=3) < found.lag.median < timedelta(days=4)  # all are told at its end
    assert timedelta(days=6) < found.lag.most < timedelta(days=7)


def test_without_labels_there_is_only_an_estimate_that_nobody_trusts(
    world: World, lab: Lab
) -> None:
    for week in range(2):
        world.serve(week, unsure(lab, week))
        world.watch.step()

    for quality in qualities(world):
        assert estimate_of(quality).is_worse
        assert estimate_of(quality).grade is None
        assert (quality.value, quality.voice, quality.is_worse) == (None, None, False)
    with world.database.transaction() as stores:
        shown = {incident.situation for incident in stores.incidents.active("late")}
    assert Situation.QUALITY not in shown


def test_an_estimate_that_was_right_before_opens_an_incident_where_labels_lack(
    world: World, lab: Lab
) -> None:
    serve_with_labels(world, lab, range(5))
    for week in (5, 6):
        world.serve(week, unsure(lab, week))
        world.watch.step()

    assert [q.voice for q in qualities(world)[5:]] == [Voice.ESTIMATED] * 2
    with world.database.transaction() as stores:
        found = {i.situation: i for i in stores.incidents.active("late")}
    assert "estimated" in found[Situation.QUALITY].evidence[1]
    assert all(verdict.report is not None for verdict in stored(world)[5:])

    # and when the labels come, they have the word
    world.label(5, ["0"] * 390)  # nobody was late after all
    serve_with_labels(world, lab, [7])

    measured = qualities(world)[5]
    assert measured.voice is Voice.MEASURED
    assert measured.completeness == pytest.approx(390 / 400)
    graded = estimate_of(measured)
    assert graded.grade is not None
    assert measured.value is not None
    assert graded.record is not None
    assert graded.record.windows == 6


def test_corrected_labels_change_the_measure_and_the_grade(world: World, lab: Lab) -> None:
    serve_with_labels(world, lab, range(2))
    before = qualities(world)[1]
    assert before.completeness == 1.0
    flipped = [str(1 - int(label)) for label in lab.truth(frame_of(lab, 1), seed=1)]
    world.label(1, flipped)
    serve_with_labels(world, lab, [2])

    after = qualities(world)[1]

    assert before.value is not None
    assert after.value is not None
    assert after.value > before.value + 0.1
    grade = estimate_of(after).grade
    assert grade is not None
    assert not grade.held
    assert estimate_of(qualities(world)[2]).record is not None
    assert estimate_of(qualities(world)[2]).record.held == 2  # type: ignore[union-attr]  # above


def test_labels_later_than_the_newest_windows_are_found(world: World, lab: Lab) -> None:
    for week in range(5):
        world.serve(week, frame_of(lab, week))
        world.watch.step()
    for week in range(5):
        world.label(week, lab.truth(frame_of(lab, week), seed=week))
    world.serve(5, frame_of(lab, 5))
    world.watch.step()

    measured = [number for number, q in enumerate(qualities(world)) if q.value is not None]

    assert measured == [1, 2, 3, 4]  # four windows back, and the newest three; 0 comes later


def test_measuring_again_without_new_labels_changes_nothing(world: World, lab: Lab) -> None:
    serve_with_labels(world, lab, range(2))
    before = stored(world)
    serve_with_labels(world, lab, [2])

    assert stored(world)[:2] == before
    with world.database.transaction() as stores:
        events = [entry.event for entry in stores.ledger.entries(limit=1000)]
    assert "window measured" not in events


def test_a_grade_of_one_window_is_no_news_of_the_others(world: World, lab: Lab) -> None:
    for week in range(3):
        world.serve(week, frame_of(lab, week))
        world.watch.step()
    world.label(0, lab.truth(frame_of(lab, 0), seed=0))
    world.serve(3, frame_of(lab, 3))
    world.watch.step()

    with world.database.transaction() as stores:
        entries = [e for e in stores.ledger.entries(limit=1000) if e.event == "window measured"]
    assert [str(stored(world)[0].window) in entry.subject for entry in entries] == [True]


def test_rows_that_have_left_the_log_leave_the_old_measure(
    world: World, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve_with_labels(world, lab, range(2))
    before = qualities(world)
    kept = type(world.inference_log)()
    monkeypatch.setattr(world.watch.inference_log, "__dict__", kept.__dict__)
    serve_with_labels(world, lab, [2])

    assert qualities(world)[:2] == before


def test_each_window_has_its_turns_and_a_look_back_is_bounded() -> None:
    assert worth_measuring(0, 3) == []
    assert worth_measuring(2, 3) == [1, 0]
    for windows in (10, MEMORY, 1000):
        found = worth_measuring(windows, 3)
        assert found == sorted(found, reverse=True)
        assert len(found) <= 3 + 6
        assert max(found) < min(windows, MEMORY)
