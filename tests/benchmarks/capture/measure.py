"""What capture adds to a request, beside the usual ways to keep a record. One command:

    uv run python tests/benchmarks/capture/measure.py

Each way is measured flat out by one process, then by four processes that each write 500 records a
second, as workers of one endpoint do. SQLite commits each record (WAL, synchronous=NORMAL); the
plain file is written and flushed. Only the segments sync what they wrote, in the background; and
only they and SQLite can tell a whole record from half a one. The figures depend on the machine and
on what else it does: compare the columns, not the rows of two runs.
"""

import multiprocessing
import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from trimtab_services.captured import CapturedRequest, encode
from trimtab_services.segments import SegmentWriter

Append = Callable[[bytes, bytes], object]
FLAT_OUT, PACED, RATE = 4000, 1500, 500.0


@contextmanager
def segments(folder: Path) -> Iterator[Append]:
    """Trimtab's own way."""
    with closing(SegmentWriter(folder)) as writer:
        yield writer.append


@contextmanager
def sqlite(folder: Path) -> Iterator[Append]:
    """One row and one commit a record; all processes share the database."""
    with closing(sqlite3.connect(folder / "log.db", timeout=60, isolation_level=None)) as database:
        database.execute("pragma journal_mode=wal")
        database.execute("pragma synchronous=normal")
        database.execute("create table if not exists log(id blob primary key, payload blob)")
        yield lambda id, payload: database.execute("insert into log values (?, ?)", (id, payload))


@contextmanager
def plain_file(folder: Path) -> Iterator[Append]:
    """A buffered file, flushed after each record."""
    with (folder / f"{os.getpid()}.log").open("ab") as file:

        def append(id: bytes, payload: bytes) -> None:
            file.write(id + payload + b"\n")
            file.flush()

        yield append


WAYS = {"segment": segments, "SQLite commit": sqlite, "file + flush": plain_file}


def request(rows: int, columns: int = 22) -> bytes:
    """Encode a request of so many rows."""
    now = datetime.now(UTC)
    values = tuple(c * 1.37 if c % 3 else f"word {c}" for c in range(columns))
    return encode(
        CapturedRequest(
            request_id="0" * 32,
            version="1",
            received=now,
            status=200,
            latency_us=4000,
            source="benchmark",
            device="cpu",
            detail=None,
            time=now,
            columns=[f"column_{c}" for c in range(columns)],
            inputs=[values] * rows,
            predictions=[True] * rows,
            probabilities=[[0.25, 0.75]] * rows,
            keys=[f"key-{row}" for row in range(rows)],
        )
    )


def timed(way: str, folder: Path, payload: bytes, count: int, rate: float | None) -> list[float]:
    """Append records and give the seconds that each took."""
    seconds = []
    with WAYS[way](folder) as append:
        due = time.perf_counter()
        for _ in range(count):
            due += 1 / rate if rate else 0.0
            time.sleep(max(0.0, due - time.perf_counter()))
            id = os.urandom(16)
            start = time.perf_counter()
            append(id, payload)
            seconds.append(time.perf_counter() - start)
    return sorted(seconds)


def measured(way: str, payload: bytes, writers: int) -> list[float]:
    """Measure one way with so many processes, in a folder of its own."""
    count, rate = (FLAT_OUT, None) if writers == 1 else (PACED, RATE)
    with tempfile.TemporaryDirectory() as folder:
        work = [(way, Path(folder), payload, count, rate)] * writers
        with multiprocessing.get_context("spawn").Pool(writers) as pool:
            return sorted(second for part in pool.starmap(timed, work) for second in part)


def main() -> None:
    """Measure everything and print it side by side."""
    table = Table("rows", "writers", "way", "p50 us", "p99 us", "max us", "p99, segment = 1")
    for rows in (1, 50):
        payload = request(rows)
        for writers in (1, 4):
            reference = 0.0
            for way in WAYS:
                times = measured(way, payload, writers)
                p50, p99, worst = (times[int(q * (len(times) - 1))] * 1e6 for q in (0.5, 0.99, 1))
                reference = reference or p99
                figures = (f"{p50:.1f}", f"{p99:.1f}", f"{worst:.0f}", f"{p99 / reference:.1f}")
                table.add_row(str(rows), str(writers), way, *figures)
            table.add_section()
    Console().print(table)


if __name__ == "__main__":
    main()
