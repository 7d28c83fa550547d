"""One contract for the looks at rows, held by SQLite and by a real PostgreSQL."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from trimtab.adapters.sql import SqlDatabase
from trimtab.errors import StaleLookError
from trimtab.records.looks import Look

LOOK = Look(
    model="late",
    number=1,
    at=datetime(2013, 4, 1, 12, tzinfo=UTC),
    challenger="2",
    challenger_sha256="0" * 64,
    champion=None,
    start=1364774400.125,
    end=1364860800.0,
    rows=2**33,
    digest="1" * 64,
    confidence=0.9696,
    passed=False,
)


def numbered(number: int) -> Look:
    return replace(LOOK, number=number, digest=f"{number:064}", champion="1", passed=True)


def test_looks_come_back_as_they_were_written_oldest_first(database: SqlDatabase) -> None:
    with database.transaction() as stores:
        stores.looks.record(LOOK)
        stores.looks.record(numbered(2))
        stores.looks.record(replace(LOOK, model="other"))

    with database.transaction() as stores:
        assert list(stores.looks.of("late")) == [LOOK, numbered(2)]
        assert list(stores.looks.of("nobody")) == []


@pytest.mark.parametrize("number", [0, 1, 3])
def test_a_look_is_the_next_one_or_none(database: SqlDatabase, number: int) -> None:
    with database.transaction() as stores:
        stores.looks.record(LOOK)

    with pytest.raises(StaleLookError), database.transaction() as stores:
        stores.looks.record(numbered(number))
    with database.transaction() as stores:
        assert list(stores.looks.of("late")) == [LOOK]


def test_of_eight_that_look_at_once_one_is_the_second(database: SqlDatabase) -> None:
    with database.transaction() as stores:
        stores.looks.record(LOOK)

    def look(n: int) -> bool:
        try:
            with database.transaction() as stores:
                stores.looks.record(replace(numbered(2), digest=f"{n:064}"))
        except StaleLookError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(look, range(2, 10))) == 1
