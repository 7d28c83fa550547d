"""What processes cost, from /proc: CPU time and memory of a tree, and what everybody else used."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_TICK = 1 / os.sysconf("SC_CLK_TCK")
_USER, _OF_CHILDREN = 11, 15
"""Positions in /proc/PID/stat behind the name: utime, stime, and those of buried children."""


def tree(root: int) -> list[int]:
    """List a process and all that descend from it."""
    children = _children()
    found, queue = [], [root]
    while queue:
        pid = queue.pop()
        found.append(pid)
        queue += children.get(pid, ())
    return found


def cpu_seconds(pids: Iterable[int]) -> float:
    """Add up user and system time of processes, and of their children that have ended."""
    ticks = 0
    for pid in pids:
        if fields := _stat(pid):
            ticks += sum(int(field) for field in fields[_USER:_OF_CHILDREN])
    return ticks * _TICK


def peak_megabytes(pids: Iterable[int]) -> float:
    """Add up the most memory that each process ever had resident; shared pages count in each."""
    return sum(_status(pid).get("VmHWM", 0) for pid in pids) / 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What the whole machine has done so far."""

    busy: float
    """CPU seconds, all processors together."""
    total: float
    """The same, idle time included."""
    load: float
    """Load average of the last minute."""

    @classmethod
    def now(cls) -> "Machine":
        """Read it."""
        first = (_PROC / "stat").read_text().splitlines()[0].split()[1:9]
        ticks = [int(field) for field in first]
        idle = ticks[3] + ticks[4]  # waiting for a disk is idle too
        total = sum(ticks)
        load = os.getloadavg()[0]
        return cls(busy=(total - idle) * _TICK, total=total * _TICK, load=load)

    def share_of_others(self, before: "Machine", ours: float) -> float:
        """Tell which share of the machine others used since, 0 to 1; `ours` is in CPU seconds."""
        passed = self.total - before.total
        return min(1.0, max(0.0, self.busy - before.busy - ours) / passed) if passed > 0 else 0.0


def _children() -> Mapping[int, list[int]]:
    found: dict[int, list[int]] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            found.setdefault(int(fields[1]), []).append(int(entry.name))
    return found


def _stat(pid: int) -> list[str]:
    """Give the fields behind the name, which may hold blanks and brackets; none when it is gone."""
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return []
    return text.rpartition(")")[2].split()


def _status(pid: int) -> Mapping[str, int]:
    """Give the sizes in kB that a process says of itself."""
    try:
        lines = (_PROC / str(pid) / "status").read_text().splitlines()
    except OSError:
        return {}
    named = (line.split() for line in lines if line.endswith(" kB"))
    return {words[0].rstrip(":"): int(words[1]) for words in named}
