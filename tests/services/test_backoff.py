"""Patience with what fails."""

import time

from trimtab_services.backoff import Backoff


def test_patience_grows_to_a_minute_and_stays_there_for_days() -> None:
    trouble = Backoff()
    pauses = []
    for _ in range(2_000):  # a day and a half
        trouble.failed()
        pauses.append(round(trouble.next_try - time.monotonic()))

    assert pauses[:4] == [1, 2, 4, 8]
    assert set(pauses[6:]) == {60}
