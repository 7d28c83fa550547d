"""Forks writers and shippers for the chaos test: forking takes a millisecond, importing a second.

Reads `writer SPOOL ACKNOWLEDGED SEED` or `shipper SPOOL LOG` lines and answers each with a pid.
Everything ends when its input does.
"""

import ctypes
import os
import random
import signal
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from trimtab.adapters.parquet_log import ParquetLog
from trimtab.records.contracts import Contract, Task
from trimtab.records.schema import Column, ColumnType, Schema
from trimtab_services.captured import CapturedRequest, encode
from trimtab_services.segments import SegmentWriter
from trimtab_services.shipper import Shipper, SpoolTakenError

NOON = datetime(2013, 4, 1, 12, tzinfo=UTC)
PAUSE = threading.Event()


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


def write(spool: str, acknowledged: str, seed: str) -> None:
    """Capture for ever; note each outcome in one write, after `append` has returned."""
    dice = random.Random(int(seed))
    notes = os.open(acknowledged, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
    writer = SegmentWriter(
        Path(spool), budget_bytes=2_000_000, segment_bytes=50_000, segment_seconds=0.3
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


def main() -> None:
    """Fork on request."""
    roles: dict[str, Callable[..., None]] = {"writer": write, "shipper": ship}
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    libc = ctypes.CDLL(None)
    for line in sys.stdin:
        role, *arguments = line.split()
        pid = os.fork()
        if pid == 0:
            libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: nobody outlives the zygote
            roles[role](*arguments)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
