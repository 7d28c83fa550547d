"""What stands in front of the endpoint: who may come in, with how much, in which form."""

import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from functools import lru_cache
from typing import Any

from trimtab.records.keys import KeyScope

from .keys import Keyring
from .loopback import is_loopback
from .metrics import CONTENT_TYPE
from .patience import Patience
from .refusals import BadRequestError
from .reply import Arrival, Reply
from .service import Endpoint

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Header = tuple[bytes, bytes]

BODY_SECONDS = 10.0
"""Whoever sends slower than this holds a connection for nothing."""
PREDICT = "/predict"
LABELS = "/labels"
_FREE = frozenset({"/livez", "/readyz", "/healthz"})
"""What needs no key: a probe has none."""
_SHOWN = frozenset({"/livez", "/healthz", "/", "/schema.json"})
_ASSETS = "/static_content/"
_SCOPES = {
    PREDICT: KeyScope.PREDICT,
    "/": KeyScope.PREDICT,  # how to ask is for those who may ask
    "/docs.json": KeyScope.PREDICT,
    "/schema.json": KeyScope.PREDICT,
    LABELS: KeyScope.LABEL,
}
"""The rest is for those who run it."""
_POSTED = frozenset({PREDICT, LABELS})
_HARMLESS = frozenset({"GET", "HEAD", "OPTIONS"})
_JSON = b"application/json"
_NOTHING = BadRequestError("There is nothing here; /docs.json says what there is.").body()
_NO_KEY = BadRequestError("Send `Authorization: Bearer KEY` with a key that opens this.").body()
_OPEN = BadRequestError(
    "This endpoint has no key, so only this machine may call it: trimtab key create, or "
    "TRIMTAB_API_KEY."
).body()
_NO_METHOD = BadRequestError(
    "POST is for /predict and /labels; everything else is read with GET."
).body()
_NO_SPOOL = BadRequestError("This endpoint keeps nothing (TRIMTAB_SPOOL), so no labels.").body()
_TRACEPARENT = re.compile(
    rb"(?!ff|00.{54})[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})(?:-.*)?"
)
"""W3C Trace Context: version, trace, parent, flags; versions after 00 may append to it."""

_is_own = lru_cache(256)(is_loopback)


class _GoneError(Exception):
    """The caller hung up before the body was complete."""


