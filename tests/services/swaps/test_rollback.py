"""Going back under load: the version that was there before answers at once, and nobody fails."""

import time
from typing import Any

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

SECONDS = 2.0
"""From the move of the pointer to the first answer of the version before."""
_BUSY = 4.0
"""So many times as long it may take where this machine is kept busy by others."""


def seconds_to_answer(up: Any, callers: Any, version: str) -> float:
    """Move the champion to a version, and wait for its first answer to any caller."""
    seen = len(callers.answers)
    moved = time.monotonic()
    up.promote(version)
    deadline = moved + 60
    while not any(answer["version"] == version for answer in callers.answers[seen:]):
        assert time.monotonic() < deadline, f"version {version} never answered"
        time.sleep(0.005)
    return time.monotonic() - moved


def test_a_rollback_is_in_service_within_two_seconds_and_fails_nobody(
    up: Any, load: Any, row: Any
) -> None:
    up.promote("1")
    up.until_served("1")
    up.until_spared()
    seconds = []
    with load(up.port, row()).saturating().paced(20, 1.0) as callers:
        for _ in range(4):
            seconds_to_answer(up, callers, "2")
            up.until_served("2")
            seconds.append(seconds_to_answer(up, callers, "1"))
            up.until_served("1")

    print("rollbacks:", " ".join(f"{s:.2f} s" for s in sorted(seconds)))  # noqa: T201
    assert (callers.failures, dict(callers.refusals)) == ([], {})
    assert min(seconds) < SECONDS
    assert max(seconds) < SECONDS * _BUSY
    up.assert_recomputed(callers.answers, row())
