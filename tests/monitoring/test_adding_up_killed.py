"""A monitor that is killed while it adds up, again and again, counts each row once."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from trimtab.adapters.parquet_log import ParquetLog
from trimtab.adapters.sql import SqlDatabase
from trimtab.records.windows import Window

if TYPE_CHECKING:
    from tests.monitoring.conftest import Lab, World

ROWS = 24_000
PROGRAM = """
import sys
from datetime import datetime
from pathlib import Path

from trimtab.adapters.manifest import verify_manifest
from trimtab.adapters.parquet_log import ParquetLog
from trimtab.adapters.sql import open_database
from trimtab.records.versions import ModelVersion
from trimtab.settings import Home, ModelSettings
from trimtab.testing.manual_clock import ManualClock
from trimtab.testing.memory_registry import MemoryRegistry, MemoryReports
from trimtab_monitoring.versions import Versions
from trimtab_monitoring.watching import Watch

database, log, home, version, now = sys.argv[1:]
registry, folder = MemoryRegistry(verify_manifest), Path(version)
moment = datetime.fromisoformat(now)
known = ModelVersion(
    model="late", version="1", run_id="r", trained_until=moment, manifest_sha256=folder.name
)
registry.add(known, folder)
rules = {"task": "binary", "source": "unused", "target": "late"}
watch = Watch(
    model="late",
    settings=ModelSettings.model_validate({**rules, "monitor": {"window": "7d", "min_rows": 200}}),
    clock=ManualClock(moment),
    database=open_database(database),
    inference_log=ParquetLog(Path(log)),
    versions=Versions(registry=registry, home=Home(Path(home))),
    reports=MemoryReports(),
)
assert watch.step()
"""


def stretches(database: SqlDatabase, window: Window) -> int:
    with database.transaction() as stores:
        return len(stores.sums.within("late", "1", window))


@pytest.mark.long
def test_a_monitor_that_is_killed_while_it_adds_up_counts_each_row_once(
    world: World, lab: Lab, tmp_path: Path
) -> None:
    log, window = ParquetLog(tmp_path / "log"), Window(lab.monday, lab.monday + lab.week)
    times = [lab.monday + n * (lab.week / ROWS) for n in range(ROWS)]
    log.append("late", "1", "all", lab.log_table(lab.traffic(ROWS, seed=5), "1", times, "all"))
    url, version = str(world.database.engine.url), str(world.folder)
    now = (window.end + timedelta(days=1)).isoformat()
    command = [sys.executable, "-c", PROGRAM, url, str(log._folder.root), str(tmp_path / "home")]

    for goal in (2, 13):
        process = subprocess.Popen([*command, version, now])
        deadline = time.monotonic() + 120
        while stretches(world.database, window) < goal:
            assert process.poll() is None
            assert time.monotonic() < deadline
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert goal <= stretches(world.database, window) < 24
    subprocess.run([*command, version, now], check=True, timeout=120)

    with world.database.transaction() as stores:
        (verdict,) = stores.verdicts.recent("late")
        (whole,) = stores.sums.within("late", "1", window)
    assert verdict.rows == whole.sums.rows == ROWS
    assert all(column.rows == ROWS for column in whole.sums.columns.values())
