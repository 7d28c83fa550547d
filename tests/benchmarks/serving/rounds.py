"""The measuring itself: everybody in turn under one condition, then under the next, then again."""

import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from trimtab.adapters.lifetime import end_with_parent

from .accounting import Machine, cpu_seconds, peak_megabytes, tree
from .contenders import Contender
from .lineup import Lineup, Say
from .loader import Loaded, Order, load
from .questions import Questions
from .results import Condition, Figure
from .starting import Served

_WARM_UP_SECONDS = 0.25
_LEAST = 200
"""Answers a measurement; CPU time is counted in hundredths of a second."""


class FailedRequestsError(Exception):
    """Some requests got no 2xx: what was measured is not what is claimed."""

    def __init__(self, contender: str, condition: Condition, loaded: Loaded) -> None:
        kinds = ", ".join(f"{count} x {what}" for what, count in loaded.errors.items())
        super().__init__(
            f"{contender}, {condition}: {kinds or 'none'} failed; {loaded.requests} were answered"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured."""

    conditions: Sequence[Condition]
    repeats: int
    seconds: float
    """Of each measurement."""


@contextmanager
def loading() -> Iterator[ProcessPoolExecutor]:
    """Keep the loader in a process of its own."""
    begin = partial(end_with_parent, os.getpid())
    with ProcessPoolExecutor(1, get_context("spawn"), initializer=begin) as pool:
        yield pool


def play(
    lineup: Lineup,
    questions: Sequence[Questions],
    plan: Plan,
    loader: ProcessPoolExecutor,
    say: Say,
) -> list[Figure]:
    """Measure everybody in turn, so that what the machine does meanwhile meets all of them.

    Raises FailedRequestsError.
    """
    figures = []
    by_rows = {len(lots.lots[0]): lots for lots in questions}
    for repeat in range(plan.repeats):
        for condition in plan.conditions:
            say(f"{lineup.subject.shape.model}: round {repeat + 1} of {plan.repeats}, {condition}")
            for contender, served in lineup.present:
                order = Order(
                    port=served.port,
                    path=contender.path,
                    bodies=by_rows[condition.rows].bodies(contender),
                    connections=condition.connections,
                    seconds=plan.seconds,
                    least=_LEAST,
                )
                shape = lineup.subject.shape.model
                figures.append(_figure(shape, contender, served, condition, order, loader))
    return figures


def _figure(
    shape: str,
    contender: Contender,
    served: Served,
    condition: Condition,
    order: Order,
    loader: ProcessPoolExecutor,
) -> Figure:
    _ask(replace(order, seconds=_WARM_UP_SECONDS, least=1), loader, contender, condition)
    pids, own = tree(served.pid), time.process_time()
    cpu, machine = cpu_seconds(pids), Machine.now()
    loaded = _ask(order, loader, contender, condition)
    pids = tree(served.pid)
    used, after = cpu_seconds(pids) - cpu, Machine.now()
    ours = used + loaded.cpu_seconds + time.process_time() - own
    if served.spool is not None:
        _clear(served.spool)
    return Figure(
        shape=shape,
        contender=contender.name,
        condition=condition,
        cpu_us=used / loaded.requests * 1e6,
        per_second=loaded.per_second,
        p50_ms=loaded.p50_ms,
        p99_ms=loaded.p99_ms,
        worst_ms=loaded.worst_ms,
        requests=loaded.requests,
        peak_mb=peak_megabytes(pids),
        others=after.share_of_others(machine, ours),
        load=machine.load,
    )


def _ask(
    order: Order, loader: ProcessPoolExecutor, contender: Contender, condition: Condition
) -> Loaded:
    loaded = loader.submit(load, order).result()
    if loaded.errors or not loaded.requests:
        raise FailedRequestsError(contender.name, condition, loaded)
    return loaded


def _clear(spool: Path) -> None:
    """Take away what was captured, as the shipper would, but for the file that is written to."""
    segments = sorted(spool.glob("*.seg"), key=lambda path: path.stat().st_mtime)
    for segment in segments[:-1]:
        with suppress(FileNotFoundError):
            segment.unlink()
