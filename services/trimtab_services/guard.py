"""What stands in front of the endpoint: who may come in, with how much, in which form."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from trimtab.records.keys import KeyScope

from .keys import Keyring
from .metrics import CONTENT_TYPE
from .service import Arrival, Endpoint
from .wire import BadRequestError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LARGEST_BODY = 1 << 20
"""Bytes; a thousand rows of fifty columns fit in half of it."""
BODY_SECONDS = 10.0
"""Whoever sends slower than this holds a connection for nothing."""
PREDICT = "/predict"
_FREE = frozenset({"/livez", "/readyz", "/healthz"})
"""What needs no key: a probe has none."""
_SHOWN = frozenset({*_FREE, PREDICT, "/", "/docs.json", "/schema.json", "/metrics"})
_ASSETS = "/static_content/"
_SCOPES = {
    PREDICT: KeyScope.PREDICT,
    "/": KeyScope.PREDICT,  # how to ask is for those who may ask
    "/docs.json": KeyScope.PREDICT,
    "/schema.json": KeyScope.PREDICT,
    "/labels": KeyScope.LABEL,
}
_JSON = b"application/json"
_NOTHING = BadRequestError("There is nothing here; /docs.json says what there is.").body()
_NO_KEY = BadRequestError("Send `Authorization: Bearer KEY` with a key that opens this.").body()


class _GoneError(Exception):
    """The caller hung up before the body was complete."""


class RefusedError(Exception):
    """A request is turned away before it is read."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status
        self.reason = BadRequestError(error)


class Guard:
    """A pure ASGI middleware; the endpoint behind it sees whole, bounded JSON bodies only."""

    def __init__(self, app: App, endpoint: Endpoint, keyring: Keyring) -> None:
        self._app = app
        self._endpoint = endpoint
        self._keyring = keyring

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, answer it, or turn it away."""
        if scope["type"] == "websocket":
            return await send({"type": "websocket.close"})  # 403; BentoML's routes would raise
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        arrival = Arrival.now()
        is_predict = scope["path"] == PREDICT and scope["method"] == "POST"
        headers = dict(scope["headers"])  # the last of repeated ones; HTTP servers join the rest
        if not self._is_welcome(scope["path"], headers.get(b"authorization", b"")):
            self._endpoint.metrics.refuse(401)  # and nothing captured: strangers fill no log
            return await _answer(send, 401, _NO_KEY)
        try:
            if is_predict:
                _check_form(scope["headers"])
                receive = _replay(await _read(receive, headers.get(b"content-length")))
        except _GoneError:
            return None
        except RefusedError as error:
            reply = self._endpoint.refuse(error.status, error.reason, arrival)
            return await _answer(send, reply.status, reply.body)
        scope.setdefault("state", {})["arrival"] = arrival
        return await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope["method"], scope["path"]:
            case "GET", "/readyz":
                reply = self._endpoint.readiness()
                await _answer(send, reply.status, reply.body)
            case "GET", "/metrics":
                page = self._endpoint.metrics.page()
                await _answer(send, 200, page, CONTENT_TYPE.encode())
            case _, path if path in _SHOWN or path.startswith(_ASSETS):
                await self._app(scope, receive, send)
            case _:  # which BentoML would redirect, with the caller's own words in the address
                await _answer(send, 404, _NOTHING)

    def _is_welcome(self, path: str, authorization: bytes) -> bool:
        scope = _SCOPES.get(path, KeyScope.ADMIN)
        return path in _FREE or self._keyring.allows(authorization, scope)


def _check_form(headers: list[tuple[bytes, bytes]]) -> None:
    """Accept one JSON body and nothing that would have to be unpacked first."""
    types = [value for name, value in headers if name == b"content-type"]
    media = types[0].split(b";")[0].strip().lower() if len(types) == 1 else b""
    if media != _JSON:
        raise RefusedError(415, "Send the body as Content-Type: application/json.")
    if any(name == b"content-encoding" for name, _ in headers):
        raise RefusedError(415, "Send the body without Content-Encoding.")


async def _read(receive: Receive, length: bytes | None) -> bytes:
    """Read a whole body within its bounds, whatever its header says."""
    if length is not None and (
        len(length) > 12 or not length.isdigit() or int(length) > LARGEST_BODY
    ):
        raise RefusedError(413, f"The body must not exceed {LARGEST_BODY} bytes.")
    parts, size = [], 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise _GoneError
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > LARGEST_BODY:
                    raise RefusedError(413, f"The body must not exceed {LARGEST_BODY} bytes.")
                if not message.get("more_body", False):
                    return b"".join(parts)
    except TimeoutError:
        raise RefusedError(408, f"The body did not arrive in {BODY_SECONDS:.0f} s.") from None


def _replay(body: bytes) -> Receive:
    """Hand a body that was read already to whoever asks for it."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return messages.pop() if messages else {"type": "http.disconnect"}

    return receive


async def _answer(send: Send, status: int, body: bytes, media: bytes = _JSON) -> None:
    headers = [(b"content-type", media), (b"content-length", str(len(body)).encode())]
    if status == 408:  # the rest of the body may never come, and is not waited for
        headers.append((b"connection", b"close"))
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
