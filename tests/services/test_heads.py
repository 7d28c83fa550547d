"""What comes before a body is bounded, in bytes and in time."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from socket import create_connection, create_server, socket
from typing import Any

import pytest
import uvicorn

from trimtab_services import heads
from trimtab_services.heads import BoundedHttp

LINE = b"x: y\r\n"
OK = b"HTTP/1.1 200"
CHUNKED = b"transfer-encoding: chunked\r\n\r\n"
START = b"POST / HTTP/1.1\r\nhost: x\r\n"


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the length of the body."""
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    body = b"%d" % size
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(
            echo, http=BoundedHttp, lifespan="off", log_config=None, access_log=False
        )
        server = uvicorn.Server(config)
        serving = threading.Thread(target=lambda: asyncio.run(server.serve([listening])))
        serving.start()
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            serving.join()


def pour(connection: socket, part: bytes) -> bool:
    """Send without an end; tell whether the server hung up before 64 MiB were out."""
    try:
        for _ in range((64 << 20) // len(part)):
            connection.sendall(part)
    except ConnectionError:
        return True
    return False


def answers(connection: socket, count: int | None = None) -> bytes:
    """Read so many answers, or until the server hangs up."""
    read = bytearray()
    with suppress(ConnectionError):
        while count is None or read.count(OK) < count:
            data = connection.recv(1 << 16)
            if not data:
                break
            read += data
    return bytes(read)


@pytest.mark.parametrize(
    ("start", "part"),
    [
        (b"GET /", b"y" * 4096),
        (b"GET /?", b"y" * 4096),
        (START + b"x: ", b"y" * 4096),
        (START + b"x", b"y" * 4096),
        (START, LINE * 1000),
        (START + CHUNKED + b"1\r\na\r\n0\r\n", LINE * 1000),
        (START + CHUNKED + b"1\r\na\r\n0\r\nx: ", b"y" * 4096),
        (START + CHUNKED + b"1;", b"y" * 4096),
        (b"", b"\r\n" * 4096),
    ],
    ids=["path", "query", "value", "name", "fields", "trailers", "trailer", "extension", "nothing"],
)
def test_what_has_no_end_is_hung_up_on(port: int, start: bytes, part: bytes) -> None:
    with create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(start)

        assert pour(connection, part)


def test_what_is_within_the_bounds_is_answered(port: int) -> None:
    chunks = b"".join(b"1\r\nz\r\n" for _ in range(20_000)) + b"0\r\n\r\n"
    with create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(START + LINE * 5000 + b"content-length: 3000000\r\n\r\n")
        connection.sendall(b"x" * 3_000_000)
        connection.sendall(START + CHUNKED + chunks)
        connection.sendall((START + b"content-length: 1\r\n\r\nx") * 2000)
        read = answers(connection, 2002)

    assert read.count(OK) == 2002
    assert b"\r\n\r\n3000000HTTP" in read
    assert b"\r\n\r\n20000HTTP" in read


@pytest.mark.parametrize(
    "sent", [b"GET / HTT", START, START + b"content-length: 1\r\n\r\nx" + START]
)
def test_a_head_that_does_not_come_is_not_waited_for(
    port: int, sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heads, "HEAD_SECONDS", 0.3)
    began = time.monotonic()
    with create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(sent)
        read = answers(connection)

    assert read.count(b"HTTP/1.1 400") == 1
    assert read.count(OK) == sent.count(b"content-length")
    assert 0.2 < time.monotonic() - began < 20


def test_a_slow_body_is_left_to_whoever_reads_it(
    port: int, monkeypatch: pytest.MonkeyPatch, wait: Callable[..., None]
) -> None:
    monkeypatch.setattr(heads, "HEAD_SECONDS", 0.1)
    with create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(START + b"content-length: 2\r\n\r\nx")
        later = time.monotonic() + 0.4
        wait(lambda: time.monotonic() > later, "the head's time to be over")
        connection.sendall(b"y")

        assert OK in answers(connection, 1)


def exchange(port: int, *sent: bytes, until: bytes) -> list[bytes]:
    """Send parts, and give what came back, packet by packet."""
    packets: list[bytes] = []
    with create_connection(("127.0.0.1", port), timeout=30) as connection:
        for part in sent:
            connection.sendall(part)
        while until not in b"".join(packets):
            packets.append(connection.recv(1 << 16))
    return packets


def test_an_answer_comes_in_one_piece(port: int) -> None:
    (packet,) = exchange(port, START + b"content-length: 1\r\n\r\nx", until=b"\r\n\r\n1")

    assert packet.startswith(OK)


def test_an_answer_without_a_body_is_not_kept_back(port: int) -> None:
    head = b"HEAD / HTTP/1.1\r\nhost: x\r\n\r\n"

    assert b"".join(exchange(port, head, head, until=b"\r\n\r\n" + OK)).count(OK) == 2


def test_the_last_answer_of_a_connection_is_sent_before_it_is_closed(port: int) -> None:
    for method, rest in ((b"HEAD", b""), (b"GET", b"0")):
        with create_connection(("127.0.0.1", port), timeout=30) as connection:
            connection.sendall(method + b" / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            read = answers(connection)

        assert read.startswith(OK)
        assert read.endswith(b"\r\n\r\n" + rest)


def test_who_waits_for_leave_to_send_a_body_gets_it(port: int) -> None:
    with create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(START + b"expect: 100-continue\r\ncontent-length: 2\r\n\r\n")
        assert connection.recv(1 << 16) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"xy")

        assert b"\r\n\r\n2" in answers(connection, 1)
