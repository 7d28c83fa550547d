"""Writers, shipper, upkeep and their supervisor are killed at random: nothing is lost or doubled.

CHAOS_SECONDS=60 makes the run of every day longer, CHAOS_SEED makes it the same again. The long
one (`pytest -m long`) goes on to a million captured requests and a thousand kills.
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
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.dataset as ds
import pytest

from trimtab.adapters.parquet_log import ParquetLog
from trimtab.records.contracts import Contract, Task
from trimtab.records.schema import Column, ColumnType, Schema
from trimtab_services.shipper import Shipper, ShipReport, SpoolTakenError

SECONDS = float(os.environ.get("CHAOS_SECONDS", "12"))
WEIGHTS = {"supervisor": 1, "writer": 5, "shipper": 2, "upkeep": 2}
Pause = tuple[float, float]


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


@dataclass
class Chaos:
    """A capture that runs, and somebody who kills."""

    folder: Path
    zygote: Zygote
    dice: random.Random
    budget: int = 2_000_000
    """Bytes that the spool may have: small, so that some requests are dropped as well."""

    def run(self, is_over: Callable[[Counter[str]], bool], pause: Pause) -> Counter[str]:
        """Kill until it is over; gives how often each was killed."""
        kills = Counter[str]()
        supervisor = self._start()
        while not is_over(kills):
            threading.Event().wait(self.dice.uniform(*pause))
            victim = self.dice.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
            pids = [pid for pid, name in self._pids(supervisor) if name == victim]
            if not pids:
                continue
            with suppress(ProcessLookupError):
                os.kill(self.dice.choice(pids), signal.SIGKILL)
                kills[victim] += 1
            if victim == "supervisor":
                supervisor = self._start()
        self.zygote.end()
        return kills

    def _start(self) -> int:
        (self.folder / "pids").unlink(missing_ok=True)
        paths = (self.folder / name for name in ("spool", "acknowledged", "log"))
        return self.zygote.start(*paths, self.dice.getrandbits(32), self.budget)

    def _pids(self, supervisor: int) -> list[tuple[int, str]]:
        """List who can be killed: none but our own, whose ids nobody else can have by now."""
        with suppress(FileNotFoundError):
            lines = [line.split() for line in (self.folder / "pids").read_text().splitlines()]
            found = [(int(pid), name) for pid, name, *_ in lines if is_ours(int(pid))]
            return [(supervisor, "supervisor"), *found]
        return [(supervisor, "supervisor")]

    def check(self, kills: Counter[str]) -> int:
        """Compare what was acknowledged with what is in the log; gives the requests in it."""
        report = drained(self.folder / "spool", ParquetLog(self.folder / "log"))
        outcomes = (self.folder / "acknowledged").read_text().split()
        kept = {line[1:] for line in outcomes if line[0] == "+"}
        dropped = sum(line[0] == "-" for line in outcomes)
        rows = ds.dataset(self.folder / "log" / "m", partitioning="hive").to_table(
            columns=["request_id", "prediction_id"]
        )
        stored = set(rows["request_id"].to_pylist())
        names = pc.coalesce(rows["prediction_id"], rows["request_id"])
        deaths = kills["writer"] + 2 * kills["supervisor"] + 2
        print(f"{kills} {len(kept)=} {dropped=} {len(stored)=} {report}")  # noqa: T201  # the same

        assert kept - stored == set()
        assert pc.count_distinct(names).as_py() == len(names)
        assert len(stored - kept) <= deaths  # written, and killed before the note
        assert (report.quarantined, report.pending_bytes) == (0, 0)
        assert report.answered == report.captured + report.dropped
        assert report.captured == len(stored)
        assert 0 <= report.dropped - dropped <= deaths
        return len(kept)


def is_ours(pid: int) -> bool:
    with suppress(OSError):
        return b"capture_zygote.py" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


@pytest.fixture
def chaos(memory: Path, zygote: Zygote) -> Chaos:
    seed = int(os.environ.get("CHAOS_SEED") or secrets.randbits(32))
    print(f"CHAOS_SEED={seed}")  # noqa: T201  # pytest shows it with a failure
    return Chaos(memory, zygote, random.Random(seed))


def test_what_was_acknowledged_is_logged_once_whoever_is_killed(chaos: Chaos) -> None:
    end = time.monotonic() + SECONDS
    kills = chaos.run(lambda _: time.monotonic() > end, pause=(0.005, 0.08))

    assert chaos.check(kills) > 1000
    assert set(kills) == set(WEIGHTS)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_none_of_a_million_requests_is_lost_or_doubled_in_a_thousand_kills(chaos: Chaos) -> None:
    notes, end = chaos.folder / "acknowledged", time.monotonic() + 3000
    chaos.budget = 200_000_000

    def is_over(kills: Counter[str]) -> bool:
        size = notes.stat().st_size if notes.exists() else 0
        is_enough = kills.total() >= 1000 and size >= 34 * 1_000_000  # a line each
        return is_enough or time.monotonic() > end

    kills = chaos.run(is_over, pause=(0.05, 0.5))

    assert kills.total() >= 1000
    assert chaos.check(kills) >= 990_000  # some were dropped while nobody shipped


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
