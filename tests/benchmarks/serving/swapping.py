"""How soon an endpoint is there, and how soon it answers with another version."""

import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from trimtab_services.bundle import installed_code
from trimtab_services.nursery import Nursery

from .contenders import Contender
from .loader import Order, load
from .processes import NotServedError, complaints_in
from .questions import Questions
from .results import Condition, Started, Swapped
from .rounds import FailedRequestsError
from .starting import hosted, started
from .subject import Subject

_CONNECTIONS = 16
_LOAD_SECONDS = 3.0
_BEFORE_SECONDS = 1.0
"""How long the old version answers first."""
_WARMING_SECONDS = 90.0


def warm_starts(subject: Subject, folder: Path, times: int) -> list[Started]:
    """Start endpoints that are forked by a process with all imports done. Raises NotServedError."""
    with complaints_in(folder):
        nursery = Nursery()
    try:
        deadline = time.monotonic() + _WARMING_SECONDS
        while not nursery.fits(installed_code()):
            if time.monotonic() > deadline:
                raise NotServedError("the nursery did not become warm")
            time.sleep(0.05)
        found = []
        for _ in range(times):
            with hosted(subject, folder, nursery) as (_, served):
                found.append(started(subject, "trimtab, forked warm", served))
        return found
    finally:
        nursery.end()


def swaps(
    subject: Subject, contender: Contender, times: int, folder: Path, loader: ProcessPoolExecutor
) -> Sequence[Swapped]:
    """Swap to and fro between two versions under load.

    Raises NotServedError, and FailedRequestsError when a single request was lost.
    """
    bodies = Questions.of(subject, 1).bodies(contender)
    found = []
    with hosted(subject, folder) as (host, served):
        for epoch in range(2, 2 + times):
            wanted = subject.versions[(epoch + 1) % 2]
            order = Order(
                port=served.port,
                path=contender.path,
                bodies=bodies,
                connections=_CONNECTIONS,
                seconds=_LOAD_SECONDS,
                marker=f'"version":"{wanted.number}"'.encode(),
            )
            answers = loader.submit(load, order)
            time.sleep(_BEFORE_SECONDS)
            ordered = time.monotonic()
            host.serve(wanted.pointer(epoch=epoch))
            loaded = answers.result()
            if loaded.errors:
                raise FailedRequestsError("swap", Condition(rows=1, connections=16), loaded)
            if loaded.marked_at is None:
                raise NotServedError(f"version {wanted.number} did not answer after the swap")
            found.append(
                Swapped(
                    seconds=loaded.marked_at - ordered,
                    requests=loaded.requests,
                    worst_ms=loaded.worst_ms,
                )
            )
    return found
