"""What a check costs: each contender in a process of its own, on the same made-up rows."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .nannyml_judge import python as nannyml_python

ALL = ("trimtab", "scipy", "nannyml", "evidently")
_WORKER = Path(__file__).with_name("cost_worker.py")
_SECONDS = 900
"""By the clock; a process may compute for 180 seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one step of a contender took."""

    contender: str
    step: str
    """`prepare` once a training, `update` with the traffic, `check` once a window."""
    rows: int
    """Of the reference, and of the window."""
    columns: int
    cpu_seconds: float | None
    """None where it took more than three minutes, or failed."""
    peak_mb: float | None
    """The most that was resident, above the data and the libraries."""
    why: str = ""


def costs(
    contenders: Sequence[str], *, rows: Sequence[int], columns: Sequence[int]
) -> Iterator[Cost]:
    """Measure one after the other; what took too long is not tried with more.

    Raises NotInstalledError.
    """
    for contender in contenders:
        slow: list[tuple[int, int]] = []
        for width in columns:
            for height in rows:
                if any(height >= h and width >= w for h, w in slow):
                    yield _skipped(contender, height, width, "less took too long")
                    continue
                found = list(_measured(contender, height, width))
                if found[0].cpu_seconds is None:
                    slow.append((height, width))
                yield from found


def _measured(contender: str, rows: int, columns: int) -> Iterator[Cost]:
    python = str(nannyml_python()) if contender == "nannyml" else sys.executable
    try:
        done = subprocess.run(
            [python, str(_WORKER), contender, str(rows), str(columns)],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
            env={**os.environ, "NML_DISABLE_USAGE_LOGGING": "1", "DO_NOT_TRACK": "1"},
        )
    except subprocess.TimeoutExpired:
        yield _skipped(contender, rows, columns, "it took too long")
        return
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or [""]
        too_long = done.returncode == -signal.SIGXCPU
        why = "more than 180 s" if too_long else last[0][:80] or f"exit code {done.returncode}"
        yield _skipped(contender, rows, columns, why)
        return
    found = json.loads(done.stdout.splitlines()[-1])
    for step, seconds in found["steps"].items():
        yield Cost(
            contender=contender,
            step=step,
            rows=rows,
            columns=columns,
            cpu_seconds=seconds,
            peak_mb=found["peak_mb"][step],
        )


def _skipped(contender: str, rows: int, columns: int, why: str) -> Cost:
    return Cost(
        contender=contender,
        step="check",
        rows=rows,
        columns=columns,
        cpu_seconds=None,
        peak_mb=None,
        why=why,
    )
