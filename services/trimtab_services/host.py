"""A served bento in a process of its own: `python -m trimtab_services.host`.

It loads and proves a version, says that it is ready, and lets callers in when it is told to.
"""

import argparse
import asyncio
import gc
import importlib
import logging
import os
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import uvloop

from trimtab.errors import ExitCode

from .bentoml_service import guard_first
from .bundle import can_follow, source_of
from .canary import Tried, load_canary
from .flood import log_to_stderr
from .orders import HostReport, Line
from .pointer import Pointer
from .room import take_in
from .server import KEEP_ALIVE_SECONDS, Server
from .service import Endpoint
from .swap import load_champion

logger = logging.getLogger(__name__)

_OBJECTS = 20_000
"""New ones before rubbish is looked for: a burst of large requests has 2,000 and leaves none."""
DRAIN_SECONDS = 3.0
"""How long idle connections are left open at the end, so that few callers' next request dies."""
PATIENT_SECONDS = KEEP_ALIVE_SECONDS + 10.0
"""Behind a successor no idle connection is closed: its caller comes back, or keep-alive ends."""
ORPHAN_DRAIN_SECONDS = 0.5
ORPHAN_SECONDS = 1.5
"""Without a supervisor, the process is gone after this, whatever it is doing."""


class Duty:
    """Carries out orders for as long as the process lives."""

    def __init__(
        self, endpoint: Endpoint, pointer: Pointer, listening: socket.socket, line: Line
    ) -> None:
        self.endpoint = endpoint
        self.pointer = pointer
        """What answers."""
        self._listening = listening
        self._line = line
        self._accepts = False
        self._wanted: Pointer | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_swapping = False
        self._tried: deque[Tried | None] = deque()
        self._is_trying = False

    def begin(self, server: Server) -> None:
        """Say that the version is ready, and follow orders from now on."""
        gc.collect()
        gc.freeze()  # what stays for good need not be walked again: slow answers come from that
        gc.set_threshold(_OBJECTS)
        self._server = server
        name_process("endpoint spare")
        self._tell()
        asyncio.get_running_loop().add_reader(self._line.fileno(), self._obey)

    def left(self) -> None:
        """Say that nobody is let in any more."""
        self._accepts = False
        self._listening.close()
        self._say(
            HostReport(epoch=self.pointer.epoch, device=None, note="", refused=None, leaves=True)
        )

    def _obey(self) -> None:
        order = self._line.next()
        if order is None:
            asyncio.get_running_loop().remove_reader(self._line.fileno())
            return
        match order.do:
            case "accept":
                self._do(self._accept())
            case "leave":
                self._server.leave(PATIENT_SECONDS)
            case "note":
                self.endpoint.note = order.note
            case "try":
                self._tried.append(order.canary)
                if not self._is_trying:
                    self._do(self._try_out())
            case "serve":
                self._wanted = order.pointer
                if not self._is_swapping:
                    self._do(self._swap())

    async def _accept(self) -> None:
        if self._accepts:
            return
        self.endpoint.capture()
        self._accepts = await self._server.accept(self._listening)
        if self._accepts:
            name_process("endpoint")
            self._tell()

    async def _swap(self) -> None:
        """Take in what is wanted, until nothing else is; accepting need not wait for it."""
        self._is_swapping = True
        while (pointer := self._wanted) is not None:
            self._wanted = None
            try:
                await asyncio.to_thread(_take_in, self.endpoint, pointer)
            except Exception as error:  # whatever is wrong, the version before it answers on
                logger.exception("version %s is not served", pointer.version)
                self._say(refusal(pointer, error))
            else:
                self.pointer = pointer
                self._tell()
        self._is_swapping = False

    async def _try_out(self) -> None:
        """Take in a challenger or let go of one, in the order in which that was asked for."""
        self._is_trying = True
        while self._tried:
            tried, endpoint = self._tried.popleft(), self.endpoint
            if tried is None:
                endpoint.try_out(None)
                continue
            try:
                canary = await asyncio.to_thread(
                    load_canary, tried, endpoint.source, endpoint.device
                )
                endpoint.try_out(canary)
            except Exception as error:  # whatever is wrong with it, the champion answers on
                logger.exception("version %s is not tried", tried.version)
                self._say(replace(refusal(self.pointer, error), canary=tried.trial))
            else:
                self._say(replace(self._report(), canary=tried.trial))
        self._is_trying = False

    def _tell(self) -> None:
        self._say(self._report())

    def _report(self) -> HostReport:
        predictor = self.endpoint.champion.predictor
        return HostReport(
            epoch=self.pointer.epoch,
            device=predictor.device,
            note=predictor.device_note,
            refused=None,
            accepts=self._accepts,
        )

    def _say(self, report: HostReport) -> None:
        with suppress(OSError):  # nobody listens any more; the end is near
            self._line.say(report)

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def refusal(pointer: Pointer, error: Exception) -> HostReport:
    """Say why a version does not answer; the one before it, if any, still does."""
    why = str(error) or type(error).__name__
    return HostReport(epoch=pointer.epoch, device=None, note="", refused=why[:1000])


def _take_in(endpoint: Endpoint, pointer: Pointer) -> None:
    source, sha256 = source_of(pointer.bento), pointer.manifest_sha256
    if not can_follow(source, endpoint.source):
        raise RuntimeError("it needs a process of its own")
    take_in(endpoint, lambda: load_champion(source, pointer.version, sha256, endpoint.device))


def host(pointer: Pointer, listening: socket.socket, line: Line) -> None:
    """Serve a bento until SIGTERM. Raises SystemExit when its version cannot be served."""
    sys.path.insert(0, str(source_of(pointer.bento)))
    try:
        module = importlib.import_module("service")  # the bento's own
        endpoint: Endpoint = module.endpoint
        endpoint.load(pointer.manifest_sha256)
    except Exception as error:
        logger.exception("%s is not served", pointer.bento)
        with suppress(OSError):
            line.say(refusal(pointer, error))
        raise SystemExit(ExitCode.REFUSED) from None
    duty = Duty(endpoint, pointer, listening, line)
    server = Server(
        guard_first(module.Served.to_asgi(is_main=True)),
        started=lambda: duty.begin(server),
        leaves=duty.left,
        patience=lambda: ORPHAN_DRAIN_SECONDS if line.is_cut else DRAIN_SECONDS,
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(server.serve())


def _end_orphan() -> None:
    os.kill(os.getpid(), signal.SIGTERM)  # while nothing is served yet, this is the end
    time.sleep(ORPHAN_SECONDS)
    os._exit(ExitCode.REFUSED)


def name_process(name: str) -> None:
    """Show in `ps -o comm` what a process is for; at most 15 characters."""
    with suppress(OSError):
        Path("/proc/self/comm").write_text(name)


def run(fd: int, line_fd: int) -> None:
    """Serve on a listening socket what the supervisor orders, and tell of it."""
    name_process("endpoint loads")
    line = Line(socket.socket(fileno=line_fd))
    line.when_cut(_end_orphan)
    order = line.next()
    if order is not None and order.pointer is not None:
        host(order.pointer, socket.socket(fileno=fd), line)


def main() -> None:
    """Serve on a socket that the parent owns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fd", type=int, required=True, help="the listening socket")
    parser.add_argument("--line-fd", type=int, required=True, help="where the orders come from")
    arguments = parser.parse_args()
    log_to_stderr()
    run(arguments.fd, arguments.line_fd)


if __name__ == "__main__":
    main()
