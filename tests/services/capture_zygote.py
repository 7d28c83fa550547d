"""Forks the victims of the chaos test: forking takes a millisecond, importing a second.

Reads `SPOOL ACKNOWLEDGED LOG SEED BUDGET` lines and answers each with the supervisor's pid. It
starts two writers, a shipper and an upkeep, each again when it ends; they end with it. Whoever
lives is told, by name, in `pids` beside the spool. Everything ends when the input does.
"""

import ctypes
import os
import random
import signal
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

from trimtab.adapters import log_merging
from trimtab.adapters.log_upkeep import ParquetLogUpkeep
from trimtab.adapters.parquet_log import ParquetLog
from trimtab.records.contracts import Contract, Task
from trimtab.records.schema import Column, ColumnType, Schema
from trimtab_services.captured import CapturedRequest, encode
from trimtab_services.segments import SegmentWriter
from trimtab_services.shipper import Shipper, SpoolTakenError

NOON = datetime(2013, 4, 1, 12, tzinfo=UTC)
PAUSE = threading.Event()
LIBC = ctypes.CDLL(None)


def contract_of(version: str) -> Contract:
    columns = (Column(name="temp", type=ColumnType.DOUBLE, required=True),)
    return Contract(model="m", task=Task.REGRESSION, target="y", schema=Schema(columns=columns))


def captured(request_id: bytes, version: str, dice: random.Random) -> bytes:
    rows = [(dice.random(),) for _ in range(dice.randrange(3))]
    made = CapturedRequest(
        request_id=request_id.hex(),
        version=version,
        received=NOON,
        status=200 if rows else 422,
        latency_us=1,
        source=None,
        device=None,
        detail=None,
        time=NOON + timedelta(seconds=dice.random()),
        columns=["temp"],
        inputs=rows,
        predictions=[1.5] * len(rows),
    )
    return encode(made)


def write(spool: str, acknowledged: str, seed: int, budget: int) -> None:
    """Capture for ever; note each outcome in one write, after `append` has returned."""
    dice = random.Random(seed)
    notes = os.open(acknowledged, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
    writer = SegmentWriter(
        Path(spool), budget_bytes=budget, segment_bytes=budget // 40, segment_seconds=0.3
    )
    while True:
        version = str(dice.randrange(1, 3))
        for _ in range(dice.randrange(1, 40)):
            request_id = dice.randbytes(16)
            is_kept = writer.append(request_id, captured(request_id, version, dice))
            os.write(notes, f"{'+' if is_kept else '-'}{request_id.hex()}\n".encode())
        PAUSE.wait(0.01)


def ship(spool: str, log: str) -> None:
    """Ship for ever, once the forerunner is really gone."""
    while True:
        try:
            shipper = Shipper(Path(spool), "m", ParquetLog(Path(log)), contract_of)
        except SpoolTakenError:
            PAUSE.wait(0.001)
        else:
            break
    while True:
        shipper.ship()


def keep(log: str) -> None:
    """Merge for ever whatever can be merged."""
    log_merging.MANY_PARTS, log_merging.MANY_MERGED = 8, 4
    upkeep = ParquetLogUpkeep(Path(log))
    while True:
        if not upkeep.compact("m"):
            PAUSE.wait(0.01)


def supervise(spool: str, acknowledged: str, log: str, seed: str, budget: str) -> None:
    """Start everybody, and whoever ends again."""
    dice = random.Random(int(seed))
    pids = Path(spool).parent / "pids"
    running: dict[int, str] = {}
    wanted = ["writer 1", "writer 2", "shipper", "upkeep"]
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    while True:
        for name in wanted:
            pid = start(name, spool, acknowledged, log, dice.getrandbits(32), int(budget))
            running[pid] = name
        fresh = pids.with_suffix(f".{os.getpid()}")
        fresh.write_text("".join(f"{pid} {name}\n" for pid, name in running.items()))
        fresh.replace(pids)
        ended, _ = os.wait()
        wanted = [running.pop(ended)]


def start(name: str, spool: str, acknowledged: str, log: str, seed: int, budget: int) -> int:
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    end_with_parent(parent)
    match name.split()[0]:
        case "writer":
            write(spool, acknowledged, seed, budget)
        case "shipper":
            ship(spool, log)
        case _:
            keep(log)
    os._exit(1)


def end_with_parent(parent: int) -> None:
    """Nobody outlives who started it (PR_SET_PDEATHSIG), also if that is dead already."""
    LIBC.prctl(1, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def main() -> None:
    """Fork on request."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    me = os.getpid()
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            end_with_parent(me)
            supervise(*line.split())
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
