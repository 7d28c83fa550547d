"""Upkeep of the log: every row is found once, whoever reads, and whoever is killed."""

import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.adapters import log_merging
from trimtab.adapters.log_upkeep import ParquetLogUpkeep
from trimtab.adapters.parquet_log import ParquetLog
from trimtab.ports import InferenceLog, LogUpkeep
from trimtab.records.contracts import Contract, Task
from trimtab.records.erasures import Subject
from trimtab.records.logged import log_schema
from trimtab.records.places import Place
from trimtab.records.schema import Column, ColumnType, Schema
from trimtab.testing.memory_log import MemoryLog

MODEL = "late"
NOON = datetime(2013, 4, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
CONTRACT = Contract(
    model=MODEL,
    task=Task.BINARY,
    target="y",
    schema=Schema(
        columns=(
            Column(name="temp", type=ColumnType.DOUBLE, required=True),
            Column(name="origin", type=ColumnType.STRING, required=False),
        )
    ),
    classes=("no", "yes"),
)


def part(*times: datetime, key: str = "k", version: str = "1") -> pa.Table:
    rows = [
        {
            "prediction_id": f"{key}@{time.timestamp()}",
            "request_id": "r",
            "version": version,
            "time": time,
            "received": time,
            "key": key,
            "source": "test",
            "status": 200,
            "latency_us": 900,
            "inputs": {"temp": 1.5, "origin": "JFK"},
            "prediction": "yes",
            "probabilities": [0.25, 0.75],
        }
        for time in times
    ]
    return pa.Table.from_pylist(rows, schema=log_schema(CONTRACT))


def place(start: int, segment: str = "seg") -> str:
    return str(Place(segment, start, start + 10))


def ids(log: InferenceLog, version: str = "1") -> list[str]:
    found = log.read(MODEL, version)
    return [] if found is None else list(found.rows["prediction_id"])


def compact(root: Path) -> int:
    """Compact until nothing is worth the work; gives how many files were merged."""
    keeper, merged = ParquetLogUpkeep(root), 0
    while count := keeper.compact(MODEL):
        merged += count
    return merged


def files(root: Path, version: str = "1") -> list[Path]:
    return sorted((root / MODEL / f"version={version}").iterdir())


@pytest.fixture(params=["memory", "parquet"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[InferenceLog, LogUpkeep]:
    """A log and its upkeep."""
    if request.param == "parquet":
        return ParquetLog(tmp_path), ParquetLogUpkeep(tmp_path)
    memory = MemoryLog()
    return memory, memory


def test_an_unknown_model_needs_no_upkeep(kept: tuple[InferenceLog, LogUpkeep]) -> None:
    _, upkeep = kept

    assert upkeep.compact(MODEL) == 0
    assert upkeep.expire(MODEL, NOON).rows == 0
    assert upkeep.erase(MODEL, Subject(keys=frozenset({"k"}))).rows == 0


def test_compaction_changes_no_row_and_forgets_no_part(
    kept: tuple[InferenceLog, LogUpkeep],
) -> None:
    log, upkeep = kept
    for i in range(40):
        log.append(MODEL, "1", f"p{i}", part(NOON + i * HOUR))
    before = ids(log)
    upkeep.compact(MODEL)

    assert ids(log) == before
    assert sorted(log.parts(MODEL)) == sorted(f"p{i}" for i in range(40))
    log.append(MODEL, "1", "p7", part(NOON))
    assert ids(log) == before


def test_what_is_older_goes_to_the_microsecond(kept: tuple[InferenceLog, LogUpkeep]) -> None:
    log, upkeep = kept
    log.append(MODEL, "1", "old", part(NOON - HOUR))
    log.append(MODEL, "1", "both", part(NOON - timedelta(microseconds=1), NOON, NOON + HOUR))
    log.append(MODEL, "2", "new", part(NOON, version="2"))
    removed = upkeep.expire(MODEL, NOON)

    assert (removed.rows, removed.files) == (2, 2)
    assert len(ids(log)) == 2
    assert len(ids(log, "2")) == 1
    assert upkeep.expire(MODEL, NOON).rows == 0


def test_a_subject_is_erased_from_every_version_and_nobody_else_is(
    kept: tuple[InferenceLog, LogUpkeep],
) -> None:
    log, upkeep = kept
    log.append(MODEL, "1", "a", part(NOON, NOON + HOUR, key="anna"))
    log.append(MODEL, "1", "b", part(NOON, key="ben"))
    log.append(MODEL, "2", "c", part(NOON, key="anna", version="2"))
    one = f"ben@{NOON.timestamp()}"

    assert upkeep.erase(MODEL, Subject(keys=frozenset({"anna"}))).rows == 3
    assert ids(log) == [one]
    assert ids(log, "2") == []
    assert upkeep.erase(MODEL, Subject(keys=frozenset({"anna"}))).rows == 0
    assert upkeep.erase(MODEL, Subject(prediction_ids=frozenset({one}))).rows == 1
    assert sorted(log.parts(MODEL)) == ["a", "b", "c"]


def test_rows_without_a_key_are_nobodys(kept: tuple[InferenceLog, LogUpkeep]) -> None:
    log, upkeep = kept
    rows = part(NOON).set_column(5, "key", pa.array([None], pa.string()))
    log.append(MODEL, "1", "a", rows)

    assert upkeep.erase(MODEL, Subject(keys=frozenset({"k"}))).rows == 0
    assert len(ids(log)) == 1


def test_many_parts_become_one_file_a_day(tmp_path: Path) -> None:
    log = ParquetLog(tmp_path)
    for i in range(48):
        log.append(MODEL, "1", place(i * 10), part(NOON + i * HOUR, NOON + i * HOUR))
    before = ids(log)

    assert compact(tmp_path) == 48
    assert ids(log) == before
    days = [pd.read_parquet(path)["time"].dt.date.unique().tolist() for path in files(tmp_path)]
    assert days == [[(NOON + i * 24 * HOUR).date()] for i in range(3)]
    assert list(tmp_path.glob(f"{MODEL}/*")) == [tmp_path / MODEL / "version=1"]


def test_a_merged_log_still_tells_how_far_each_segment_came(tmp_path: Path) -> None:
    log = ParquetLog(tmp_path)
    for i in range(40):
        log.append(MODEL, "1", place(i * 10, f"seg{i % 2}"), part(NOON))
    compact(tmp_path)
    log.append(MODEL, "1", place(400, "seg0"), part(NOON + HOUR))
    again = ParquetLog(tmp_path)
    again.append(MODEL, "1", place(120, "seg0"), part(NOON + HOUR))

    assert sorted(again.parts(MODEL)) == [
        "seg0-000000000000-000000000390",
        "seg0-000000000400-000000000410",
        "seg1-000000000010-000000000400",
    ]
    assert len(ids(again)) == 41


def test_merged_files_merge_again_and_full_ones_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = ParquetLog(tmp_path)
    for i in range(10 * 32):
        log.append(MODEL, "1", place(i * 10), part(NOON + timedelta(seconds=i)))
        if i % 32 == 31:
            compact(tmp_path)
    assert len(files(tmp_path)) == 3
    assert len(ids(log)) == 320
    assert min(name.split("-")[1] for name in log.parts(MODEL)) == "000000000000"
    assert max(name.split("-")[2] for name in log.parts(MODEL)) == "000000003200"

    monkeypatch.setattr(log_merging, "FULL_BYTES", 1)
    monkeypatch.setattr(log_merging, "MANY_MERGED", 2)
    assert compact(tmp_path) == 0


def test_few_parts_are_merged_once_they_have_settled(tmp_path: Path) -> None:
    log = ParquetLog(tmp_path)
    for i in range(3):
        log.append(MODEL, "1", place(i * 10), part(NOON))
    assert compact(tmp_path) == 0
    for path in files(tmp_path):
        os.utime(path, (0, 0))

    assert compact(tmp_path) == 3
    assert len(files(tmp_path)) == 1


def test_a_part_of_other_columns_is_left_alone(tmp_path: Path) -> None:
    log = ParquetLog(tmp_path)
    odd = part(NOON).append_column("extra", pa.array([1]))
    log.append(MODEL, "1", "odd", odd)
    for i in range(40):
        log.append(MODEL, "1", place(i * 10), part(NOON + HOUR))
    compact(tmp_path)

    assert [path.name.split(".")[0] for path in files(tmp_path)][1:] == ["odd"]
    assert len(ids(log)) == 41


def test_an_erased_subject_is_in_no_byte_of_the_folder(tmp_path: Path) -> None:
    log = ParquetLog(tmp_path)
    for i in range(40):
        key = "anna-of-the-north" if i % 5 == 0 else "ben"
        log.append(MODEL, "1", place(i * 10), part(NOON + i * HOUR, key=key))
    compact(tmp_path)
    log.append(MODEL, "1", place(400), part(NOON, key="anna-of-the-north"))
    parts = log.parts(MODEL)
    removed = ParquetLogUpkeep(tmp_path).erase(
        MODEL, Subject(keys=frozenset({"anna-of-the-north"}))
    )

    assert removed.rows == 9
    assert len(ids(log)) == 32
    assert ParquetLog(tmp_path).parts(MODEL) == parts
    everything = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(b"anna-of" in path.read_bytes() for path in everything)
    assert [path for path in everything if path.suffix not in (".parquet", ".lock")] == []


def by_duckdb(folder: Path) -> list[str]:
    query = f"select prediction_id from read_parquet('{folder}/**/*.parquet')"
    return [row[0] for row in duckdb.connect().execute(query).fetchall()]


def by_polars(folder: Path) -> list[str]:
    return pl.scan_parquet(folder).select("prediction_id").collect()["prediction_id"].to_list()


def by_pandas(folder: Path) -> list[str]:
    return pd.read_parquet(folder, columns=["prediction_id"])["prediction_id"].tolist()


def by_ourselves(folder: Path) -> list[str]:
    return ids(ParquetLog(folder.parent))


READERS: dict[str, Callable[[Path], list[str]]] = {
    "duckdb": by_duckdb,
    "polars": by_polars,
    "pandas": by_pandas,
}


@pytest.mark.parametrize("reader", READERS)
def test_foreign_readers_find_every_row_once_before_and_after_compaction(
    reader: str, tmp_path: Path
) -> None:
    log = ParquetLog(tmp_path)
    for i in range(40):
        log.append(MODEL, str(1 + i % 2), place(i * 10), part(NOON + i * HOUR, key=f"k{i}"))
    before = sorted(READERS[reader](tmp_path / MODEL))
    log.append(MODEL, "1", "empty", part())
    for path in files(tmp_path) + files(tmp_path, "2"):
        os.utime(path, (0, 0))
    assert compact(tmp_path) == 41

    assert len(before) == 40
    assert sorted(READERS[reader](tmp_path / MODEL)) == before


def test_foreign_readers_see_the_documented_types(tmp_path: Path) -> None:
    ParquetLog(tmp_path).append(MODEL, "1", "a", part(NOON))
    folder = tmp_path / MODEL

    frame = pl.read_parquet(folder, hive_schema={"version": pl.String})
    assert frame.schema["time"] == pl.Datetime("us", "UTC")
    assert frame.schema["inputs"] == pl.Struct({"temp": pl.Float64, "origin": pl.String})
    assert frame.schema["version"] == pl.String
    assert frame["inputs"].struct.field("temp").to_list() == [1.5]
    query = (
        "select time, inputs.temp, probabilities[2], status, version from "
        f"read_parquet('{folder}/**/*.parquet', hive_types = {{'version': VARCHAR}})"
    )
    shown = duckdb.connect().execute(query)
    assert [str(column[1]) for column in shown.description or []] == [
        "TIMESTAMP WITH TIME ZONE", "DOUBLE", "DOUBLE", "SMALLINT", "VARCHAR",
    ]  # fmt: skip
    (row,) = shown.fetchall()
    assert row[1:] == (1.5, 0.75, 200, "1")
    read = pd.read_parquet(folder)
    assert str(read["time"].dtype) == "datetime64[us, UTC]"
    assert read["inputs"].iloc[0] == {"temp": 1.5, "origin": "JFK"}


def test_the_examples_on_the_page_run_as_they_stand(tmp_path: Path) -> None:
    ParquetLog(tmp_path).append(MODEL, "1", "a", part(NOON, NOON + HOUR))
    page = (Path(__file__).parents[2] / "docs" / "reference" / "inference-log.md").read_text()
    page = page.replace("inference-log/late-arrival", str(tmp_path / MODEL))
    blocks = re.findall(r"```(sql|python)\n(.*?)```", page, re.DOTALL)

    assert [language for language, _ in blocks] == ["sql", "python", "python"]
    for language, code in blocks:
        if language == "sql":
            assert duckdb.connect().execute(code).fetchall() == [("1", 2, 900.0)]
        else:
            found: dict[str, object] = {}
            exec(code, found)
            assert len(found["log"].collect() if "pl" in found else found["log"]) == 2  # type: ignore[attr-defined, arg-type]


steps = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(0, 200)),
        st.tuples(st.just("compact"), st.just(0)),
        st.tuples(st.just("erase"), st.integers(0, 5)),
        st.tuples(st.just("expire"), st.integers(0, 200)),
    ),
    max_size=25,
)


