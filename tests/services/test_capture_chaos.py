"""Writers and shippers are killed at random: nothing that was acknowledged is lost or doubled.

CHAOS_SECONDS and CHAOS_SEED make it longer, or the same again.
"""

import os
import random
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.dataset as ds
import pytest

from trimtab.adapters.parquet_log import ParquetLog
from trimtab.records.contracts import Contract, Task
from trimtab.records.schema import Column, ColumnType, Schema
from trimtab_services.shipper import Shipper, ShipReport, SpoolTakenError

SECONDS = float(os.environ.get("CHAOS_SECONDS", "12"))


class Zygote:
    """The process that forks the victims."""

    def __init__(self) -> None:
        script = Path(__file__).with_name("capture_zygote.py")
        self._process = subprocess.Popen(
            [sys.executable, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def start(self, *command: object) -> int:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(" ".join(map(str, command)) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def zygote() -> Iterator[Zygote]:
    zygote = Zygote()
    yield zygote
    zygote.end()


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: a killed process loses nothing there either."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else tmp_path) as folder:
        yield Path(folder)


def contract_of(version: str) -> Contract:
    columns = (Column(name="temp", type=ColumnType.DOUBLE, required=True),)
    return Contract(model="m", task=Task.REGRESSION, target="y", schema=Schema(columns=columns))


def test_what_was_acknowledged_is_logged_once_whoever_is_killed(
    memory: Path, zygote: Zygote
) -> None:
    seed = int(os.environ.get("CHAOS_SEED") or secrets.randbits(32))
    print(f"CHAOS_SEED={seed}")  # noqa: T201  # pytest shows it with a failure
    dice = random.Random(seed)
    spool, folder, notes = (memory / name for name in ("spool", "log", "acknowledged"))
    roles = [("writer", spool, notes), ("writer", spool, notes), ("shipper", spool, folder)]

    def start(role: tuple[object, ...]) -> int:
        return zygote.start(*role, *([dice.getrandbits(32)] if role[0] == "writer" else []))

    pids = [start(role) for role in roles]
    kills = Counter[str]()
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        threading.Event().wait(dice.uniform(0.005, 0.08))
        victim = dice.choices(range(len(roles)), weights=[3, 3, 1])[0]
        os.kill(pids[victim], signal.SIGKILL)
        kills[str(roles[victim][0])] += 1
        pids[victim] = start(roles[victim])
    zygote.end()

    report = drained(spool, ParquetLog(folder))
    outcomes = notes.read_text().split()
    kept = {line[1:] for line in outcomes if line[0] == "+"}
    lost = sum(line[0] == "-" for line in outcomes)
    rows = ds.dataset(folder / "m", partitioning="hive").to_table()
    stored = set(rows["request_id"].to_pylist())
    names = pc.coalesce(rows["prediction_id"], rows["request_id"]).to_pylist()
    print(f"{kills} {len(kept)=} {lost=} {len(stored)=} {report}")  # noqa: T201  # the same

    assert len(kept) > 1000
    assert kept - stored == set()
    assert [name for name, times in Counter(names).items() if times > 1] == []
    assert len(stored - kept) <= kills["writer"] + 2  # written, and killed before the note
    assert (report.quarantined, report.pending_bytes) == (0, 0)
    assert report.answered == report.captured + report.dropped
    assert report.captured == len(stored)
    assert 0 <= report.dropped - lost <= kills["writer"] + 2


def drained(spool: Path, log: ParquetLog) -> ShipReport:
    """Ship what is left, once the killed processes are really gone."""
    for _ in range(1000):
        threading.Event().wait(0.02)
        try:
            shipper = Shipper(spool, "m", log, contract_of)
        except SpoolTakenError:
            continue
        with closing(shipper):
            report = shipper.ship()
        if not list(spool.glob("*.seg")):
            return report
    raise AssertionError("the killed writers still hold their segments")
