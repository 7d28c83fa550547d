"""CPU time is that of a whole tree of processes."""

import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from .accounting import Machine, cpu_seconds, peak_megabytes, tree

SPIN = "import time\nwhile time.process_time() < {}: pass\n"
PARENT = f"""
import subprocess, sys
from subprocess import PIPE
spin = [sys.executable, "-c"]
subprocess.run([*spin, {SPIN.format(0.2)!r}])
child = subprocess.Popen([*spin, {SPIN.format(0.3)!r} + "input()"], stdin=PIPE)
grown = bytearray(64 << 20)
print("spun", flush=True)
input()
child.communicate(b"end")
"""


@pytest.fixture
def parent() -> Iterator["subprocess.Popen[str]"]:
    """A process with a buried child that used 0.2 s and a living one that used 0.3 s."""
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "spun\n"
        yield process
    finally:
        process.communicate("end\n", timeout=20)


def test_the_time_of_living_and_of_buried_children_counts(
    parent: "subprocess.Popen[str]",
) -> None:
    deadline = time.monotonic() + 20
    while cpu_seconds(tree(parent.pid)) < 0.5 and time.monotonic() < deadline:
        time.sleep(0.02)

    used = cpu_seconds(tree(parent.pid))
    assert 0.5 <= used < 2.0
    assert len(tree(parent.pid)) == 2
    assert 0.2 <= cpu_seconds([parent.pid]) < used


def test_memory_is_the_most_there_ever_was(parent: "subprocess.Popen[str]") -> None:
    alone = peak_megabytes([parent.pid])

    assert 64 < alone < 200
    assert peak_megabytes(tree(parent.pid)) > alone


def test_a_process_that_is_gone_counts_nothing() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()

    assert cpu_seconds([process.pid]) == 0.0
    assert peak_megabytes([process.pid]) == 0.0


def test_what_is_ours_is_not_others() -> None:
    before = Machine(busy=10.0, total=100.0, load=1.0)
    now = Machine(busy=16.0, total=120.0, load=1.0)

    assert now.share_of_others(before, ours=4.0) == pytest.approx(0.1)
    assert now.share_of_others(before, ours=9.0) == 0.0
    assert before.share_of_others(before, ours=0.0) == 0.0


def test_the_machine_s_clock_goes_on() -> None:
    before = Machine.now()
    spun = time.process_time() + 0.05
    while time.process_time() < spun:
        pass
    now = Machine.now()

    assert now.total > before.total
    assert now.busy > before.busy
