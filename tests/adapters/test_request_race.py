"""Eight controllers race for every request, and one wins, whoever dies with the lease in hand."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from trimtab.adapters.sql import SqlDatabase
from trimtab.errors import LeaseLostError
from trimtab.records.requests import RequestState, RetrainRequest, Trigger

CONTROLLERS = 8
MODEL = "late"
NOW = datetime(2013, 6, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LONGEST = 3 * 3600.0
"""Seconds within which the long race has to be over; it takes minutes on a quiet machine."""


@dataclass
class Race:
    """The controllers, each with a connection of its own."""

    database: SqlDatabase
    pool: ThreadPoolExecutor

    def all(self, act: Callable[[int], bool]) -> int:
        """Have every controller do it at the same time; count those for whom it came true."""
        return sum(self.pool.map(act, range(CONTROLLERS)))

    def ask(self, round: int) -> int:
        def act(n: int) -> bool:
            request = RetrainRequest(
                id=f"{round}-{n}",
                model=MODEL,
                trigger=Trigger.DRIFT,
                asked_by=f"controller {n}",
                asked_at=NOW,
            )
            with self.database.transaction() as stores:
                return stores.requests.ask(request)

        return self.all(act)

    def claim(self, life: str, ttl: timedelta) -> list[RetrainRequest]:
        won: list[RetrainRequest] = []

        def act(n: int) -> bool:
            with self.database.transaction() as stores:
                claimed = stores.requests.claim([MODEL], f"{life} {n}", ttl)
            won.extend([claimed] if claimed else [])
            return claimed is not None

        assert self.all(act) == len(won)
        return won

    def finish(self, life: str, request: RetrainRequest) -> int:
        """Each writes another end, so that a second one would be seen."""

        def act(n: int) -> bool:
            ended = replace(request, state=RequestState.DECLINED, reasons=(f"{life} {n}",))
            try:
                with self.database.transaction() as stores:
                    stores.requests.finish(ended, f"{life} {n}")
            except LeaseLostError:
                return False
            return True

        return self.all(act)


@contextmanager
def race(database: SqlDatabase) -> Iterator[Race]:
    with ThreadPoolExecutor(CONTROLLERS) as pool:
        yield Race(database, pool)


def run(database: SqlDatabase, rounds: int, longest: float) -> None:
    """Race round after round; in every second one the first winner dies with its lease."""
    deadline = time.monotonic() + longest
    with race(database) as controllers:
        for round in range(rounds):
            assert time.monotonic() < deadline, f"{round} rounds took longer than {longest:.0f} s"
            play(controllers, round)
    with database.transaction() as stores:
        requests = stores.requests.recent(MODEL, limit=rounds + 1)
    assert len(requests) == rounds
    assert all(r.state is RequestState.DECLINED and len(r.reasons) == 1 for r in requests)


def play(controllers: Race, round: int) -> None:
    assert controllers.ask(round) == 1
    request = only(controllers.claim("first", MINUTE))
    assert request.id.startswith(f"{round}-")
    life = "first"
    if round % 2:
        let_expire(controllers.database, request)
        again, life = only(controllers.claim("second", MINUTE)), "second"
        assert again.id == request.id
    assert controllers.finish(life, request) == 1
    if round % 2:
        assert controllers.finish("first", request) == 0, "the dead have lost it"


def let_expire(database: SqlDatabase, request: RetrainRequest) -> None:
    """Find out who holds it, by what only the holder can do: the lease runs out at once."""
    holders = 0
    for n in range(CONTROLLERS):
        with suppress(LeaseLostError), database.transaction() as stores:
            stores.requests.renew(request.id, f"first {n}", -MINUTE)
            holders += 1
    assert holders == 1


def only(won: Sequence[RetrainRequest]) -> RetrainRequest:
    assert len(won) == 1
    return won[0]


def test_of_eight_controllers_one_wins_every_round(database: SqlDatabase) -> None:
    run(database, 25, longest=240.0)


@pytest.mark.long
def test_of_eight_controllers_one_wins_each_of_ten_thousand_rounds(database: SqlDatabase) -> None:
    started, cpu = time.monotonic(), time.process_time()
    run(database, 10_000, longest=LONGEST)

    print(  # noqa: T201 - figures for whoever runs it
        f"{database.engine.dialect.name}: 10,000 rounds, {CONTROLLERS} controllers, "
        f"{time.monotonic() - started:.0f} s, {time.process_time() - cpu:.0f} s of CPU here"
    )
