"""The loader counts what really happened."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count

import pytest

from .loader import CLOSED, UNREACHABLE, Loaded, Order, load, percentile
from .ports import free_port


@contextmanager
def server(answer: Callable[[int], bytes]) -> Iterator[int]:
    """Answer the n-th request of all with the bytes that `answer` gives; none hangs up."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        numbers = count()

        def serve(connection: socket.socket) -> None:
            with connection:
                while asked := connection.recv(1 << 16):
                    while not asked.endswith(b"ask"):
                        asked += connection.recv(1 << 16)
                    if not (said := answer(next(numbers))):
                        return
                    connection.sendall(said)

        def accept() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)


def said(status: int = 200, body: bytes = b"{}", header: str = "") -> bytes:
    return f"HTTP/1.1 {status} X\r\n{header}content-length: {len(body)}\r\n\r\n".encode() + body


def loaded(port: int, connections: int = 2, marker: bytes | None = None) -> Loaded:
    return load(
        Order(
            port=port,
            path="/",
            bodies=[b"ask", b"another ask"],
            connections=connections,
            seconds=0.2,
            marker=marker,
        )
    )


def test_every_request_that_was_served_is_counted_once() -> None:
    served = []

    def answer(number: int) -> bytes:
        served.append(number)
        return said()

    with server(answer) as port:
        found = loaded(port)

    assert found.requests == len(served) > 10
    assert found.errors == {}
    assert found.per_second == pytest.approx(len(served) / found.seconds)


def test_an_answer_that_is_no_success_is_an_error() -> None:
    with server(lambda number: said(503 if number % 5 == 0 else 200)) as port:
        found = loaded(port)

    total = found.requests + found.errors["status 503"]
    assert found.errors.keys() == {"status 503"}
    assert abs(found.errors["status 503"] - total / 5) <= 1


def test_a_connection_that_dies_before_its_answer_is_an_error() -> None:
    with server(lambda number: b"" if number == 3 else said()) as port:
        found = loaded(port)

    assert found.errors == {CLOSED: 1}
    assert found.requests > 3, "the caller came back"


def test_a_connection_closed_after_its_answer_is_none() -> None:
    with server(lambda number: said(header="connection: close\r\n")) as port:
        found = loaded(port)

    assert found.errors == {}
    assert found.requests > 2


def test_nobody_there_is_an_error_of_every_caller() -> None:
    assert loaded(free_port(), connections=3).errors == {UNREACHABLE: 3}


def test_latencies_are_those_of_the_server() -> None:
    def answer(number: int) -> bytes:
        time.sleep(0.02)
        return said()

    with server(answer) as port:
        found = loaded(port, connections=1)

    assert 20 <= found.p50_ms <= found.p99_ms <= found.worst_ms


def test_an_answer_in_pieces_is_one_answer() -> None:
    chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\n[\r\n1\r\n]\r\n0\r\n\r\n"
    with server(lambda number: chunked) as port:
        found = loaded(port)

    assert found.requests > 2
    assert found.errors == {}


def test_the_first_answer_with_the_marker_is_noticed() -> None:
    began = time.monotonic()
    with server(lambda number: said(body=b"new" if number >= 5 else b"old")) as port:
        found = loaded(port, marker=b"new")
        never = loaded(port, marker=b"newest")

    assert found.marked_at is not None
    assert began < found.marked_at < time.monotonic()
    assert never.marked_at is None


def test_it_goes_on_until_enough_was_answered_but_not_for_ever() -> None:
    def answer(number: int) -> bytes:
        time.sleep(0.02)
        return said()

    with server(answer) as port:
        order = Order(port=port, path="/", bodies=[b"ask"], connections=1, seconds=0.1)
        enough = load(replace(order, seconds=0.4, least=25))
        never = load(replace(order, least=10_000))

    assert enough.requests >= 25
    assert 0.3 <= never.seconds < 2.0


def test_percentiles_are_values_that_occurred() -> None:
    times = [float(n) for n in range(1, 101)]

    assert [percentile(times, share) for share in (0.5, 0.99, 1.0)] == [50.0, 99.0, 100.0]
    assert percentile([], 0.99) == 0.0
