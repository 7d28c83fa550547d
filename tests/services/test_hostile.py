"""Whatever bytes are sent to a real endpoint, it answers 2xx or 4xx, and then goes on as before."""

import json
import os
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from trimtab.records.keys import Admission
from trimtab.settings import Settings
from trimtab_services.children import Host
from trimtab_services.keys import write_admission
from trimtab_services.pointer import Pointer

from .hostile import Hostile, good, make

MODEL = "late-arrival"
SEED = int(os.environ.get("HOSTILE_SEED", "20130401"))
CONNECTIONS = 4
BATCH = 24
"""Requests that are sent on one connection before the first answer is read."""
SLOW = 3
"""Callers that never finish what they began."""
PATIENCE = 15.0
MEGABYTE = 1 << 20
LOG_A_MINUTE = 100_000
"""Bytes; a few tracebacks of each kind."""


@dataclass
class Tally:
    """What came back."""

    statuses: Counter[int] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def note(self, kind: str, status: int, problem: str | None, where: str) -> None:
        self.statuses[status] += 1
        self.kinds[kind] += 1
        if not (200 <= status < 300 or 400 <= status < 500):
            problem = f"{problem or ''} status {status}"
        if problem:
            self.wrong.append(f"{where} ({kind}): {problem}")


def _no_constant(name: str) -> Any:
    raise ValueError(f"bare {name}")


class Answers:
    """The answers on one connection, one after the other."""

    def __init__(self, connection: socket.socket) -> None:
        self.trouble = ""
        """How the connection ended, if not in peace."""
        self._connection = connection
        self._unread = b""

    def next(self, has_body: bool = True) -> tuple[int, str | None] | None:
        """Give the status and what is wrong with the next answer; None when there is none."""
        while True:
            head = self._until(b"\r\n\r\n")
            if head is None:
                return None
            status = int(head[9:12])
            if status >= 200:
                break
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(b":") for line in head.split(b"\r\n")[1:])
        }
        body = b""
        if has_body and status not in (204, 304):
            read = self._body(headers)
            if read is None:
                return status, "its answer is cut off"
            body = read
        return status, self._problem(headers, body) if body else None

    def _problem(self, headers: Mapping[bytes, bytes], body: bytes) -> str | None:
        if not headers.get(b"content-type", b"").startswith(b"application/json"):
            return None
        try:
            json.loads(body, parse_constant=_no_constant)
        except ValueError as error:
            return f"its answer is no JSON: {error}"
        return None

    def _body(self, headers: Mapping[bytes, bytes]) -> bytes | None:
        if b"content-length" in headers:
            return self._exactly(int(headers[b"content-length"]))
        if headers.get(b"transfer-encoding") != b"chunked":
            return self._rest()
        parts: list[bytes] = []
        while (size := self._until(b"\r\n")) is not None:
            part = self._exactly(int(size, 16) + 2)
            if part is None:
                return None
            if part == b"\r\n":
                return b"".join(parts)
            parts.append(part[:-2])
        return None

    def _more(self) -> bool:
        try:
            data = self._connection.recv(1 << 16)
        except (ConnectionError, TimeoutError) as error:
            self.trouble = repr(error)
            data = b""
        self._unread += data
        return bool(data)

    def _until(self, mark: bytes) -> bytes | None:
        while (at := self._unread.find(mark)) < 0:
            if not self._more():
                return None
        found, self._unread = self._unread[:at], self._unread[at + len(mark) :]
        return found

    def _exactly(self, size: int) -> bytes | None:
        while len(self._unread) < size:
            if not self._more():
                return None
        found, self._unread = self._unread[:size], self._unread[size:]
        return found

    def _rest(self) -> bytes:
        while self._more():
            pass
        found, self._unread = self._unread, b""
        return found


@dataclass
class Attack:
    """Sends the requests of some numbers, several on a connection before it reads."""

    port: int
    row: Mapping[str, object]
    tally: Tally

    def run(self, numbers: range) -> None:
        batch: list[tuple[int, Hostile]] = []
        for number in numbers:
            hostile = make(SEED, number, self.row)
            if not hostile.is_framed:
                self._alone(number, hostile)
                continue
            batch.append((number, hostile))
            if len(batch) == BATCH or len(hostile.raw) > MEGABYTE // 10:
                self._together(batch)
                batch = []
        self._together(batch)

    def _together(self, batch: list[tuple[int, Hostile]]) -> None:
        """Each gets its answer; where the endpoint hangs up, the rest is sent anew."""
        while batch:
            answered, trouble = self._pipeline(batch)
            if not answered or "Timeout" in trouble:
                number, hostile = batch[answered]
                said = f"no answer {trouble} {hostile.raw[:2000]!r}"
                self.tally.wrong.append(f"{_where(number)} ({hostile.kind}): {said}")
                answered += 1
            batch = batch[answered:]

    def _pipeline(self, batch: list[tuple[int, Hostile]]) -> tuple[int, str]:
        with self._connect() as connection:
            answers = Answers(connection)
            with _sending(connection, b"".join(hostile.raw for _, hostile in batch)):
                for answered, (number, hostile) in enumerate(batch):
                    answer = answers.next(hostile.has_body_in_answer)
                    if answer is None:
                        return answered, answers.trouble
                    self.tally.note(hostile.kind, *answer, _where(number))
        return len(batch), ""

    def _alone(self, number: int, hostile: Hostile) -> None:
        """Send what has no clear end, say that nothing follows, and read whatever comes."""
        with self._connect() as connection, _sending(connection, hostile.raw, is_last=True):
            answers = Answers(connection)
            while (answer := answers.next()) is not None:
                self.tally.note(hostile.kind, *answer, _where(number))

    def _connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)


