"""The way forth: which predictions came of a version, a key or all of a model."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trimtab.adapters.log_upkeep import ParquetLogUpkeep
from trimtab.trace import count, predictions, streamed, wanted_of
from trimtab.trace.listing import slices

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from tests.trace.conftest import Story

MINUTE = timedelta(minutes=1)


def test_all_predictions_of_a_version_come_in_their_order_in_time(
    story: Story, noon: datetime
) -> None:
    first = story.answers([{"time": noon + n * MINUTE} for n in (3, 1)])
    second = story.answers([{"time": noon + n * MINUTE} for n in (2, 0)])
    story.answer(noon, version="2")
    wanted = wanted_of(story.settings, "late", version="1")

    assert [p.id for p in streamed(story.log, wanted)] == [
        second[1],
        first[1],
        second[0],
        first[0],
    ]
    assert count(story.log, wanted) == 4


def test_a_key_s_predictions_are_those_of_all_versions(story: Story, noon: datetime) -> None:
    ids = [story.answer(noon, version=version, key="order-7") for version in ("1", "2")]
    story.answer(noon, key="order-8")
    wanted = wanted_of(story.settings, "late", key="order-7")

    assert [p.id for p in streamed(story.log, wanted)] == ids
    assert count(story.log, wanted) == 2


def test_from_python_a_model_s_predictions_are_listed_by_its_name(
    story: Story, noon: datetime, tmp_path: Path
) -> None:
    id = story.answer(noon)

    assert [p.id for p in predictions("late", project=tmp_path)] == [id]
    assert list(predictions("late", version="2", project=tmp_path)) == []


def test_what_merges_while_a_list_is_read_is_neither_lost_nor_told_twice(
    story: Story, noon: datetime
) -> None:
    ids = [story.answer(noon + n * MINUTE) for n in range(40)]
    told = []
    for start, end in slices(story.log, "late", "1", most=10):
        told += [p.id for p in story.log.answered("late", "1", start, end)]
        ParquetLogUpkeep(story.settings.inference_log).compact("late")

    assert told == ids


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    seconds=st.lists(st.integers(0, 10**6), min_size=1, max_size=60),
    most=st.integers(1, 30),
)
def test_slices_hold_every_row_once_and_no_more_than_wished_unless_they_are_of_one_moment(
    story: Story, noon: datetime, seconds: list[int], most: int
) -> None:
    story.parts += 1
    version = str(story.parts)
    story.answers(
        [{"time": noon + s * timedelta(microseconds=1)} for s in seconds], version=version
    )
    parts = list(slices(story.log, "late", version, most))
    held = [[p.time for p in story.log.answered("late", version, *part)] for part in parts]

    assert sum(map(len, held)) == len(seconds)
    assert all(low < high for low, high in parts)
    assert all(one[1] <= other[0] for one, other in pairwise(parts))
    assert all(len(times) <= most or len(set(times)) == 1 for times in held)
