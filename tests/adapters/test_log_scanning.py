"""Reading a log without holding it: the same rows in batches, counts, evenly spaced rows."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from trimtab.adapters import log_scanning
from trimtab.adapters.log_upkeep import ParquetLogUpkeep
from trimtab.adapters.parquet_log import ParquetLog
from trimtab.ports import InferenceLog
from trimtab.records.contracts import Contract, Task
from trimtab.records.logged import LoggedRows, log_schema
from trimtab.records.schema import Column, ColumnType, Schema
from trimtab.testing.memory_log import MemoryLog

MODEL = "late"
NOON = datetime(2013, 4, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
CONTRACT = Contract(
    model=MODEL,
    task=Task.REGRESSION,
    target="y",
    schema=Schema(columns=(Column(name="temp", type=ColumnType.DOUBLE, required=True),)),
)
ROWS = 300
END = NOON + ROWS * SECOND


def part(numbers: range) -> pa.Table:
    """Rows a second apart; every tenth is a refusal."""
    rows = [
        {
            "prediction_id": f"p{n}",
            "request_id": "r",
            "version": "1",
            "time": NOON + n * SECOND,
            "received": NOON,
            "status": 422 if n % 10 == 0 else 200,
            "inputs": None if n % 10 == 0 else {"temp": float(n)},
            "prediction": float(n),
        }
        for n in numbers
    ]
    return pa.Table.from_pylist(rows, schema=log_schema(CONTRACT))


@pytest.fixture(params=["memory", "parquet"])
def log(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> InferenceLog:
    monkeypatch.setattr(log_scanning, "BATCH_ROWS", 70)
    log: InferenceLog = MemoryLog() if request.param == "memory" else ParquetLog(tmp_path)
    log.append(MODEL, "1", "b", part(range(1, ROWS, 2)))
    log.append(MODEL, "1", "a", part(range(0, ROWS, 2)))
    return log


def numbers(batches: Iterator[LoggedRows]) -> tuple[list[int], int, int]:
    """The answered rows by their number, the refusals, and the rows of the longest batch."""
    found, refused, longest = [], 0, 0
    for logged in batches:
        found += logged.inputs["temp"].astype(int).tolist()
        refused += logged.refused
        longest = max(longest, len(logged.rows) + logged.refused)
    return sorted(found), refused, longest


def test_batches_hold_every_row_once(log: InferenceLog) -> None:
    found, refused, longest = log.scan(MODEL, "1", NOON + 5 * SECOND, END - 5 * SECOND, numbers)

    assert found == [n for n in range(5, ROWS - 5) if n % 10]
    assert refused == len([n for n in range(5, ROWS - 5) if n % 10 == 0])
    assert longest <= (150 if isinstance(log, MemoryLog) else 70)


def test_nobody_who_was_not_asked_has_rows(log: InferenceLog) -> None:
    for model, version in ((MODEL, "2"), ("other", "1")):
        assert log.scan(model, version, NOON, END, numbers) == ([], 0, 0)
        assert log.count(model, version, [NOON, END]) == [0]
        assert log.sample(model, version, NOON, END, 5) is None
    assert log.sample(MODEL, "1", END, END + SECOND, 5) is None


def test_only_the_columns_that_are_asked_for_are_read(log: InferenceLog) -> None:
    def columns(batches: Iterator[LoggedRows]) -> set[tuple[str, ...]]:
        return {(*logged.rows.columns, *logged.inputs.columns) for logged in batches}

    found = log.scan(MODEL, "1", NOON, END, columns, columns=["key", "prediction"])
    assert found == {("time", "status", "key", "prediction")}


def test_rows_are_counted_stretch_by_stretch_refusals_included(log: InferenceLog) -> None:
    edges = [NOON + n * SECOND for n in (3, 10, 11, 250, 900)]

    assert list(log.count(MODEL, "1", edges)) == [7, 1, 239, 50]


@pytest.mark.parametrize("most", [1, 7, 100, 1000])
def test_a_sample_is_evenly_spaced_in_time(most: int, log: InferenceLog) -> None:
    answered = [n for n in range(ROWS) if n % 10]
    sample = log.sample(MODEL, "1", NOON, END, most)

    assert sample is not None
    chosen = np.linspace(0, len(answered) - 1, min(most, len(answered))).astype(int)
    assert sample.inputs["temp"].tolist() == [answered[i] for i in chosen]
    assert sample.rows["prediction"].tolist() == sample.inputs["temp"].tolist()


def test_files_that_are_merged_meanwhile_are_read_again_from_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_scanning, "BATCH_ROWS", 5)
    log, calls = ParquetLog(tmp_path), 0
    for n in range(0, ROWS, 5):
        log.append(MODEL, "1", f"p{n}", part(range(n, n + 5)))

    def merging(batches: Iterator[LoggedRows]) -> list[int]:
        nonlocal calls
        calls += 1
        found = next(batches).inputs["temp"].astype(int).tolist()
        while ParquetLogUpkeep(tmp_path).compact(MODEL):
            pass
        return sorted([*found, *numbers(batches)[0]])

    found = log.scan(MODEL, "1", NOON, END, merging)

    assert calls == 2
    assert found == [n for n in range(ROWS) if n % 10]
