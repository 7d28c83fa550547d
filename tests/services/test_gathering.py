"""Requests that arrive together share a prediction, and nothing else."""

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from trimtab.adapters.predictor import Answers, UnanswerableError
from trimtab.records.rows import Rows
from trimtab_services.bundle import VERSION_FOLDER
from trimtab_services.environment import ServingEnvironment
from trimtab_services.gathering import Gathering
from trimtab_services.reply import Arrival, Reply
from trimtab_services.service import Endpoint
from trimtab_services.swap import Champion, load_champion

Row = Callable[..., dict[str, object]]


class Counting(Champion):
    """A version that batches, and notes how many rows each call had."""

    @property
    def batching(self) -> bool:
        return True

    def answer(self, rows: Sequence[Any]) -> Answers:
        CALLS.append(len(rows))
        if any(row["class"] == "bad" for row in rows):
            raise ValueError("this row cannot be answered")
        if any(row["class"] == "huge" for row in rows):
            raise UnanswerableError("the result is no finite number")
        return super().answer(rows)


CALLS: list[int] = []


@pytest.fixture
def endpoint(bento_source: Path, tmp_path: Path) -> Endpoint:
    endpoint = Endpoint(bento_source, ServingEnvironment(spool=tmp_path / "spool"))
    endpoint.open()
    return endpoint


def ask(endpoint: Endpoint, *bodies: bytes) -> list[tuple[int, dict[str, Any]]]:
    """Ask with all bodies in one turn of the loop."""

    async def main() -> list[Reply]:
        now = Arrival.now()
        return await asyncio.gather(*(endpoint.ask(body, now) for body in bodies))

    return [(reply.status, json.loads(reply.body)) for reply in asyncio.run(main())]


@pytest.fixture
def load(tmp_path: Path, version_files: Callable[..., str]) -> Callable[[str, int], Champion]:
    """Makes versions that batch."""

    def make(version: str, seed: int) -> Champion:
        folder = tmp_path / version
        plain = load_champion(folder, version, version_files(folder / VERSION_FOLDER, seed), "cpu")
        return Counting(**{name: getattr(plain, name) for name in plain.__dataclass_fields__})

    CALLS.clear()
    return make


def shares(answer: dict[str, Any]) -> list[float]:
    return [p["probabilities"]["True"] for p in answer["predictions"]]


def test_each_gets_its_own_rows_back(endpoint: Endpoint, load: Any, row: Row) -> None:
    endpoint.swap(load("7", 3))
    asked = [[row(**{"temp °C": 5 * n + i}) for i in range(n % 3 + 1)] for n in range(8)]
    bodies = [json.dumps({"rows": rows}).encode() for rows in asked]
    together = ask(endpoint, *bodies)
    calls = list(CALLS)
    alone = [ask(endpoint, body)[0] for body in bodies]

    assert calls == [sum(map(len, asked))]
    assert [status for status, _ in together] == [200] * 8
    for (_, first), (_, second) in zip(together, alone, strict=True):
        assert shares(first) == pytest.approx(
            shares(second), rel=1e-12
        )  # BLAS adds in its own order
    assert len({answer["request_id"] for _, answer in together}) == 8


def test_one_bad_request_spoils_no_other(endpoint: Endpoint, load: Any, row: Row) -> None:
    endpoint.swap(load("7", 3))
    kinds = [{"class": "bad"}, {"seats": "many"}, {"class": "huge"}]
    rows = [row(), *(row(**kind) for kind in kinds), row()]
    replies = ask(endpoint, *(json.dumps({"rows": [each]}).encode() for each in rows))

    assert [status for status, _ in replies] == [200, 500, 400, 400, 200]
    assert CALLS == [4, 1, 1, 1, 1]
    assert "large" in replies[3][1]["error"]


def test_who_comes_alone_waits_for_nobody(endpoint: Endpoint, load: Any, row: Row) -> None:
    endpoint.swap(load("7", 3))
    ((status, _),) = ask(endpoint, json.dumps({"rows": [row(), row()]}).encode())

    assert (status, CALLS) == (200, [2])


def test_a_call_has_so_many_rows_and_one_version(load: Any, row: Row) -> None:
    first, second = load("1", 0), load("2", 50)
    names = first.predictor.contract.schema.names
    values = tuple(row(scheduled=None)[name] for name in names)

    async def main() -> list[Answers]:
        gathering = Gathering(most_rows=4)
        asked = [(first, 3), (first, 1), (first, 2), (second, 2), (second, 9), (first, 1)]
        waiting = [gathering.answer(who, Rows(names, [values] * n)) for who, n in asked]
        return await asyncio.gather(*waiting)

    answers = asyncio.run(main())

    assert CALLS == [4, 2, 2, 9, 1]
    assert [len(a.predictions) for a in answers] == [3, 1, 2, 2, 9, 1]
    said = [a.probabilities[0][0] for a in answers if a.probabilities is not None]
    assert [said[i] for i in (1, 2, 5)] == pytest.approx([said[0]] * 3, rel=1e-12)
    assert said[4] == pytest.approx(said[3], rel=1e-12) != said[0]


def test_who_hangs_up_is_not_asked_about(load: Any, row: Row) -> None:
    champion = load("7", 3)
    names = champion.predictor.contract.schema.names
    values = tuple(row(scheduled=None)[name] for name in names)

    async def main() -> None:
        gathering = Gathering(most_rows=10)
        gone, stays = (
            asyncio.create_task(gathering.answer(champion, Rows(names, [values] * n)))
            for n in (2, 3)
        )
        asyncio.get_running_loop().call_soon(gone.cancel)
        await stays

    asyncio.run(main())

    assert CALLS == [3]


def test_without_a_plan_every_request_is_answered_at_once(endpoint: Endpoint, row: Row) -> None:
    bodies = [json.dumps({"rows": [row()]}).encode()] * 3

    assert [status for status, _ in ask(endpoint, *bodies)] == [200] * 3
    assert not endpoint.champion.batching
