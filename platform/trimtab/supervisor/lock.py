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
_LOOK_SECONDS = 0.5  # whoever asks `is_up` holds the lock for a moment


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
        if not _take(lock.fileno()):
            lock.seek(0)
            raise AlreadyUpError(run.parent, lock.read().strip())
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
        lock.truncate(0)


def is_up(run: Path) -> bool:
    """Tell whether a platform runs on a home."""
    try:
        with (run / _LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)  # two who ask do not meet
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _take(lock: int) -> bool:
    deadline = time.monotonic() + _LOOK_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        else:
            return True


def note_processes(run: Path, pids: Iterable[int]) -> None:
    """Write down the groups that run, each with the start time that makes its pid unique."""
    table = {str(pid): _started(pid) for pid in pids}
    fresh = run / f"{_TABLE}.new"
    fresh.write_text(json.dumps(table))
    fresh.replace(run / _TABLE)


def end_leftovers(run: Path) -> list[int]:
    """End the groups that a killed platform left behind, and name them.

    A pid that by now belongs to another process is left alone. A group whose leader is gone is
    ended when a member still has this home in its environment.
    """
    try:
        table: dict[str, int | None] = json.loads((run / _TABLE).read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return []
    groups = {int(pid): start for pid, start in table.items() if start}

    def living() -> list[int]:
        return [pid for pid, start in groups.items() if _lives(pid, start, run.parent)]

    left = living()
    for pid in left:
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGTERM)
    deadline = time.monotonic() + _GONE_SECONDS
    while living() and time.monotonic() < deadline:
        time.sleep(0.1)
    for pid in living():
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
    (run / _TABLE).unlink(missing_ok=True)
    return left


def _lives(group: int, start: int, home: Path) -> bool:
    leader = _started(group)
    if leader is not None:
        return leader == start
    ours = f"TRIMTAB_HOME={home}".encode()
    return any(ours in _environment(pid) for pid in _members(group))


def _members(group: int) -> list[int]:
    pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return [pid for pid in pids if (stat := _stat(pid)) and int(stat[2]) == group]


def _environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _started(pid: int) -> int | None:
    """Give a process's start time in clock ticks since boot; None when it is gone or a zombie."""
    stat = _stat(pid)
    return int(stat[19]) if stat else None


def _stat(pid: int) -> list[str]:
    """Give the fields of a process's `stat` from its state on; none when it is gone or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return []
    after_name = stat.rpartition(")")[2].split()
    return [] if after_name[0] == "Z" else after_name
