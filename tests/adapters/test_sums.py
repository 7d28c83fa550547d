"""Stretches of traffic in the database: no two of a version overlap."""

from datetime import UTC, datetime, timedelta

import pytest

from trimtab.adapters.sql import SqlDatabase
from trimtab.records.sums import ColumnSums, Stretch, WindowSums
from trimtab.records.windows import Window

DAY = Window.around(datetime(2013, 4, 1, 12, tzinfo=UTC), timedelta(days=1))
HOURS = DAY.stretches()


def stretch(window: Window, rows: int = 3, *, version: str = "7", model: str = "late") -> Stretch:
    sums = WindowSums(
        rows=rows,
        columns={
            "wind": ColumnSums(counts=(rows, 0, 0), low=-1.5, high=2.0),
            "origin": ColumnSums(counts=(0, rows), unseen=1, low="1", high="JFK\x00 \N{SNOWMAN}"),
        },
        products=(0.1 + 0.2,),
        seasons=(rows,),
        hashes={2**62 - 1: rows},
    )
    return Stretch(model=model, version=version, window=window, sums=sums, refused=2)


def test_sums_come_back_as_they_were_written_and_in_order(database: SqlDatabase) -> None:
    with database.transaction() as stores:
        for hour in (HOURS[5], HOURS[0], HOURS[23]):
            stores.sums.put(stretch(hour))

    with database.transaction() as stores:
        found = stores.sums.within("late", "7", DAY)
        assert list(found) == [stretch(hour) for hour in (HOURS[0], HOURS[5], HOURS[23])]
        assert list(stores.sums.within("late", "7", HOURS[5])) == [stretch(HOURS[5])]
        assert stores.sums.within("late", "8", DAY) == []
        assert stores.sums.within("other", "7", DAY) == []


def test_a_stretch_takes_the_place_of_all_that_overlap_with_it(database: SqlDatabase) -> None:
    with database.transaction() as stores:
        for hour in HOURS[:3]:
            stores.sums.put(stretch(hour))
        stores.sums.put(stretch(HOURS[1], version="8"))
        stores.sums.put(stretch(HOURS[1], rows=9))
        parts = stores.sums.within("late", "7", DAY)
        stores.sums.put(stretch(DAY, rows=15))
        whole = stores.sums.within("late", "7", DAY)

        assert [s.sums.rows for s in parts] == [3, 9, 3]
        assert list(whole) == [stretch(DAY, rows=15)]
        assert len(stores.sums.within("late", "8", DAY)) == 1

        stores.sums.put(stretch(HOURS[2]))
        assert [s.window for s in stores.sums.within("late", "7", DAY)] == [HOURS[2]]


def test_how_far_a_log_was_read_is_where_its_newest_stretch_ends(database: SqlDatabase) -> None:
    with database.transaction() as stores:
        assert stores.sums.through("late") is None
        stores.sums.put(stretch(HOURS[4]))
        stores.sums.put(stretch(HOURS[2], version="8"))
        stores.sums.put(stretch(HOURS[9], model="other"))

        assert stores.sums.through("late") == HOURS[4].end


@pytest.mark.parametrize(("before", "left"), [(HOURS[1].start, [1, 2]), (None, [])])
def test_what_is_too_old_is_forgotten(
    before: datetime | None, left: list[int], database: SqlDatabase
) -> None:
    with database.transaction() as stores:
        for hour in HOURS[:3]:
            stores.sums.put(stretch(hour))
        stores.sums.put(stretch(HOURS[0], model="other"))

        assert stores.sums.forget("late", before) == 3 - len(left)
        found = stores.sums.within("late", "7", DAY)
        assert [s.window for s in found] == [HOURS[i] for i in left]
        assert len(stores.sums.within("other", "7", DAY)) == 1


@pytest.mark.parametrize(
    ("length", "parts"),
    [
        (timedelta(days=1), 24),
        (timedelta(weeks=1), 24),
        (timedelta(seconds=90), 6),
        (timedelta(seconds=7), 1),
    ],
)
def test_a_window_is_cut_into_equal_stretches_of_whole_seconds(
    length: timedelta, parts: int
) -> None:
    window = Window(DAY.start, DAY.start + length)
    stretches = window.stretches()

    assert len(stretches) == parts
    assert {s.end - s.start for s in stretches} == {length / parts}
    assert [stretches[0].start, *(s.end for s in stretches)] == [
        *(s.start for s in stretches),
        window.end,
    ]
