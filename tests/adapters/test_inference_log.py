"""One contract for every inference log, and what only the Parquet log promises."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from trimtab.adapters.parquet_log import ParquetLog
from trimtab.ports import InferenceLog
from trimtab.records.contracts import Contract, Task
from trimtab.records.logged import log_schema
from trimtab.records.schema import Column, ColumnType, Schema
from trimtab.testing.memory_log import MemoryLog

NOON = datetime(2013, 4, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
CONTRACT = Contract(
    model="late",
    task=Task.BINARY,
    target="y",
    schema=Schema(
        columns=(
            Column(name="temp", type=ColumnType.DOUBLE, required=True),
            Column(name="seats", type=ColumnType.LONG, required=True),
            Column(name="origin", type=ColumnType.STRING, required=False),
            Column(name="night", type=ColumnType.BOOLEAN, required=True),
            Column(name="planned", type=ColumnType.DATETIME, required=True),
        )
    ),
    classes=("no", "yes"),
)


def row(
    time: datetime, *, version: str = "1", status: int = 200, temp: float = 1.5
) -> dict[str, object]:
    answer: dict[str, object] = {
        "prediction_id": f"p{time.timestamp()}-{temp}",
        "inputs": {
            "temp": temp,
            "seats": 7,
            "origin": None,
            "night": True,
            "planned": time + HOUR,
        },
        "prediction": "yes",
        "probabilities": [0.25, 0.75],
        "key": "k1",
    }
    return {
        "request_id": "r",
        "version": version,
        "time": time,
        "received": time,
        "status": status,
        "latency_us": 900,
        "source": "test",
        "detail": "temp is missing" if status >= 400 else None,
        **(answer if status < 400 else {}),
    }  # fmt: skip


def part(*rows: dict[str, object]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=log_schema(CONTRACT))


@pytest.fixture(params=["memory", "parquet"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> InferenceLog:
    logs: dict[str, InferenceLog] = {"memory": MemoryLog(), "parquet": ParquetLog(tmp_path / "log")}
    return logs[request.param]


def times(log: InferenceLog, start: datetime | None, end: datetime | None) -> Sequence[datetime]:
    found = log.read("late", "1", start, end)
    return [] if found is None else [t.to_pydatetime() for t in found.rows["time"]]


def test_an_unknown_model_has_no_parts_no_rows_and_no_first_time(log: InferenceLog) -> None:
    assert list(log.parts("late")) == []
    assert log.read("late", "1") is None
    assert log.first_time("late") is None


def test_rows_come_back_by_event_time_whatever_the_order_of_the_parts(log: InferenceLog) -> None:
    log.append("late", "1", "b", part(row(NOON + 2 * HOUR), row(NOON)))
    log.append("late", "1", "a", part(row(NOON + HOUR)))

    assert times(log, None, None) == [NOON, NOON + HOUR, NOON + 2 * HOUR]
    assert log.first_time("late") == NOON


def test_a_slice_holds_its_start_and_not_its_end(log: InferenceLog) -> None:
    log.append("late", "1", "a", part(*(row(NOON + i * HOUR) for i in range(4))))

    assert times(log, NOON + HOUR, NOON + 3 * HOUR) == [NOON + HOUR, NOON + 2 * HOUR]
    assert times(log, NOON + 3 * HOUR, None) == [NOON + 3 * HOUR]
    assert times(log, None, NOON + HOUR) == [NOON]
    assert log.read("late", "1", NOON + 4 * HOUR, NOON + 9 * HOUR) is None


def test_a_part_is_added_once_and_stays_as_it_is(log: InferenceLog) -> None:
    log.append("late", "1", "a", part(row(NOON)))
    log.append("late", "1", "a", part(row(NOON), row(NOON + HOUR)))

    assert list(log.parts("late")) == ["a"]
    assert times(log, None, None) == [NOON]


def test_versions_and_models_do_not_mix(log: InferenceLog) -> None:
    log.append("late", "1", "a", part(row(NOON)))
    log.append("late", "2", "b", part(row(NOON - HOUR, version="2")))
    log.append("other", "1", "c", part(row(NOON - 2 * HOUR)))

    second = log.read("late", "2")
    assert second is not None
    assert list(second.rows["version"]) == ["2"]
    assert times(log, None, None) == [NOON]
    assert sorted(log.parts("late")) == ["a", "b"]
    assert log.first_time("late") == NOON - HOUR


def test_refusals_are_counted_and_are_no_rows(log: InferenceLog) -> None:
    log.append("late", "1", "a", part(row(NOON), row(NOON, status=422), row(NOON, status=503)))
    log.append("late", "1", "b", part(row(NOON + HOUR, status=422)))

    found = log.read("late", "1", NOON, NOON + HOUR)
    assert found is not None
    assert (len(found.rows), len(found.inputs), found.refused) == (1, 1, 2)
    alone = log.read("late", "1", NOON + HOUR)
    assert alone is not None
    assert (len(alone.rows), len(alone.inputs), alone.refused) == (0, 0, 1)
    assert list(alone.inputs.columns) == CONTRACT.schema.names


def test_the_frames_hold_every_column_in_its_type(log: InferenceLog) -> None:
    log.append("late", "1", "a", part(row(NOON + HOUR, temp=2.5), row(NOON)))

    found = log.read("late", "1")
    assert found is not None
    assert list(found.rows.columns) == [n for n in log_schema(CONTRACT).names if n != "inputs"]
    assert list(found.inputs.columns) == CONTRACT.schema.names
    assert found.inputs.index.equals(found.rows.index)
    kinds = [found.inputs[name].dtype.kind for name in CONTRACT.schema.names]
    assert kinds == ["f", "i", "O", "b", "M"]
    assert list(found.inputs["temp"]) == [1.5, 2.5]
    assert found.inputs["planned"].iloc[0] == pd.Timestamp(NOON + HOUR)
    assert list(found.rows["probabilities"].iloc[0]) == [0.25, 0.75]
    assert str(found.rows["time"].dt.tz) == "UTC"


def test_times_before_1970_are_times(log: InferenceLog) -> None:
    ancient = datetime(1904, 2, 29, tzinfo=UTC)
    log.append("late", "1", "a", part(row(ancient)))

    assert log.first_time("late") == ancient
    assert times(log, ancient, ancient + HOUR) == [ancient]


def test_a_part_without_rows_is_remembered_and_found_by_nobody(log: InferenceLog) -> None:
    log.append("late", "1", "empty", part())

    assert list(log.parts("late")) == ["empty"]
    assert log.read("late", "1") is None
    assert log.first_time("late") is None


def test_any_reader_of_parquet_opens_the_folder_as_it_is(tmp_path: Path) -> None:
    log = ParquetLog(tmp_path)
    log.append("late", "1", "a", part(row(NOON), row(NOON + HOUR)))
    log.append("late", "2", "b", part(row(NOON, version="2")))

    whole = pd.read_parquet(tmp_path / "late")
    assert sorted(whole["version"].astype(str)) == ["1", "1", "2"]
    one = pd.read_parquet(tmp_path / "late" / "version=1", filters=[("time", ">", NOON)])
    assert list(one["inputs"].iloc[0]) == CONTRACT.schema.names
    (file,) = (tmp_path / "late" / "version=2").glob("*.parquet")
    assert pq.ParquetFile(file).metadata.row_group(0).column(0).compression == "ZSTD"


def test_half_a_file_is_in_nobodys_way(tmp_path: Path) -> None:
    log = ParquetLog(tmp_path)
    log.append("late", "1", "a", part(row(NOON)))
    folder = tmp_path / "late" / "version=1"
    (folder / ".b.0_1.parquet.new").write_bytes(b"PAR1 and then the power went")

    assert list(log.parts("late")) == ["a"]
    assert times(log, None, None) == [NOON]
    assert len(pd.read_parquet(folder)) == 1


def test_a_window_opens_only_the_parts_that_overlap_with_it(tmp_path: Path) -> None:
    log = ParquetLog(tmp_path)
    log.append("late", "1", "a", part(row(NOON)))
    log.append("late", "1", "b", part(row(NOON + HOUR)))
    (first,) = (tmp_path / "late" / "version=1").glob("a.*")
    first.write_bytes(b"broken")

    assert times(log, NOON + HOUR, None) == [NOON + HOUR]


def test_a_log_that_is_opened_again_knows_its_parts(tmp_path: Path) -> None:
    ParquetLog(tmp_path).append("late", "1", "a", part(row(NOON)))
    again = ParquetLog(tmp_path)
    again.append("late", "1", "a", part(row(NOON + HOUR)))
    again.append("late", "1", "b", part(row(NOON + 2 * HOUR)))
    again.append("late", "1", "b", part(row(NOON + 3 * HOUR)))

    assert times(again, None, None) == [NOON, NOON + 2 * HOUR]


def test_a_part_that_could_not_be_written_is_written_the_next_time(tmp_path: Path) -> None:
    log = ParquetLog(tmp_path / "log")
    log.append("late", "1", "a", part(row(NOON)))
    (tmp_path / "log" / "late" / "version=2").write_text("in the way")
    with pytest.raises(OSError, match="version=2"):
        log.append("late", "2", "b", part(row(NOON, version="2")))
    (tmp_path / "log" / "late" / "version=2").unlink()
    log.append("late", "2", "b", part(row(NOON, version="2")))

    assert sorted(log.parts("late")) == ["a", "b"]


def test_answered_rows_are_found_by_key_or_prediction_id(log: InferenceLog) -> None:
    assert log.find("late", ["k1"]) == set()
    log.append("late", "1", "a", part({**row(NOON), "key": None}, row(NOON, status=422)))
    log.append("late", "2", "b", part({**row(NOON + HOUR, version="2"), "key": "k2"}))
    log.append("other", "1", "c", part({**row(NOON), "key": "k3"}))
    ids = [f"p{time.timestamp()}-1.5" for time in (NOON, NOON + HOUR)]

    assert log.find("late", ["k1", "k2", "k3", *ids, "r", ""]) == {"k2", *ids}
    assert log.find("late", []) == set()


def test_names_are_found_in_many_files_of_different_columns(tmp_path: Path) -> None:
    log = ParquetLog(tmp_path / "log")
    for hour in range(100):
        answered = {**row(NOON + hour * HOUR), "key": f"k{hour}"}
        log.append("late", str(hour % 3), f"part {hour}", part(answered))
    smaller = replace(CONTRACT, schema=Schema(columns=CONTRACT.schema.columns[:1]))
    narrow = {**row(NOON), "key": "narrow", "inputs": {"temp": 1.5}}
    log.append("late", "9", "narrow", pa.Table.from_pylist([narrow], schema=log_schema(smaller)))

    wanted = {f"k{hour}" for hour in range(0, 200, 7)} | {"narrow"}
    assert log.find("late", wanted) == {f"k{hour}" for hour in range(0, 100, 7)} | {"narrow"}
