"""What watching costs by the number of rows: adding up as traffic comes, and judging a window.

    .venv/bin/python tests/benchmarks/drift/watching_cost.py [ROWS ...]

A day of made-up traffic with 50 columns lies in a real inference log, as it was shipped and
merged. Each number of rows is watched in a process of its own, through a database; CPU seconds of
all threads, and the most that was resident above what was before.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

ROOT = Path(__file__).parents[3]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from tests.benchmarks.drift.cost_worker import _forget_peak, _status, made_up  # noqa: E402
from tests.benchmarks.drift.rows import schema_of  # noqa: E402

from trimtab.adapters.log_upkeep import ParquetLogUpkeep  # noqa: E402
from trimtab.adapters.manifest import verify_manifest, write_manifest  # noqa: E402
from trimtab.adapters.parquet_log import ParquetLog  # noqa: E402
from trimtab.adapters.sql import open_database  # noqa: E402
from trimtab.policy.reference import build_reference  # noqa: E402
from trimtab.records.contracts import Contract, Task  # noqa: E402
from trimtab.records.documents import to_json  # noqa: E402
from trimtab.records.logged import inputs_schema, log_schema  # noqa: E402
from trimtab.records.promotions import Promotion  # noqa: E402
from trimtab.records.reference import OUTPUT  # noqa: E402
from trimtab.records.verdicts import Verdict  # noqa: E402
from trimtab.records.versions import ModelVersion  # noqa: E402
from trimtab.settings import Home, ModelSettings  # noqa: E402
from trimtab.testing.manual_clock import ManualClock  # noqa: E402
from trimtab.testing.memory_registry import MemoryRegistry, MemoryReports  # noqa: E402
from trimtab_monitoring.versions import Versions  # noqa: E402
from trimtab_monitoring.watching import Watch  # noqa: E402

MODEL = "made-up"
COLUMNS, TRAINED, PART = 50, 100_000, 5_000
DAY = timedelta(days=1)
TIME = pa.timestamp("us", tz="UTC")
START = datetime(2026, 1, 5, tzinfo=UTC)
SETTINGS = ModelSettings.model_validate(
    {
        "task": "regression",
        "source": "unused",
        "target": "y",
        "monitor": {"window": "1d", "lateness": "5m"},
    }
)
SIZES = (10_000, 100_000, 1_000_000)


def main() -> None:
    """Watch every number of rows, and print a table; in a child, watch one and print figures."""
    if sys.argv[1:2] == ["--one"]:
        with tempfile.TemporaryDirectory() as folder:
            sys.stdout.write(json.dumps(watched(int(sys.argv[2]), Path(folder))))
        return
    sizes = [int(given) for given in sys.argv[1:]] or list(SIZES)
    sys.stdout.write(f"{COLUMNS} columns; CPU seconds, and MB above what was resident before\n\n")
    for number, rows in enumerate(sizes):
        made = subprocess.run(
            [sys.executable, __file__, "--one", str(rows)], stdout=subprocess.PIPE, check=True
        )
        found = json.loads(made.stdout)
        if number == 0:
            sys.stdout.write(f"| rows | {' | '.join(found)} |\n|{' --- |' * (len(found) + 1)}\n")
        sys.stdout.write(f"| {rows:,} | {' | '.join(found.values())} |\n")
        sys.stdout.flush()


def watched(rows: int, folder: Path) -> dict[str, str]:
    """Take what the monitor does of a day apart."""
    watch = prepared(rows, folder)
    adding_up = watch.adding_up
    ahead = watch.ahead()
    assert ahead is not None

    def update() -> None:
        while adding_up.go_on(ahead.window, ahead.versions, ahead.window.end):
            pass

    verdicts: list[Verdict] = []

    def check() -> None:
        verdicts.extend(watch.step())

    found = {
        "update, all day": measured(update),
        "check": measured(check),
        "look into a window that moved": measured(lambda: adding_up.sample("1", ahead.window)),
    }
    with watch.database.transaction() as stores:
        (whole,) = stores.sums.within(MODEL, "1", ahead.window)
    (verdict,) = verdicts
    assert verdict.rows == rows
    return {
        **found,
        "kept of it": f"{len(to_json(whole)) / 1024:.0f} kB",
        "verdict": str(verdict.kind),
    }


def measured(step: Callable[[], Any]) -> str:
    """Take a step; gives its CPU seconds and peak."""
    base, before = _forget_peak(), time.process_time()
    step()
    spent = time.process_time() - before
    return f"{spent:.2f} s, {max(0.0, _status('VmHWM') - base):.0f} MB"


def prepared(rows: int, folder: Path) -> Watch:
    """Train on made-up rows, let a day pass, and give the one who is to watch it."""
    trained = made_up(TRAINED, COLUMNS, 1)
    contract = Contract(
        model=MODEL, task=Task.REGRESSION, target="y", schema=schema_of(trained), classes=()
    )
    version = folder / "version"
    write_version(version, contract, trained)
    registry, clock = MemoryRegistry(verify=verify_manifest), ManualClock(START + DAY / 2)
    known = ModelVersion(
        model=MODEL, version="1", run_id="r", trained_until=START,
        manifest_sha256=write_manifest(version),
    )  # fmt: skip
    registry.add(known, version)
    log = ParquetLog(folder / "log")
    ship(log, contract, rows)
    while ParquetLogUpkeep(folder / "log").compact(MODEL):
        pass
    database = open_database(f"sqlite:///{folder / 'trimtab.db'}")
    first = Promotion(
        model=MODEL, epoch=1, version="1", previous=None, manifest_sha256=known.manifest_sha256,
        actor="benchmark", reasons=(), at=START,
    )  # fmt: skip
    with database.transaction() as stores:
        stores.promotions.record(first)
    watch = Watch(
        model=MODEL,
        settings=SETTINGS,
        clock=clock,
        database=database,
        inference_log=log,
        versions=Versions(registry=registry, home=Home(folder / "home")),
        reports=MemoryReports(),
    )
    watch.versions.get(MODEL, "1")
    clock.set(START + DAY + timedelta(minutes=5))
    return watch


def write_version(folder: Path, contract: Contract, trained: pd.DataFrame) -> None:
    """Write what the monitor reads of a version."""
    output = output_of(trained)
    times = pd.Series(pd.date_range(end=START, periods=TRAINED, freq="10s"))
    reference = build_reference(
        trained, output, times, contract.schema,
        importance={}, window=timedelta(hours=1), false_alarms=0.01, min_rows=200, seed=0,
    )  # fmt: skip
    folder.mkdir()
    (folder / "contract.json").write_bytes(to_json(contract))
    (folder / "reference.json").write_bytes(to_json(replace(reference, window=DAY)))
    trained[:1000].assign(**{OUTPUT: output[:1000]}).to_parquet(folder / "reference.parquet")


def output_of(frame: pd.DataFrame) -> np.ndarray:
    """Answer rows."""
    values: np.ndarray = frame.filter(like="number").fillna(0).to_numpy().mean(axis=1)
    return values


def ship(log: ParquetLog, contract: Contract, rows: int) -> None:
    """Fill the day with rows, part by part, as a shipper does."""
    schema = log_schema(contract)
    for first in range(0, rows, PART):
        frame = made_up(min(PART, rows - first), COLUMNS, 2 + first)
        numbers = np.arange(first, first + len(frame))
        times = pa.array([START + DAY * (int(n) / rows) for n in numbers], TIME)
        inputs = pa.Table.from_pandas(frame, schema=inputs_schema(contract), preserve_index=False)
        ids = pa.array([f"{number:032x}-0" for number in numbers])
        given: dict[str, pa.Array] = {
            "prediction_id": ids,
            "request_id": ids,
            "version": pa.repeat("1", len(frame)),
            "time": times,
            "received": times,
            "status": pa.repeat(200, len(frame)).cast(pa.int16()),
            "latency_us": pa.repeat(900, len(frame)).cast(pa.int64()),
            "inputs": inputs.to_struct_array().combine_chunks(),
            "prediction": pa.array(output_of(frame)),
        }
        arrays = [
            given[field.name] if field.name in given else pa.nulls(len(frame), field.type)
            for field in schema
        ]
        log.append(MODEL, "1", f"part-{first}", pa.table(arrays, schema=schema))


if __name__ == "__main__":
    main()
