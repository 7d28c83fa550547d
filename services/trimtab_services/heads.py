"""HTTP as uvicorn speaks it, with a bound on all that is no body, and answers in one piece.

The parser keeps addresses and header fields until they are complete, however long they get, and
waits for them for ever: 48 MB of short header lines took 800 MB of memory.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LONGEST_HEAD = 1 << 16
"""Bytes of address and header fields."""
LONGEST_FRAMING = 1 << 18
"""Bytes of chunk sizes and trailers around one body."""
_GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"
HEAD_SECONDS = 10.0
"""Whoever needs longer for the head of a request holds a connection for nothing."""


class _Whole:
    """Sends the head of an answer together with its body.

    Each write is a call to the system and wakes the caller, who can do nothing with a head alone.
    """

    def __init__(self, transport: asyncio.Transport, ended: Callable[[], None]) -> None:
        self._transport = transport
        self._ended = ended
        self._head = b""
        self._is_kept = True
        """The head may still come."""

    def write(self, data: bytes) -> None:
        """Keep the head for what comes next."""
        if not self._is_kept:
            self._transport.write(data)
        elif self._head:
            self._is_kept = False
            self._transport.write(self._head + data)
        elif data == _GO_ON:
            self._transport.write(data)
        else:
            self._head = data

    def end(self) -> None:
        """Send a head that has no body, and go on."""
        self._flush()
        self._ended()

    def close(self) -> None:
        """Close the connection behind what was written."""
        self._flush()
        self._transport.close()

    def is_closing(self) -> bool:
        """Tell whether nothing can be sent any more."""
        return self._transport.is_closing()

    def _flush(self) -> None:
        if self._is_kept and self._head:
            self._is_kept = False
            self._transport.write(self._head)


class BoundedHttp(HttpToolsProtocol):
    """Hangs up on a request whose head has no end."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._has_head = False
        self._has_begun = False
        self._surplus = 0
        """Bytes of the present message that are no body, without those of its first packet."""
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # theirs
        """Wait for a first request, as long as between two."""
        super().connection_made(transport)
        self._deadline = self.loop.call_later(self.timeout_keep_alive, transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, within the bounds."""
        self._has_begun = False
        self._surplus += len(data)
        super().data_received(data)
        if self._has_begun:  # somewhere in this packet, which may hold requests before it
            self._surplus = 0
        if self._has_head:
            self._stop_waiting()
        elif self._has_begun:
            self._wait()
        if self._surplus > (LONGEST_FRAMING if self._has_head else LONGEST_HEAD):
            self._hang_up("The head of the request is too long.")

    def on_message_begin(self) -> None:
        """Begin to count."""
        self._has_head, self._has_begun = False, True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Note the end of the head."""
        self._has_head = True
        super().on_headers_complete()
        if self.cycle is not None and self.cycle.transport is self.transport:
            whole = _Whole(self.transport, self.on_response_complete)
            self.cycle.transport = whole  # type: ignore[assignment]  # all that a cycle asks of it
            self.cycle.on_response = whole.end

    def on_body(self, body: bytes) -> None:
        """Leave a body to whoever reads it."""
        self._surplus -= len(body)
        if not self.cycle.body:
            self.cycle.body = b""  # type: ignore[assignment]  # so that a body in one piece is not copied
        elif isinstance(self.cycle.body, bytes):
            self.cycle.body = bytearray(self.cycle.body)
        super().on_body(body)

    def _wait(self) -> None:
        self._stop_waiting()
        late = "The head of the request did not arrive in time."
        self._deadline = self.loop.call_later(HEAD_SECONDS, self._hang_up, late)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _hang_up(self, why: str) -> None:
        if not self.transport.is_closing():
            self.send_400_response(why)