@settings(max_examples=30, deadline=None)
@given(steps=steps)
def test_whatever_is_done_both_logs_hold_the_same_rows(
    steps: list[tuple[str, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("log")
    log, upkeep, twin = ParquetLog(root), ParquetLogUpkeep(root), MemoryLog()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(log_merging, "MANY_PARTS", 2)
        patched.setattr(log_merging, "MANY_MERGED", 2)
        for number, (what, value) in enumerate(steps):
            moment = NOON + value * HOUR
            match what:
                case "append":
                    rows = part(moment, moment + 30 * HOUR, key=str(value % 6))
                    for one in (log, twin):
                        one.append(MODEL, "1", place(number * 10), rows)
                case "compact":
                    upkeep.compact(MODEL)
                case "erase":
                    gone = Subject(keys=frozenset({str(value)}))
                    assert upkeep.erase(MODEL, gone).rows == twin.erase(MODEL, gone).rows
                case "expire":
                    assert upkeep.expire(MODEL, moment).rows == twin.expire(MODEL, moment).rows
            assert Counter(ids(log)) == Counter(ids(twin))


KEEPER = """
import sys
from pathlib import Path
from trimtab.adapters import log_merging
from trimtab.adapters.log_upkeep import ParquetLogUpkeep
log_merging.MANY_PARTS = log_merging.MANY_MERGED = 2
print("ready", flush=True)
keeper = ParquetLogUpkeep(Path(sys.argv[1]))
while True:
    keeper.compact("late")
"""


def test_readers_see_every_row_once_while_compaction_runs_and_is_killed(tmp_path: Path) -> None:
    log = ParquetLog(tmp_path)
    expected: list[str] = []
    readers = [*READERS.values(), by_ourselves]
    looks = rereads = kills = 0
    end = time.monotonic() + 6
    while time.monotonic() < end:
        keeper = subprocess.Popen([sys.executable, "-c", KEEPER, tmp_path], stdout=subprocess.PIPE)
        assert keeper.stdout
        keeper.stdout.readline()
        for _ in range(12):
            number = len(expected)
            time_of = NOON + number * timedelta(minutes=7)
            log.append(MODEL, "1", place(number * 10), part(time_of, key=str(number)))
            expected.append(f"{number}@{time_of.timestamp()}")
            try:
                found = readers[looks % len(readers)](tmp_path / MODEL)
            except (OSError, duckdb.Error, pl.exceptions.PolarsError):
                rereads += 1  # a file was merged away between the look and the reading
                continue
            looks += 1
            assert sorted(found) == sorted(expected)
        keeper.send_signal(signal.SIGKILL)
        keeper.communicate()
        kills += 1
        assert sorted(ids(ParquetLog(tmp_path))) == sorted(expected)

    print(f"{kills=} {looks=} {rereads=}")  # noqa: T201  # pytest shows it with a failure
    assert kills > 1
    assert looks > rereads
    compact(tmp_path)
    assert sorted(ids(ParquetLog(tmp_path))) == sorted(expected)
    assert min(ParquetLog(tmp_path).parts(MODEL)).startswith("seg-000000000000")
