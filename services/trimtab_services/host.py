"""A served bento in a process of its own: `python -m trimtab_services.host`."""

import argparse
import asyncio
import gc
import importlib
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
import uvloop

from trimtab.errors import ExitCode

from .bentoml_service import guard_first
from .bundle import can_follow, source_of
from .flood import log_to_stderr
from .guard import App, Message, Receive, Scope, Send
from .heads import BoundedHttp
from .pointer import Pointer, read_pointer
from .service import Endpoint
from .swap import load_champion

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.05
DRAIN_SECONDS = 3.0
"""How long idle connections are left open at the end, so that no caller's next request dies."""


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
    """Stops listening at once, lets idle callers come back once more, and then ends."""

    def __init__(self, config: uvicorn.Config, draining: Draining) -> None:
        super().__init__(config)
        self._draining = draining

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Note the loop that signals have to reach."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain; Ctrl-C is the supervising process's business."""
        if sig == signal.SIGTERM and not self._draining.has_begun:
            self._draining.has_begun = True
            self._loop.call_soon_threadsafe(self._drain)

    def _drain(self) -> None:
        self._ending = self._loop.create_task(self._end())

    async def _end(self) -> None:
        for server in self.servers:
            server.close()
        deadline = self._loop.time() + DRAIN_SECONDS
        while self.server_state.connections and self._loop.time() < deadline:
            await asyncio.sleep(POLL_SECONDS)
        self.should_exit = True


class Reporter:
    """Tells the supervising process what is served, one JSON line each."""

    def __init__(self, fd: int | None) -> None:
        self._fd = fd

    def serving(self, epoch: int, endpoint: Endpoint) -> None:
        """A version answers."""
        predictor = endpoint.champion.predictor
        note = predictor.device_note
        self._say({"epoch": epoch, "device": predictor.device, "note": note, "refused": None})

    def refused(self, epoch: int, error: Exception) -> None:
        """The version of that epoch does not answer; the one before it, if any, still does."""
        why = str(error) or type(error).__name__
        self._say({"epoch": epoch, "device": None, "note": "", "refused": why[:1000]})

    def _say(self, facts: dict[str, Any]) -> None:
        if self._fd is not None:
            with suppress(OSError):  # nobody listens any more; SIGTERM is on its way
                os.write(self._fd, json.dumps(facts).encode() + b"\n")


async def follow(path: Path, first: int, endpoint: Endpoint, reporter: Reporter) -> None:
    """Serve whatever the pointer names, from its own bento, for as long as the process lives.

    What needs another environment is left to another process.
    """
    done = first
    while True:
        await asyncio.sleep(POLL_SECONDS)
        pointer = read_pointer(path)
        if pointer is None or pointer.epoch <= done:
            continue
        done = pointer.epoch
        try:
            if can_follow(source_of(pointer.bento), endpoint.source):
                await asyncio.to_thread(_take_in, endpoint, pointer)
                reporter.serving(done, endpoint)
        except Exception as error:  # whatever is wrong with it, the version before it answers on
            logger.exception("version %s is not served", pointer.version)
            endpoint.note = f"version {pointer.version} is not served: {error}"
            reporter.refused(done, error)


def _take_in(endpoint: Endpoint, pointer: Pointer) -> None:
    source, sha256 = source_of(pointer.bento), pointer.manifest_sha256
    endpoint.swap(load_champion(source, pointer.version, sha256, endpoint.device))


async def _serve(app: App, listening: socket.socket, started: Callable[[], None]) -> None:
    draining = Draining(app)
    config = uvicorn.Config(
        draining,
        loop="uvloop",
        http=BoundedHttp,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=75,  # longer than callers keep theirs, so that they are who closes
        timeout_graceful_shutdown=4,
    )
    server = Server(config, draining)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    while not server.started and not serving.done():
        await asyncio.sleep(POLL_SECONDS)
    if server.started:
        started()
    await serving


def host(pointer: Pointer, file: Path, listening: socket.socket, reporter: Reporter) -> None:
    """Serve a bento until SIGTERM. Raises SystemExit when its version cannot be served."""
    sys.path.insert(0, str(source_of(pointer.bento)))
    try:
        module = importlib.import_module("service")  # the bento's own
        endpoint: Endpoint = module.endpoint
        endpoint.open(pointer.manifest_sha256)
    except Exception as error:
        logger.exception("%s is not served", pointer.bento)
        reporter.refused(pointer.epoch, error)
        raise SystemExit(ExitCode.REFUSED) from None
    followers: list[asyncio.Task[None]] = []

    def started() -> None:
        gc.collect()
        gc.freeze()  # what stays for good need not be walked again: slow answers come from that
        reporter.serving(pointer.epoch, endpoint)
        followers.append(asyncio.create_task(follow(file, pointer.epoch, endpoint, reporter)))

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(guard_first(module.Served.to_asgi(is_main=True)), listening, started))


def run(file: Path, fd: int, report_fd: int | None) -> None:
    """Serve what a pointer names on a listening socket, and tell of it."""
    pointer = read_pointer(file)
    if pointer is None:
        raise SystemExit(f"{file} names no bento")
    host(pointer, file, socket.socket(fileno=fd), Reporter(report_fd))


def main() -> None:
    """Serve one bento on a socket that the parent owns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pointer", type=Path, help="the file that names the bento, and later ones")
    parser.add_argument("--fd", type=int, required=True, help="the listening socket")
    parser.add_argument("--report-fd", type=int, help="where to tell what is served")
    arguments = parser.parse_args()
    log_to_stderr()
    run(arguments.pointer, arguments.fd, arguments.report_fd)


if __name__ == "__main__":
    main()