def _where(number: int) -> str:
    return f"seed {SEED}, request {number}"


@contextmanager
def _sending(connection: socket.socket, raw: bytes, is_last: bool = False) -> Iterator[None]:
    """Send, beside reading where it is more than the sockets' buffers take."""

    def send() -> None:
        with suppress(OSError):  # the endpoint may hang up on what it does not like
            connection.sendall(raw)
            if is_last:
                connection.shutdown(socket.SHUT_WR)

    if len(raw) < MEGABYTE // 10:
        send()
        yield
        return
    sending = threading.Thread(target=send)
    sending.start()
    try:
        yield
    finally:
        sending.join()


@dataclass(frozen=True)
class Target:
    """An endpoint's process, and what it writes."""

    host: Host
    port: int
    caller: Any
    log: Path

    @property
    def resident_bytes(self) -> int:
        pages = int(Path(f"/proc/{self.host.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def counts(self) -> Mapping[str, Any]:
        counts: Mapping[str, Any] = json.loads(self.caller.call("GET", "/readyz")[1])
        return counts


@pytest.fixture
def target(shelf: Any, project: Any, caller: Any, wait: Any, tmp_path: Path) -> Iterator[Target]:
    settings: Settings = project(tmp_path / "project")
    write_admission(settings.home.keys(MODEL), Admission(closed=False))
    bento, sha256, log = shelf.bento("1"), shelf.hashes["1"], tmp_path / "endpoint.log"
    with socket.create_server(("127.0.0.1", 0), backlog=200) as listening, log.open("wb") as file:
        ours = os.dup(2)
        os.dup2(file.fileno(), 2)  # which the process inherits
        try:
            pointer = Pointer(epoch=1, version="1", manifest_sha256=sha256, bento=bento)
            host = Host.start(settings, MODEL, pointer, listening)
            host.accept()
        finally:
            os.dup2(ours, 2)
            os.close(ours)
        port = listening.getsockname()[1]
        try:
            wait(lambda: caller(port).is_ready, "the endpoint to be ready")
            yield Target(host, port, caller(port), log)
        finally:
            host.end()
            host.wait(15)


def hold(target: Target, row: Mapping[str, object], count: int) -> None:
    """Send so many hostile requests and look at everything afterwards."""
    body, tally, began = good(row), Tally(), time.monotonic()
    _, before = target.caller.predict(body)
    resident, logged = target.resident_bytes, target.log.stat().st_size
    slow = [Attack(target.port, row, tally)._connect() for _ in range(SLOW)]
    for connection in slow:
        connection.sendall(b"POST /predict HTTP/1.1\r\ncontent-length: 9\r\n\r\n{")
    attack = Attack(target.port, row, tally)
    numbers = [range(first, count, CONNECTIONS) for first in range(CONNECTIONS)]
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(attack.run, numbers))
    seconds = time.monotonic() - began
    for connection in slow:
        connection.close()
    _, after = target.caller.predict(body)
    counts = target.counts()
    grown = target.resident_bytes - resident
    written = target.log.stat().st_size - logged
    sys.stdout.write(
        f"seed {SEED}: {count} requests, {count / seconds:.0f}/s, {sum(tally.statuses.values())} "
        f"answers {sorted(tally.statuses.items())}, kinds {dict(tally.kinds)}, "
        f"memory {grown / MEGABYTE:+.1f} MiB, log {written} bytes\n"
    )

    assert tally.wrong == []
    assert target.host.is_running
    assert [p["probabilities"] for p in after["predictions"]] == [
        p["probabilities"] for p in before["predictions"]
    ]
    assert counts["answered"] == counts["captured"] + counts["dropped"]
    assert counts["answered"] > count // 2
    assert sum(tally.statuses.values()) > count * 0.95
    assert grown < 50 * MEGABYTE
    assert written < LOG_A_MINUTE * (1 + seconds / 60)
    assert b"11.5" not in target.log.read_bytes()  # a value of the row


@pytest.mark.e2e
def test_twenty_thousand_hostile_requests_get_no_server_error(target: Target, row: Any) -> None:
    hold(target, row(), 20_000)


@pytest.mark.long
@pytest.mark.timeout(4 * 3600)
def test_a_million_hostile_requests_get_no_server_error(target: Target, row: Any) -> None:
    hold(target, row(), 1_000_000)
