"""Processes are killed in the middle of a swap or rollback: the wanted version answers in the end.

A swap is loading, verifying and proving by the spare, the same by the process that answers, and
one assignment. It is cut at moments that are spread evenly from the promotion to its end.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.e2e
VICTIMS = ("endpoint", "endpoint spare", "nursery")


def pids_of(up: Any, victim: str) -> list[int]:
    """Find the processes of a kind; none, where one is just being replaced."""
    if victim != "nursery":
        return [pid for pid, name in up.hosts.items() if name == victim]
    tasks = Path(f"/proc/{up.worker.pid}/task").glob("*/children")
    children = [int(child) for task in tasks for child in task.read_text().split()]
    return [pid for pid in children if b"trimtab_services.forking" in words_of(pid)]


def words_of(pid: int) -> list[bytes]:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    return []


def seconds_of_a_swap(up: Any, version: str) -> float:
    up.until_spared()
    began = time.monotonic()
    up.promote(version)
    up.until_served(version)
    return time.monotonic() - began


def cut(up: Any, version: str, victim: str, after: float) -> int:
    """Kill a process so long after a promotion; gives how many died."""
    up.until_spared()
    up.promote(version)
    time.sleep(after)  # the moment is what is tried
    dead = pids_of(up, victim)
    for pid in dead:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    up.until_served(version)
    up.until_spared()
    return len(dead)


def other(version: str) -> str:
    return "2" if version == "1" else "1"


@pytest.fixture
def served(up: Any) -> str:
    """The version that answers, to begin with."""
    up.promote("1")
    up.until_served("1")
    return "1"


@pytest.mark.parametrize("victim", VICTIMS)
def test_a_death_in_the_middle_of_a_swap_delays_it_and_no_more(
    up: Any, load: Any, row: Any, served: str, victim: str
) -> None:
    whole = seconds_of_a_swap(up, "2")
    with load(up.port, row()).paced(3, 0.1) as callers:
        assert cut(up, "1", victim, whole / 2) <= 1

    assert not callers.refusals
    assert callers.answers[-1]["version"] == "1"
    up.assert_recomputed(callers.answers, row())
    up.assert_captured_once(callers.answers)


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_a_death_at_any_moment_of_a_swap_or_a_rollback_changes_nothing_in_the_end(
    up: Any, load: Any, row: Any, served: str
) -> None:
    whole, version, deaths = seconds_of_a_swap(up, "2"), "2", 0
    with load(up.port, row()).paced(3, 0.1) as callers:
        for moment in range(20):
            for victim in VICTIMS:
                version = other(version)
                deaths += cut(up, version, victim, whole * moment / 20)

    print(f"{deaths} deaths in 60 swaps of {whole:.2f} s")  # noqa: T201
    assert deaths >= 40
    assert not callers.refusals
    up.assert_recomputed(callers.answers, row())
    up.assert_captured_once(callers.answers)


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_a_worker_that_dies_in_the_middle_of_a_swap_is_followed_by_one_that_ends_it(
    tmp_path: Path, platform: Any, row: Any
) -> None:
    with platform(tmp_path) as up:
        up.promote("1")
        up.until_served("1")
        whole, version = seconds_of_a_swap(up, "2"), "2"
        try:
            for moment in range(20):
                version = other(version)
                up.until_spared()
                up.promote(version)
                time.sleep(whole * moment / 20)  # the moment is what is tried
                up.worker.kill()
                up.worker.wait()
                up = replace(up, worker=restarted(up))
                up.until_served(version)
                assert up.readiness["version"] == version
        finally:
            up.worker.kill()
            up.worker.wait()


def restarted(up: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "trimtab_services.worker", str(up.settings.folder)],
        env={**os.environ, "TRIMTAB_HOME": str(up.settings.home.root)},
    )
