"""Processes are killed: callers are answered again at once, and no orphan serves."""

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from trimtab_services.listening import listen

pytestmark = pytest.mark.e2e
MODEL = "late-arrival"


def seconds_to_an_answer(up: Any, row: dict[str, object]) -> float:
    """Call until somebody answers; a call that is cut off is made again."""
    started, body = time.monotonic(), json.dumps({"rows": [row]}).encode()
    while time.monotonic() - started < 60:
        try:
            if up.caller.predict(body)[0] == 200:
                return time.monotonic() - started
        except OSError:
            time.sleep(0.005)
    raise TimeoutError


def kill(up: Any, row: dict[str, object], times: int) -> list[float]:
    """Kill the process that answers, again and again; give the seconds until another does."""
    seconds = []
    for _ in range(times):
        up.until_spared()
        os.kill(up.answering, signal.SIGKILL)
        seconds.append(seconds_to_an_answer(up, row))
    return seconds


def test_a_killed_endpoint_is_replaced_at_once_by_its_spare(up: Any, load: Any, row: Any) -> None:
    up.promote("1")
    up.until_served("1")
    up.until_spared()
    told, first = len(up.events), set(up.hosts)
    with load(up.port, row()).paced(6, 0.2) as callers:
        up.wait(lambda: len(callers.answers) > 20, "answers")
        seconds = kill(up, row(), 3)
        up.until_spared()

    assert max(seconds) < 2
    assert len(callers.failures) <= 18  # at most what each caller had under way
    assert not callers.refusals
    assert first.isdisjoint(up.hosts)
    up.wait(lambda: len(up.events) == told + 3, "the ledger")
    assert up.events[told:] == [("endpoint recovered", "1")] * 3
    up.assert_recomputed(callers.answers, row())
    up.assert_captured_once(callers.answers)


@pytest.mark.long
def test_after_a_hundred_kills_it_is_back_within_two_seconds(up: Any, row: Any) -> None:
    up.promote("1")
    up.until_served("1")
    seconds = sorted(kill(up, row(), 100))
    print(f"back after: median {seconds[50]:.3f} s, longest {seconds[-1]:.3f} s")  # noqa: T201

    assert seconds[-1] < 2


def test_when_the_spare_dies_too_callers_wait_for_the_next(up: Any, row: Any) -> None:
    up.until_spared()
    for pid in up.hosts:
        os.kill(pid, signal.SIGKILL)

    assert seconds_to_an_answer(up, row()) < 30
    up.until_spared()


def is_over(pid: int) -> bool:
    """Tell whether a process has ended; its parent may not have taken note of that yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def is_nursery(pid: int) -> bool:
    words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    return b"trimtab_services.forking" in words


def is_another(worker: int, nursery: int) -> bool:
    return any(is_nursery(pid) for pid in children(worker) if pid != nursery)


def test_an_endpoint_that_somebody_ends_hands_over_to_its_spare(
    up: Any, load: Any, row: Any
) -> None:
    up.until_spared()
    first = up.answering
    with load(up.port, row()).paced(10, 0.2).dribbling(1.0) as callers:
        up.wait(lambda: len(callers.answers) > 20, "answers")
        os.kill(first, signal.SIGTERM)
        up.wait(lambda: is_over(first), "its end")

    assert (callers.failures, dict(callers.refusals)) == ([], {})
    up.until_spared()


def test_a_version_with_changed_bytes_never_answers(up: Any, row: Any) -> None:
    up.promote("1")
    up.until_served("1")
    up.until_spared()
    told, hosts = len(up.events), up.hosts
    model = up.settings.home.bento(MODEL, "2") / "src" / "version" / "model.skops"
    content = model.read_bytes()
    damaged = bytearray(content)
    damaged[len(content) // 2] ^= 1
    model.write_bytes(damaged)
    up.promote("2")
    up.wait(lambda: "version 2 is not served" in up.note, "the refusal")
    status, answer = up.caller.predict(json.dumps({"rows": [row()]}).encode())
    note, events = up.note, up.events[told:]
    up.wait(lambda: "version 2" in up.readiness["note"], "the endpoint to say so itself")
    model.write_bytes(content)
    up.until_served("2")  # it is tried again
    up.wait(lambda: up.readiness["note"] == "", "all to be well")
    up.promote("1")
    up.until_served("1")

    assert (status, answer["version"]) == (200, "1")
    assert "model.skops was changed" in note
    assert events == [("version not served", "2")]
    assert up.hosts == hosts


def test_endpoints_outlive_the_process_that_forked_them_but_not_their_supervisor(
    tmp_path: Path, platform: Any, load: Any, wait: Any, row: Any
) -> None:
    with platform(tmp_path) as up:
        wait(lambda: up.is_alive, "somebody to answer")
        refusal = up.caller.predict(json.dumps({"rows": [row()]}).encode())
        up.promote("1")
        up.until_served("1")
        up.until_spared()
        hosts = up.hosts
        (nursery,) = [pid for pid in children(up.worker.pid) if is_nursery(pid)]
        with load(up.port, row()).paced(3, 0.1) as callers:
            os.kill(nursery, signal.SIGKILL)
            wait(lambda: is_another(up.worker.pid, nursery), "another nursery")
            enough = len(callers.answers) + 20
            wait(lambda: len(callers.answers) > enough, "answers")
        survivors = up.hosts
        up.worker.kill()
        killed = time.monotonic()
        wait(lambda: all(map(is_over, hosts)), "the end of all", 10)
        seconds = time.monotonic() - killed
        listen(up.settings, MODEL, patience=0).close()

    assert refusal[0] == 503
    assert "no champion yet" in refusal[1]["error"]
    assert survivors == hosts
    assert (callers.failures, dict(callers.refusals)) == ([], {})
    assert seconds < 2.5  # with a CPU to itself it takes one
