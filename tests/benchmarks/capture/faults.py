"""What trouble behind the endpoint costs a request, and whether every record is accounted for:

    uv run python tests/benchmarks/capture/faults.py --seconds 60

Four writers append 500 records a second each while a shipper moves them into the log. In turn the
shipper is stopped, the log's folder is locked by somebody who does not let go, and the disk is
full. Each trouble lies between two quiet stretches and is compared with these: the machine's other
load would spoil any longer comparison. At the end all must be in the log once, or counted.
"""

import argparse
import json
import multiprocessing
import os
import resource
import signal
import sys
import tempfile
import time
from bisect import bisect
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path

from rich.console import Console
from rich.table import Table

from trimtab.adapters.log_folder import LogFolder
from trimtab.adapters.parquet_log import ParquetLog
from trimtab.records.contracts import Contract, Task
from trimtab.records.schema import Column, ColumnType, Schema
from trimtab_services.captured import CapturedRequest, encode
from trimtab_services.segments import SegmentWriter
from trimtab_services.shipper import Shipper
from trimtab_services.testing import NOON

WRITERS, RATE = 4, 500.0
COLUMNS = [f"column_{c}" for c in range(22)]
_NO_LIMIT = resource.RLIM_INFINITY
FORK = multiprocessing.get_context("fork")  # these processes need what is imported here, at once


def contract_of(version: str) -> Contract:
    """Describe the requests of the benchmark."""
    columns = [Column(name=name, type=ColumnType.DOUBLE, required=True) for name in COLUMNS]
    schema = Schema(columns=tuple(columns))
    return Contract(model="m", task=Task.BINARY, target="y", schema=schema, classes=(False, True))


def payload(id: bytes) -> bytes:
    """Encode a request of one row."""
    made = CapturedRequest(
        request_id=id.hex(),
        version="1",
        received=NOON,
        status=200,
        latency_us=4000,
        source="benchmark",
        device="cpu",
        detail=None,
        time=NOON,
        columns=COLUMNS,
        inputs=[(1.37,) * len(COLUMNS)],
        predictions=[True],
        probabilities=[[0.25, 0.75]],
        keys=["key"],
    )
    return encode(made)


def write(spool: Path, out: Path, ended: Event) -> None:
    """Append at a steady rate; notes when each append began and how long it took."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    moments, seconds = [], []
    with closing(SegmentWriter(spool)) as writer:
        due = time.perf_counter()
        while not ended.is_set():
            due = max(due + 1 / RATE, time.perf_counter() - 1.0)
            time.sleep(max(0.0, due - time.perf_counter()))
            id = os.urandom(16)
            record = payload(id)
            start = time.perf_counter()
            writer.append(id, record)
            moments.append(start)
            seconds.append(time.perf_counter() - start)
        counts = (writer.captured, writer.dropped)
    limit(os.getpid(), _NO_LIMIT)
    out.write_text(json.dumps((moments, seconds, counts)))


def ship(spool: Path, log: Path, ended: Event) -> None:
    """Ship as the services worker does."""
    with closing(Shipper(spool, "m", ParquetLog(log), contract_of)) as shipper:
        while not ended.wait(0.5):
            shipper.ship()


def limit(pid: int, size: int) -> None:
    """Let a process write files up to a size: its disk is full."""
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, _NO_LIMIT))


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Writers and a shipper at work."""

    log: Path
    writers: Sequence[int]
    shipper: int

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """The shipper stands still."""
        os.kill(self.shipper, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.shipper, signal.SIGCONT)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Somebody holds the log's folders and does not let go."""
        with LogFolder(self.log).replacing("m"):
            yield

    @contextmanager
    def full(self) -> Iterator[None]:
        """No file can grow any more."""
        for pid in self.writers:
            limit(pid, 4096)
        try:
            yield
        finally:
            for pid in self.writers:
                limit(pid, _NO_LIMIT)


def play(bench: Bench, seconds: float) -> list[tuple[str, float]]:
    """Go through the troubles; gives the name and the end of each stretch."""
    troubles: dict[str, Callable[[], AbstractContextManager[None]]] = {
        "shipper stopped": bench.stopped,
        "log locked": bench.locked,
        "disk full": bench.full,
    }
    ends = []
    for name, trouble in troubles.items():
        time.sleep(seconds / 2)
        ends.append(("quiet", time.perf_counter()))
        with trouble():
            time.sleep(seconds)
            ends.append((name, time.perf_counter()))
    time.sleep(seconds / 2)
    return [*ends, ("quiet", time.perf_counter())]


def main() -> None:
    """Measure everything and print it side by side."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=10.0, help="length of each trouble")
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as folder:
        spool, log = Path(folder) / "spool", Path(folder) / "log"
        ended, outs = FORK.Event(), [Path(folder) / str(i) for i in range(WRITERS)]
        shipper = FORK.Process(target=ship, args=(spool, log, ended))
        writers = [FORK.Process(target=write, args=(spool, out, ended)) for out in outs]
        for process in (shipper, *writers):
            process.start()
        pids = [process.pid or 0 for process in writers]
        ends = play(Bench(log=log, writers=pids, shipper=shipper.pid or 0), seconds)
        ended.set()
        for process in (*writers, shipper):
            process.join()
        found = [json.loads(out.read_text()) for out in outs]
        captured, dropped = (sum(counts[i] for _, _, counts in found) for i in (0, 1))
        show(ends, [pair for m, s, _ in found for pair in zip(m, s, strict=True)])
        sys.exit(0 if account(spool, log, captured, dropped) else 1)


def show(ends: Sequence[tuple[str, float]], times: Sequence[tuple[float, float]]) -> None:
    """Print the latency of each stretch, the troubles beside their quiet neighbours."""
    stretches: list[list[float]] = [[] for _ in ends]
    moments = [end for _, end in ends]
    for moment, took in times:
        if (index := bisect(moments, moment)) < len(ends):
            stretches[index].append(took)
    table = Table("what", "appends", "p50 us", "p99 us", "max us", "p99, quiet = 1")
    for index in range(1, len(ends), 2):
        quiet, trouble = stretches[index - 1] + stretches[index + 1], stretches[index]
        for name, all_of_it in (("quiet", quiet), (ends[index][0], trouble)):
            figures = (f"{quantile(all_of_it, q):.1f}" for q in (0.5, 0.99, 1))
            ratio = quantile(all_of_it, 0.99) / quantile(quiet, 0.99)
            table.add_row(name, str(len(all_of_it)), *figures, f"{ratio:.2f}")
        table.add_section()
    load = os.getloadavg()[0]
    Console().print(table, f"{os.cpu_count()} cores, load {load:.1f} at the end")


def quantile(seconds: Sequence[float], q: float) -> float:
    """Give microseconds."""
    return sorted(seconds)[int(q * (len(seconds) - 1))] * 1e6


def account(spool: Path, log: Path, captured: int, dropped: int) -> bool:
    """Ship what is left, and tell whether all of it adds up."""
    parquet = ParquetLog(log)
    with closing(Shipper(spool, "m", parquet, contract_of)) as last:
        told = last.ship()
    found = parquet.read("m", "1")
    ids = [] if found is None else found.rows["prediction_id"].tolist()
    line = f"{told.answered} answered = {told.captured} captured + {told.dropped} dropped"
    Console().print(f"{line}; {len(set(ids))} different ones in the log, {len(ids)} rows")
    return (
        (told.answered, told.captured, told.dropped) == (captured + dropped, captured, dropped)
        and len(ids) == len(set(ids)) == captured
    )  # fmt: skip


if __name__ == "__main__":
    main()
