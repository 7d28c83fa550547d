"""Single rows of the inference log: found wherever they lie, and without reading all of it."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.adapters.log_upkeep import ParquetLogUpkeep
from trimtab.adapters.parquet_log import ParquetLog
from trimtab.ports import InferenceLog
from trimtab.records.contracts import Contract, Task
from trimtab.records.ids import CHANCE_BYTES, asked_at, is_prediction_id, request_id
from trimtab.records.logged import log_schema
from trimtab.records.schema import Column, ColumnType, Schema
from trimtab.testing.memory_log import MemoryLog

NOON = datetime(2026, 4, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
CONTRACT = Contract(
    model="late",
    task=Task.BINARY,
    target="y",
    schema=Schema(columns=(Column(name="seats", type=ColumnType.LONG, required=True),)),
    classes=("no", "yes"),
)


def id_at(time: datetime) -> str:
    nanoseconds = (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000
    return f"{request_id(nanoseconds, os.urandom(CHANCE_BYTES)).hex()}-0"


def row(
    time: datetime, *, id: str | None = None, key: str | None = None, status: int = 200
) -> dict[str, object]:
    answer: dict[str, object] = {
        "prediction_id": id or id_at(time),
        "key": key,
        "inputs": {"seats": 2**53 + 1},
        "prediction": "yes",
        "probabilities": [0.25, 0.75],
    }
    return {
        "request_id": "r",
        "version": "1",
        "time": time,
        "received": time,
        "status": status,
        "latency_us": 900,
        **(answer if status < 400 else {}),
    }


def part(*rows: dict[str, object]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=log_schema(CONTRACT))


@pytest.fixture(params=["memory", "parquet"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> InferenceLog:
    logs: dict[str, InferenceLog] = {"memory": MemoryLog(), "parquet": ParquetLog(tmp_path / "log")}
    return logs[request.param]


def test_a_row_is_found_by_its_id_with_its_values_as_they_were(log: InferenceLog) -> None:
    wanted = row(NOON, key="k1")
    log.append("late", "1", "a", part(row(NOON - HOUR), wanted))
    log.append("late", "2", "b", part(row(NOON + HOUR)))
    found = log.get("late", str(wanted["prediction_id"]))

    assert found is not None
    assert (found.id, found.version, found.time, found.key) == (
        wanted["prediction_id"],
        "1",
        NOON,
        "k1",
    )
    assert found.inputs == {"seats": 2**53 + 1}
    assert (found.prediction, found.probabilities) == ("yes", (0.25, 0.75))


def test_ids_that_tell_no_time_are_found_all_the_same(log: InferenceLog) -> None:
    old = f"{'0f' * 16}-3"
    log.append("late", "1", "a", part(row(NOON), row(NOON + HOUR, id=old)))

    assert (found := log.get("late", old)) is not None
    assert found.time == NOON + HOUR


def test_what_is_not_there_is_not_found(log: InferenceLog) -> None:
    log.append("late", "1", "a", part(row(NOON), row(NOON, status=400)))

    assert log.get("late", id_at(NOON)) is None
    assert log.get("other", id_at(NOON)) is None


def test_versions_come_in_the_order_of_their_numbers_with_their_spans(log: InferenceLog) -> None:
    for version in ("10", "9", "1"):
        log.append("late", version, version, part(row(NOON), row(NOON + HOUR)))

    assert list(log.versions("late")) == ["1", "9", "10"]
    assert log.span("late", "9") == (NOON, NOON + HOUR)
    assert log.span("late", "3") is None


def times(log: InferenceLog, end: datetime, keys: set[str] | None = None) -> Sequence[datetime]:
    return [found.time for found in log.answered("late", "1", NOON, end, keys)]


def test_answered_rows_of_a_slice_come_in_their_order_in_time(log: InferenceLog) -> None:
    later, refused = row(NOON + 2 * HOUR), row(NOON, status=503)
    log.append("late", "1", "b", part(later, refused, row(NOON)))
    log.append("late", "1", "a", part(row(NOON + HOUR), row(NOON - HOUR)))

    assert times(log, NOON + 2 * HOUR) == [NOON, NOON + HOUR]
    assert times(log, NOON + 3 * HOUR) == [NOON, NOON + HOUR, NOON + 2 * HOUR]


def test_rows_of_some_keys_come_alone(log: InferenceLog) -> None:
    log.append("late", "1", "a", part(row(NOON, key="k1"), row(NOON + HOUR, key="k2"), row(NOON)))
    log.append("late", "1", "b", part(row(NOON + HOUR, key="k1")))

    assert times(log, NOON + 9 * HOUR, {"k1", "k3"}) == [NOON, NOON + HOUR]
    assert times(log, NOON + 9 * HOUR, {"k3"}) == []


def test_merged_and_rewritten_files_are_searched_like_others(tmp_path: Path) -> None:
    log, upkeep = ParquetLog(tmp_path), ParquetLogUpkeep(tmp_path)
    rows = [row(NOON + n * timedelta(minutes=1)) for n in range(40)]
    for n, each in enumerate(rows):
        log.append("late", "1", f"p{n}", part(each))
    assert upkeep.compact("late") == 40

    for each in rows:
        assert log.get("late", str(each["prediction_id"])) is not None


def test_a_search_opens_no_file_but_that_of_its_time(tmp_path: Path) -> None:
    log = ParquetLog(tmp_path)
    days = [[row(NOON + n * 24 * HOUR + i * HOUR / 4) for i in range(20)] for n in range(9)]
    for n, day in enumerate(days):
        log.append("late", "1", f"day{n}", part(*day))
    for path in tmp_path.glob("late/*/*.parquet"):
        if not path.name.startswith("day4."):
            path.write_bytes(b"whoever reads this fails")

    assert log.get("late", str(days[4][7]["prediction_id"])) is not None
    with pytest.raises(pa.ArrowInvalid):
        log.get("late", str(days[5][7]["prediction_id"]))


@given(st.integers(0, 2**48 - 1), st.binary(min_size=10, max_size=10))
def test_an_id_tells_the_millisecond_in_which_it_was_made(ms: int, chance: bytes) -> None:
    id = request_id(ms * 1_000_000 + 999_999, chance).hex()
    if ms >= 253_402_300_800_000:  # beyond the year 9999
        return
    at = asked_at(f"{id}-12")

    assert at is not None
    assert (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1) == ms
    assert is_prediction_id(f"{id}-12")


@given(*[st.tuples(st.integers(0, 2**47), st.binary(min_size=10, max_size=10))] * 2)
def test_ids_rise_with_time(one: tuple[int, bytes], other: tuple[int, bytes]) -> None:
    first, second = sorted([one, other])
    if first[0] < second[0]:
        ids = [request_id(ms * 1_000_000, chance) for ms, chance in (first, second)]
        assert ids[0] < ids[1]


@given(st.integers(2**40, 2**47), st.binary(min_size=10, max_size=10))
def test_every_random_bit_of_an_id_is_used(ms: int, chance: bytes) -> None:
    id = int.from_bytes(request_id(ms * 1_000_000, chance))
    kept = (id >> 64 & 0xFFF) << 62 | id & (1 << 62) - 1
    bits = int.from_bytes(chance)

    assert kept == (bits >> 68) << 62 | bits & (1 << 62) - 1
