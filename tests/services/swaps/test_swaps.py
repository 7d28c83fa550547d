"""Swaps under load: nothing fails, nothing is mixed, and all is in the log exactly once."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

pytestmark = pytest.mark.e2e


def swap(up: Any, load: Any, row: dict[str, object], swaps: int) -> list[float]:
    """Swap to and fro under load and check everything; give the seconds of each swap."""
    up.until_spared()
    up.wait(lambda: up.status and up.status.version in ("1", "2"), "a version to start from")
    told, seconds, hosts = len(up.events), [], set(up.hosts)
    versions = []
    callers = load(up.port, row).saturating().paced(40, 1.0).batching(100).dribbling(0.5)
    with callers:
        for _ in range(swaps):
            versions.append("2" if up.status.version == "1" else "1")
            started = time.monotonic()
            up.promote(versions[-1])
            up.until_served(versions[-1])
            seconds.append(time.monotonic() - started)

    assert (callers.failures, dict(callers.refusals)) == ([], {})
    assert {answer["version"] for answer in callers.answers} == {"1", "2"}
    up.assert_recomputed(callers.answers, row)
    up.assert_recomputed(callers.batches, row, rows=100)
    events = [event for event in up.events[told:] if event[0] != "endpoint recovered"]  # by others
    assert events == [("version served", version) for version in versions]
    assert set(up.hosts) == hosts
    up.assert_captured_once([*callers.answers, *callers.batches])
    return seconds


def test_a_dozen_swaps_lose_nothing_and_mix_nothing(up: Any, load: Any, row: Any) -> None:
    swap(up, load, row(), 12)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_two_hundred_swaps_lose_nothing_and_mix_nothing(up: Any, load: Any, row: Any) -> None:
    seconds = sorted(swap(up, load, row(), 200))
    print(f"swaps: median {seconds[100]:.2f} s, longest {seconds[-1]:.2f} s")  # noqa: T201


@contextmanager
def another_environment(up: Any, version: str) -> Iterator[None]:
    """Let a version of the same contract need a process of its own."""
    file = up.settings.home.bento("late-arrival", version) / "src" / "bundle.json"
    text = file.read_bytes()
    bundle = json.loads(text)
    bundle["requirements"].reverse()
    assert json.dumps(bundle) != json.dumps(json.loads(text))
    file.write_text(json.dumps(bundle))
    yield
    file.write_bytes(text)


def hand_over(up: Any, load: Any, row: dict[str, object], times: int) -> None:
    """Swap to and fro between two environments, with idle callers that come back late."""
    up.promote("1")
    up.until_served("1")
    with another_environment(up, "2"), load(up.port, row).saturating().paced(40, 4.0) as callers:
        first = up.answering
        for version in ["2", "1"] * times:
            up.promote(version)
            up.until_served(version)
        up.wait(lambda: first not in up.hosts, "the first process to let nobody in")
        enough = len(callers.answers) + 200
        up.wait(lambda: len(callers.answers) > enough, "answers of the last one")

    assert (callers.failures, dict(callers.refusals)) == ([], {})
    assert {answer["version"] for answer in callers.answers} == {"1", "2"}
    up.assert_recomputed(callers.answers, row)
    up.assert_captured_once(callers.answers)
    up.until_spared()


def test_another_environment_takes_over_and_no_caller_notices(up: Any, load: Any, row: Any) -> None:
    hand_over(up, load, row(), 1)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_fifty_hand_overs_lose_nothing(up: Any, load: Any, row: Any) -> None:
    hand_over(up, load, row(), 25)


def test_another_contract_takes_over_behind_a_drained_process(up: Any, load: Any, row: Any) -> None:
    up.promote("1")
    up.until_served("1")
    wide = row(humidity=0.5)  # fits only version 3
    with load(up.port, wide).paced(6, 0.2) as callers:
        up.promote("3")
        up.until_served("3")
        up.wait(lambda: len(callers.answers) > 20, "answers of version 3")

    assert callers.failures == []
    assert set(callers.refusals) <= {400}
    assert {answer["version"] for answer in callers.answers} == {"3"}
    up.assert_recomputed(callers.answers, wide)
    up.assert_captured_once(callers.answers)
    up.promote("1")
    up.until_served("1")
    up.until_spared()
