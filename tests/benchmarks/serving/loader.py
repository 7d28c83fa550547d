"""The load: callers that keep their connection and ask again as soon as they were answered."""

import asyncio
import math
import time
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle

import httptools
import uvloop

ANSWER_SECONDS = 30.0
"""Whoever waits longer than this for an answer counts it as an error."""
PATIENCE = 3
CLOSED, LATE, UNREACHABLE = "closed before the answer", "no answer in time", "not reachable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to ask, of whom, by how many callers, for how long."""

    port: int
    path: str
    bodies: Sequence[bytes]
    """Asked in turn."""
    connections: int
    seconds: float
    least: int = 1
    """With fewer answers the load goes on, up to PATIENCE times as long."""
    marker: bytes | None = None
    """When the first answer with these bytes in it came is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What came of it."""

    requests: int
    """Answered with 2xx."""
    errors: Mapping[str, int]
    """All others, by what was wrong."""
    seconds: float
    p50_ms: float
    p99_ms: float
    worst_ms: float
    marked_at: float | None
    """By the monotonic clock, which all processes share."""
    cpu_seconds: float
    """Of the loader itself."""

    @property
    def per_second(self) -> float:
        """Answered requests a second."""
        return self.requests / self.seconds


def load(order: Order) -> Loaded:
    """Ask for as long as the order says, and count."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_load(order))


def percentile(times: Sequence[float], share: float) -> float:
    """Give the smallest of sorted times that at least this share does not exceed; 0.0 of none.

    >>> percentile([1.0, 2.0, 3.0, 4.0], 0.5)
    2.0
    >>> percentile([1.0, 2.0, 3.0, 4.0], 0.99)
    4.0
    """
    return times[max(0, math.ceil(share * len(times)) - 1)] if times else 0.0


class _Run:
    """What all callers of an order share."""

    def __init__(self, order: Order) -> None:
        self.requests = cycle([_request(order, body) for body in order.bodies])
        self.marker = order.marker
        self.marked_at: float | None = None
        self.times = array("d")
        self.errors: Counter[str] = Counter()
        self._least = order.least
        began = time.perf_counter()
        self._until, self.latest = began + order.seconds, began + PATIENCE * order.seconds

    def is_over(self) -> bool:
        """Tell whether nothing more is to be asked."""
        now = time.perf_counter()
        return now >= self.latest or (now >= self._until and len(self.times) >= self._least)


class _Caller(asyncio.Protocol):
    """One connection: sends, waits for the whole answer, sends the next."""

    def __init__(self, run: _Run, ended: "asyncio.Future[bool]") -> None:
        self._run = run
        self._ended = ended
        self._parser = httptools.HttpResponseParser(self)
        self._content: list[bytes] = []
        self.asked_at = 0.0
        """When the request under way was sent; 0 while there is none."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]  # it is TCP
        self._ask()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(f"no HTTP: {error}")

    def on_body(self, part: bytes) -> None:
        if self._run.marker is not None:
            self._content.append(part)

    def on_message_complete(self) -> None:
        now = time.perf_counter()
        status = self._parser.get_status_code()
        if 200 <= status < 300:
            self._run.times.append(now - self.asked_at)
        else:
            self._run.errors[f"status {status}"] += 1
        self.asked_at = 0.0
        if self._run.marker is not None:
            self._look_for(self._run.marker)
        if self._run.is_over():
            self._end(is_over=True)
        elif self._parser.should_keep_alive():
            self._ask()
        else:
            self._end(is_over=False)

    def connection_lost(self, error: Exception | None) -> None:
        if self.asked_at:
            self._run.errors[CLOSED] += 1
        self._end(is_over=False)

    def give_up(self) -> None:
        """Called when time is over for good."""
        if self.asked_at:
            self._fail(LATE)

    def _ask(self) -> None:
        self.asked_at = time.perf_counter()
        self._transport.write(next(self._run.requests))

    def _look_for(self, marker: bytes) -> None:
        if self._run.marked_at is None and marker in b"".join(self._content):
            self._run.marked_at = time.monotonic()
        self._content.clear()

    def _fail(self, why: str) -> None:
        self._run.errors[why] += 1
        self.asked_at = 0.0
        self._end(is_over=False)

    def _end(self, *, is_over: bool) -> None:
        if not self._ended.done():
            self._ended.set_result(is_over)
        self._transport.close()


async def _load(order: Order) -> Loaded:
    run, began, cpu = _Run(order), time.perf_counter(), time.process_time()
    await asyncio.gather(*(_call(run, order.port) for _ in range(order.connections)))
    times = sorted(run.times)
    return Loaded(
        requests=len(times),
        errors=dict(run.errors),
        seconds=time.perf_counter() - began,
        p50_ms=percentile(times, 0.5) * 1e3,
        p99_ms=percentile(times, 0.99) * 1e3,
        worst_ms=percentile(times, 1.0) * 1e3,
        marked_at=run.marked_at,
        cpu_seconds=time.process_time() - cpu,
    )


async def _call(run: _Run, port: int) -> None:
    """Be one caller; a server may close a connection between two requests, and is called again."""
    loop = asyncio.get_running_loop()
    while not run.is_over():
        ended: asyncio.Future[bool] = loop.create_future()
        try:
            _, caller = await loop.create_connection(
                partial(_Caller, run, ended), "127.0.0.1", port
            )
        except OSError:
            run.errors[UNREACHABLE] += 1
            return None
        left = run.latest - time.perf_counter() + ANSWER_SECONDS
        try:
            is_over = await asyncio.wait_for(asyncio.shield(ended), left)
        except TimeoutError:
            return caller.give_up()
        if is_over:
            return None
    return None


def _request(order: Order, body: bytes) -> bytes:
    head = (
        f"POST {order.path} HTTP/1.1\r\nHost: 127.0.0.1:{order.port}\r\n"
        f"Content-Type: application/json\r\nAccept: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
