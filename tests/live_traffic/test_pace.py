"""A replay's time runs no faster than the loop."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from trimtab.adapters.sql import SqlDatabase, open_database
from trimtab.records.requests import RetrainRequest, Trigger
from trimtab.records.verdicts import Verdict, VerdictKind
from trimtab.records.windows import Window
from trimtab_pipelines.live_traffic.pace import Pace

START = datetime(2013, 4, 1, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def database(tmp_path: Path) -> SqlDatabase:
    return open_database(f"sqlite:///{tmp_path / 'trimtab.db'}")


def judge(database: SqlDatabase, day: int) -> None:
    window = Window.around(START + day * DAY, DAY)
    with database.transaction() as stores:
        stores.verdicts.add(
            Verdict(
                model="late",
                version="1",
                window=window,
                kind=VerdictKind.STABLE,
                rows=500,
                rows_needed=200,
                findings=(),
                quality=None,
                refused=0,
                judged_at=START,
            )
        )


async def passes(pace: Pace, moment: datetime, seconds: float) -> bool:
    try:
        await asyncio.wait_for(pace.before(moment), seconds)
    except TimeoutError:
        return False
    return True


def test_traffic_waits_for_the_verdict_of_the_window_before(database: SqlDatabase) -> None:
    async def run() -> None:
        pace = Pace(database, "late", DAY, lambda: None)
        assert await passes(pace, START, 5)
        assert await passes(pace, START + 1.2 * DAY, 5), "a quarter of a window may run ahead"
        assert not await passes(pace, START + 1.3 * DAY, 0.6)
        judge(database, 0)
        assert await passes(pace, START + 1.3 * DAY, 5)
        assert not await passes(pace, START + 2.3 * DAY, 0.6)

    asyncio.run(run())


def test_the_end_waits_for_the_last_window_and_open_work(database: SqlDatabase) -> None:
    async def run() -> None:
        pace = Pace(database, "late", DAY, lambda: None)
        assert not await pace.until_judged(START + 1.5 * DAY, 0.4)
        judge(database, 0)
        assert not await pace.until_judged(START + 1.5 * DAY, 0.6)
        judge(database, 1)
        assert await pace.until_judged(START + 1.5 * DAY, 5)
        with database.transaction() as stores:
            stores.requests.ask(
                RetrainRequest(
                    id=uuid.uuid4().hex,
                    model="late",
                    trigger=Trigger.DRIFT,
                    asked_by="monitoring",
                    asked_at=START,
                )
            )
        assert not await pace.until_judged(START + 1.5 * DAY, 0.6)

    asyncio.run(run())


def test_traffic_waits_for_work_until_its_patience_is_over(database: SqlDatabase) -> None:
    async def run() -> None:
        request = RetrainRequest(
            id="r", model="late", trigger=Trigger.DRIFT, asked_by="monitoring", asked_at=START
        )
        with database.transaction() as stores:
            stores.requests.ask(request)
        assert not await passes(Pace(database, "late", DAY, lambda: None, patience=30), START, 0.8)
        assert await passes(Pace(database, "late", DAY, lambda: None, patience=0.5), START, 5)

    asyncio.run(run())
