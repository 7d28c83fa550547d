"""Forks the victims of the chaos test of labels: `labels_zygote.py FOLDER`.

Two tellers keep labels as an endpoint does, each of one key, and note what they are about to tell
and what was acknowledged; a taker puts them into the database. Whoever ends is started again; the
living are named in `pids`.
"""

import ctypes
import os
import secrets
import signal
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

from trimtab.adapters.parquet_log import ParquetLog
from trimtab.adapters.sql import open_database
from trimtab.records.labels import Label
from trimtab_services.label_inbox import Inbox, ToldLabels
from trimtab_services.label_taking import LabelTaker

MODEL = "m"
NOON = datetime(2013, 4, 1, 12, tzinfo=UTC)
PAUSE = threading.Event()
LIBC = ctypes.CDLL(None)


def tell(folder: Path, key: str) -> None:
    """Tell values that all became known at once: each replaces the one before."""
    notes = os.open(folder / f"{key}.notes", os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
    inbox = Inbox(folder / "labels")
    while True:
        value = secrets.token_hex(8)
        os.write(notes, f"?{value}\n".encode())
        label = Label(key=key, value=f"v{value}", known_at=NOON)
        told = ToldLabels(labels=(label,), by=key, at=datetime.now(UTC))
        inbox.put(secrets.token_hex(16), told)
        os.write(notes, f"+{value}\n".encode())
        PAUSE.wait(0.002)


def take(folder: Path) -> None:
    """Take for ever."""
    database = open_database(f"sqlite:///{folder / 'trimtab.db'}")
    taker = LabelTaker(
        Inbox(folder / "labels"), MODEL, database, ParquetLog(folder / "log"), time.monotonic
    )
    while True:
        taker.step()


def start(name: str, folder: Path) -> int:
    """Fork a victim, which ends with this process."""
    parent = os.getpid()
    if pid := os.fork():
        return pid
    LIBC.prctl(1, signal.SIGKILL)
    if os.getppid() == parent:
        take(folder) if name == "taker" else tell(folder, name)
    os._exit(1)


def main() -> None:
    """Start everybody, and whoever ends again."""
    folder = Path(sys.argv[1])
    LIBC.prctl(1, signal.SIGKILL)
    open_database(f"sqlite:///{folder / 'trimtab.db'}").close()
    running: dict[int, str] = {}
    wanted = ["a", "b", "taker"]
    while True:
        running |= {start(name, folder): name for name in wanted}
        fresh = folder / "pids.new"
        fresh.write_text("".join(f"{pid} {name}\n" for pid, name in running.items()))
        fresh.replace(folder / "pids")
        ended, _ = os.wait()
        wanted = [running.pop(ended)]


if __name__ == "__main__":
    main()
