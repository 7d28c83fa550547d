"""A receiver of alerts on loopback that misbehaves as it is told to."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Received:
    """One request, whatever was answered."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float


@dataclass
class Receiver:
    """Answers 200 once its behaviours are used up.

    A behaviour is a status, `close` (reads the request and hangs up), `dribble` (a byte of the
    head now and then, for ever) or `redirect` (to /elsewhere).
    """

    port: int
    behaviours: list[int | str] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def ids(self) -> list[str]:
        return [request.headers["webhook-id"] for request in self.received]

    @contextmanager
    def up(self) -> Iterator[None]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.received.append(Received(self.path, headers, body, time.monotonic()))
                receiver.answer(self)

            def log_message(self, *_: object) -> None:
                """Keep quiet."""

        server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            server.shutdown()
            thread.join()
            server.server_close()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        behaviour = self.behaviours.pop(0) if self.behaviours else 200
        match behaviour:
            case int():
                handler.send_response(behaviour)
            case "redirect":
                handler.send_response(307)
                handler.send_header("Location", f"http://127.0.0.1:{self.port}/elsewhere")
            case "close":
                handler.connection.shutdown(socket.SHUT_RDWR)
                return
            case "dribble":
                self._dribble(handler)
                return
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    def _dribble(self, handler: BaseHTTPRequestHandler) -> None:
        with suppress(OSError):
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nx-slow: ")
            while not self._ended.wait(0.1):
                handler.wfile.write(b"x")