class RefusedError(Exception):
    """A request is turned away before it is read."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status
        self.reason = BadRequestError(error)


class Guard:
    """A pure ASGI middleware; it answers predictions, labels, probes and metrics itself.

    BentoML's application behind it sees harmless methods only: its own reading of a request takes
    text for numbers, unpacks what nobody asked for, and logs what it refuses, values included.
    """

    def __init__(
        self,
        app: App,
        endpoint: Endpoint,
        keyring: Keyring,
        describe: Callable[[], bytes],
        body_seconds: float = BODY_SECONDS,
    ) -> None:
        """Stand in front of an application; `describe` gives the endpoint's OpenAPI document."""
        self._app = app
        self._endpoint = endpoint
        self._keyring = keyring
        self._describe = describe
        self._patience = Patience(body_seconds)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, turn it away, or let it through."""
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                return await send({"type": "websocket.close"})
            return await self._app(scope, receive, send)
        path, method = scope["path"], scope["method"]
        headers = dict(scope["headers"])  # the last of repeated ones; HTTP servers join the rest
        if path not in _FREE:
            scope_needed = _SCOPES.get(path, KeyScope.ADMIN)
            if not self._keyring.allows(headers.get(b"authorization", b""), scope_needed):
                self._endpoint.metrics.refuse(401)  # and nothing captured: strangers fill no log
                return await _answer(send, 401, _NO_KEY, extra=[(b"www-authenticate", b"Bearer")])
            if not self._keyring.is_closed and _is_exposed(scope):
                self._endpoint.metrics.refuse(403)
                return await _answer(send, 403, _OPEN)
        if method == "POST" and path == PREDICT:
            return await self._predict(scope["headers"], headers, receive, send)
        if method == "POST" and path == LABELS:
            return await self._label(scope["headers"], headers, receive, send)
        if path in _POSTED or method not in _HARMLESS:
            allowed = b"POST" if path in _POSTED else b"GET, HEAD"
            return await _answer(send, 405, _NO_METHOD, extra=[(b"allow", allowed)])
        return await self._show(scope, receive, send)

    async def _predict(
        self,
        given: Sequence[Header],
        headers: dict[bytes, bytes],
        receive: Receive,
        send: Send,
    ) -> None:
        arrival = Arrival.now()
        try:
            _check_form(given, headers)
            body = await self._read(receive, headers.get(b"content-length"))
            reply = await self._endpoint.ask(body, arrival)
        except _GoneError:
            return
        except RefusedError as error:
            reply = self._endpoint.refuse(error.status, error.reason, arrival)
        await _reply(send, reply, self._trace(headers, arrival, reply))

    async def _label(
        self,
        given: Sequence[Header],
        headers: dict[bytes, bytes],
        receive: Receive,
        send: Send,
    ) -> None:
        intake = self._endpoint.labels
        if intake is None:
            await _answer(send, 503, _NO_SPOOL)
            return
        by = self._keyring.holder(headers.get(b"authorization", b""))
        try:
            _check_form(given, headers)
            body = await self._read(receive, headers.get(b"content-length"))
            is_hurried = b"respond-async" in headers.get(b"prefer", b"").lower()  # RFC 7240
            reply = await intake.take(body, by, is_hurried=is_hurried)
        except _GoneError:
            return
        except RefusedError as error:
            reply = Reply(error.status, error.reason.body())
        await _reply(send, reply, None)

    def _trace(
        self, headers: Mapping[bytes, bytes], arrival: Arrival, reply: Reply
    ) -> bytes | None:
        """Give the answer's `traceparent`, where the caller has one or an exporter is set up."""
        if self._endpoint.tracer is not None:
            return self._endpoint.tracer.record(headers, arrival, reply)
        parent = _TRACEPARENT.fullmatch(headers.get(b"traceparent", b""))
        return parent and b"00-%b-%b-%b" % (parent[1], reply.request_id[16:].encode(), parent[2])

    async def _show(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope["path"]:
            case "/readyz":
                reply = self._endpoint.readiness()
                await _answer(send, reply.status, reply.body)
            case "/metrics":
                page = self._endpoint.metrics.page()
                await _answer(send, 200, page, CONTENT_TYPE.encode())
            case "/docs.json":
                await _answer(send, 200, self._describe())
            case path if path in _SHOWN or path.startswith(_ASSETS):
                await self._app(scope, receive, send)
            case _:  # which BentoML would redirect, with the caller's own words in the address
                await _answer(send, 404, _NOTHING)

    async def _read(self, receive: Receive, length: bytes | None) -> bytes:
        """Read a whole body within its bounds, whatever its header says."""
        most = self._endpoint.max_body
        if length is not None and (len(length) > 12 or not length.isdigit() or int(length) > most):
            raise _too_large(most)
        parts: list[bytes] = []
        size = 0
        try:
            with self._patience:
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise _GoneError
                    parts.append(message.get("body", b""))
                    size += len(parts[-1])
                    if size > most:
                        raise _too_large(most)
                    if not message.get("more_body", False):
                        return parts[0] if len(parts) == 1 else b"".join(parts)
        except TimeoutError:
            seconds = self._patience.seconds
            raise RefusedError(408, f"The body did not arrive in {seconds:.0f} s.") from None


def _too_large(most: int) -> RefusedError:
    return RefusedError(413, f"The body must not exceed {most} bytes.")


def _is_exposed(scope: Scope) -> bool:
    """Tell whether a request reached an address that others can reach too."""
    host, port = scope.get("server") or ("localhost", None)
    return port is not None and not _is_own(host)  # without a port it is a socket in a folder


def _check_form(given: Sequence[Header], headers: dict[bytes, bytes]) -> None:
    """Accept one JSON body and nothing that would have to be unpacked first."""
    media = headers.get(b"content-type", b"")
    is_json = media == _JSON or media.split(b";")[0].strip().lower() == _JSON
    is_twice = len(headers) < len(given) and sum(name == b"content-type" for name, _ in given) > 1
    if not is_json or is_twice:
        raise RefusedError(415, "Send the body as Content-Type: application/json.")
    if b"content-encoding" in headers:
        raise RefusedError(415, "Send the body without Content-Encoding.")


async def _reply(send: Send, reply: Reply, traceparent: bytes | None) -> None:
    extra = [(b"x-request-id", reply.request_id.encode())] if reply.request_id else []
    if traceparent is not None:
        extra.append((b"traceparent", traceparent))
    if reply.status == 408:  # the rest of the body may never come, and is not waited for
        extra.append((b"connection", b"close"))
    await _answer(send, reply.status, reply.body, extra=extra)


async def _answer(
    send: Send, status: int, body: bytes, media: bytes = _JSON, extra: Sequence[Header] = ()
) -> None:
    length = str(len(body)).encode()
    headers = [(b"content-type", media), (b"content-length", length), *extra]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
