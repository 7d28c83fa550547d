"""Going back under load: the version that was there before answers at once, and nobody fails."""

import time
from typing import Any

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.timeout(900)]

SECONDS = 2.0
"""From the move of the pointer to the first answer of the version before."""
_BUSY = 4.0
"""So many times as long it may take where this machine is kept busy by others."""


def until_settled(up: Any, version: str) -> None:
    """Wait until a version answers and a spare stands by."""
    up.wait(lambda: up.status and up.status.version == version, f"version {version}", 400)
    both = ["endpoint", "endpoint spare"]
    up.wait(lambda: sorted(up.hosts.values()) == both, "a spare", 400)


def seconds_to_answer(up: Any, callers: Any, version: str) -> float:
    """Move the champion to a version, and wait for its first answer to any caller."""
    seen = len(callers.answers)
    moved = time.monotonic()
    up.promote(version)
    deadline = moved + 120
    while not any(answer["version"] == version for answer in callers.answers[seen:]):
        assert time.monotonic() < deadline, f"version {version} never answered"
        time.sleep(0.005)
    return time.monotonic() - moved


def test_a_rollback_is_in_service_within_two_seconds_and_fails_nobody(
    up: Any, load: Any, row: Any
) -> None:
    up.promote("1")
    until_settled(up, "1")
    seconds = []
    with load(up.port, row()).saturating().paced(20, 1.0) as callers:
        for _ in range(3):
            seconds_to_answer(up, callers, "2")
            until_settled(up, "2")
            seconds.append(seconds_to_answer(up, callers, "1"))
            until_settled(up, "1")

    print("rollbacks:", " ".join(f"{s:.2f} s" for s in sorted(seconds)))  # noqa: T201
    assert (callers.failures, dict(callers.refusals)) == ([], {})
    assert min(seconds) < SECONDS
    assert max(seconds) < SECONDS * _BUSY
    up.assert_recomputed(callers.answers, row())
