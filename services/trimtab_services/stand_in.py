"""Answers for an endpoint while no version can: 503 and why, instead of a caller that hangs."""

import asyncio
import socket
import threading
from collections.abc import Callable
from contextlib import suppress

import orjson

_SECONDS = 5.0
"""For a whole request; longer ones are cut."""
_LONGEST = 4 << 20
"""Bytes of a body that are read before the connection is closed over it."""
_MOST = 256
"""Callers at a time; others get their answer without being read."""


class StandIn:
    """Takes the calls of a listening socket between `begin` and `end`."""

    def __init__(self, listening: socket.socket, model: str, why: Callable[[], str]) -> None:
        self._listening = listening
        self._model = model
        self._why = why
        self._loop: asyncio.AbstractEventLoop | None = None
        self._callers = 0

    @property
    def is_on(self) -> bool:
        """Tell whether it takes calls."""
        return self._loop is not None

    def begin(self) -> None:
        """Take calls from now on, in a thread of its own."""
        if self._loop is None:
            listening = self._listening.dup()
            self._loop = asyncio.new_event_loop()
            self._stop = asyncio.Event()
            work = (self._loop, self._stop, listening)
            threading.Thread(target=self._run, args=work, name="stand-in", daemon=True).start()

    def end(self) -> None:
        """Take no more calls; those that were taken get their answers."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._loop = None

    def _run(
        self, loop: asyncio.AbstractEventLoop, stop: asyncio.Event, listening: socket.socket
    ) -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(self._serve(stop, listening))

    async def _serve(self, stop: asyncio.Event, listening: socket.socket) -> None:
        server = await asyncio.start_server(self._answer, sock=listening)
        await stop.wait()
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            await asyncio.wait(others, timeout=_SECONDS)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._callers += 1
        try:
            async with asyncio.timeout(_SECONDS):
                head = b"" if self._callers > _MOST else await reader.readuntil(b"\r\n\r\n")
                writer.write(self._response(head))
                writer.write_eof()
                rest = _LONGEST  # closed over an unread body, the caller may never see the answer
                while rest > 0 and (data := await reader.read(1 << 16)):
                    rest -= len(data)
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            self._callers -= 1
            with suppress(OSError):
                writer.close()

    def _response(self, head: bytes) -> bytes:
        if head.startswith(b"GET /livez "):
            return _http(b"200 OK", {"status": "alive"})
        error = f"No version of {self._model} can answer now: {self._why()}"
        return _http(b"503 Service Unavailable", {"error": error, "fields": []})


def _http(status: bytes, content: object) -> bytes:
    body = orjson.dumps(content)
    lines = (
        b"HTTP/1.1 " + status,
        b"content-type: application/json",
        b"content-length: %d" % len(body),
        b"retry-after: 1",
        b"connection: close",
    )
    return b"\r\n".join(lines) + b"\r\n\r\n" + body
