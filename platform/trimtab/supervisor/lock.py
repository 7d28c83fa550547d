"""One platform a home: a lock, and the table of its processes for whoever comes after a crash."""

import fcntl
import json
import os
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from trimtab.errors import TrimtabError

_LOCK, _TABLE = "up.lock", "processes.json"
_GONE_SECONDS = 15.0  # workers drain for up to 10 s after their supervisor died


class AlreadyUpError(TrimtabError):
    """Another `trimtab up` runs on this home."""

    def __init__(self, home: Path, owner: str) -> None:
        who = f" (process {owner})" if owner else ""
        super().__init__(
            f"The platform in {home} is already up{who}. Look at it with: trimtab status"
        )


@contextmanager
def sole_owner(run: Path) -> Iterator[None]:
    """Hold the lock of a home's `run` folder. Raises AlreadyUpError."""
    run.mkdir(parents=True, exist_ok=True)
    with (run / _LOCK).open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            raise AlreadyUpError(run.parent, lock.read().strip()) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
        lock.truncate(0)


def is_up(run: Path) -> bool:
    """Tell whether a platform runs on a home."""
    try:
        with (run / _LOCK).open("a+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def note_processes(run: Path, pids: Iterable[int]) -> None:
    """Write down the groups that run, each with the start time that makes its pid unique."""
    table = {str(pid): _started(pid) for pid in pids}
    fresh = run / f"{_TABLE}.new"
    fresh.write_text(json.dumps(table))
    fresh.replace(run / _TABLE)


def end_leftovers(run: Path) -> list[int]:
    """End the groups that a killed platform left behind, and name them.

    A pid that by now belongs to another process is left alone.
    """
    try:
        table: dict[str, int | None] = json.loads((run / _TABLE).read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return []
    left = [int(p) for p, start in table.items() if start and _started(int(p)) == start]
    for pid in left:
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGTERM)
    deadline = time.monotonic() + _GONE_SECONDS
    while any(_started(pid) == table[str(pid)] for pid in left) and time.monotonic() < deadline:
        time.sleep(0.1)
    for pid in left:
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
    (run / _TABLE).unlink(missing_ok=True)
    return left


def _started(pid: int) -> int | None:
    """Give a process's start time in clock ticks since boot; None when it is gone or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    after_name = stat.rpartition(")")[2].split()
    return None if after_name[0] == "Z" else int(after_name[19])
