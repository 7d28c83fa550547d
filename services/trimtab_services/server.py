"""uvicorn's server with a door: the application starts first, and callers are let in later."""

import asyncio
import signal
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn

from .guard import App, Message, Receive, Scope, Send
from .heads import BoundedHttp

KEEP_ALIVE_SECONDS = 75
"""Longer than callers keep theirs, so that they are who closes."""
_POLL_SECONDS = 0.02
_BACKLOG = 2048


class Draining:
    """The outermost layer: once the end has come, every answer asks to close its connection."""

    def __init__(self, app: App) -> None:
        self._app = app
        self.has_begun = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""

        async def closing(message: Message) -> None:
            if self.has_begun and message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
            await send(message)

        await self._app(scope, receive, closing if scope["type"] == "http" else send)


class Server(uvicorn.Server):
    """Starts with its door closed; at the end idle callers may come back once more."""

    def __init__(
        self,
        app: App,
        *,
        started: Callable[[], None],
        leaves: Callable[[], None],
        patience: Callable[[], float],
    ) -> None:
        """Call `started` when the application runs and `leaves` when the door closes for good.

        After SIGTERM idle callers have `patience` seconds to come back once more.
        """
        self._draining = Draining(app)
        super().__init__(
            uvicorn.Config(
                self._draining,
                loop="uvloop",
                http=BoundedHttp,
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=4,
            )
        )
        self._started = started
        self._leaves = leaves
        self._patience = patience
        self.servers: list[asyncio.base_events.Server] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._until = float("inf")

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application; nobody is let in."""
        await super().startup(sockets=[])
        self._loop = asyncio.get_running_loop()
        self._started()

    async def accept(self, listening: socket.socket) -> bool:
        """Let callers in; False when it is too late for that."""
        if self._draining.has_begun:
            return False
        loop = asyncio.get_running_loop()
        server = await loop.create_server(self._protocol, sock=listening, backlog=_BACKLOG)
        self.servers.append(server)
        return True

    def leave(self, seconds: float) -> None:
        """Let nobody in any more; end when all callers have left, after so long at the latest.

        A request that is under way by then has the graceful time-out on top.
        """
        loop = asyncio.get_running_loop()
        self._until = min(self._until, loop.time() + seconds)
        if not self._draining.has_begun:
            self._draining.has_begun = True
            for server in self.servers:
                server.close()
            self._leaves()
            self._ending = loop.create_task(self._end())

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain; Ctrl-C is the supervising process's business."""
        if sig == signal.SIGTERM:
            if self._loop is None:
                self.should_exit = True
            else:
                self._loop.call_soon_threadsafe(self.leave, self._patience())

    async def _end(self) -> None:
        loop = asyncio.get_running_loop()
        while self.server_state.connections and loop.time() < self._until:
            await asyncio.sleep(_POLL_SECONDS)
        self.should_exit = True

    def _protocol(self) -> asyncio.Protocol:
        made: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return made
