"""Endpoints and proofs that start warm: forked by a process that did all the imports already.

A cold start costs five seconds of a CPU, a warm one a third of a second.
"""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from trimtab.errors import ExitCode

from .backoff import Backoff
from .inheritance import BASE_ENVIRONMENT, begin_child, passed_on

_WARMING_SECONDS = 60.0
_ANSWER_SECONDS = 10.0
"""A fork takes milliseconds; on a machine that swaps it may take longer."""


class Forked:
    """A process that somebody else forked for us; the kernel's handle cannot mean another one."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._handle = os.pidfd_open(pid)
        self._has_ended = False

    def poll(self) -> int | None:
        """Give 0 when it has ended; nobody tells us how."""
        if not self._has_ended and select.select([self._handle], [], [], 0)[0]:
            with suppress(ChildProcessError):  # it becomes ours where we are the first process
                os.waitid(os.P_PIDFD, self._handle, os.WEXITED | os.WNOHANG)
            os.close(self._handle)
            self._has_ended = True
        return 0 if self._has_ended else None

    def send_signal(self, sig: int) -> None:
        """Send a signal, if it still runs."""
        if not self._has_ended:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, sig)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end. Raises subprocess.TimeoutExpired."""
        if not self._has_ended:
            select.select([self._handle], [], [], timeout)
        if self.poll() is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        return 0


class Channel:
    """A way to ask the forking process."""

    def __init__(self, end: socket.socket) -> None:
        self.end = end
        end.settimeout(_ANSWER_SECONDS)

    def fork(
        self, do: str, path: Path, environment: Mapping[str, str], folder: Path, fds: Sequence[int]
    ) -> Forked:
        """Have something forked. Raises OSError or ValueError when that is not to be had.

        Without an answer the channel is closed: a late one would be taken for the next order's.
        """
        order = {
            "do": do,
            "path": str(path),
            "environment": dict(environment),
            "folder": str(folder),
        }
        try:
            socket.send_fds(self.end, [json.dumps(order).encode()], list(fds))
            answer = json.loads(self.end.recv(1 << 10))
        except (OSError, ValueError):
            self.end.close()
            raise
        return Forked(answer["pid"])

    @property
    def is_open(self) -> bool:
        """Tell whether it may still be asked."""
        return self.end.fileno() >= 0


class Nursery:
    """Keeps a `trimtab_services.forking` running; it is warm some seconds after its start."""

    def __init__(self) -> None:
        self._trouble = Backoff()
        self._start()

    def _start(self) -> None:
        mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "trimtab_services.forking", str(its.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[its.fileno()],
                env={**passed_on(), **BASE_ENVIRONMENT},
                preexec_fn=partial(begin_child, os.getpid()),
            )
        self.channel = Channel(mine)
        """The way to ask it; see first whether it `fits`."""
        self._code = ""
        self._started = time.monotonic()

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def is_warming(self) -> bool:
        """Tell whether it will be warm sooner than anything could be started without it."""
        self._listen()
        is_young = time.monotonic() - self._started < _WARMING_SECONDS
        return not self._code and is_young and self._process.poll() is None

    def step(self) -> None:
        """Start it again when it has ended or answers no more; meanwhile all starts cold.

        One that refused is left alone: its reasons lie in the installation.
        """
        if not self.channel.is_open and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        ended = self._process.poll()
        if ended not in (None, ExitCode.REFUSED) and self._trouble.is_due:
            self._trouble.failed()
            self.channel.end.close()
            self._start()

    def fits(self, code_sha256: str) -> bool:
        """Tell whether it is warm, with just this code."""
        self._listen()
        is_there = self.channel.is_open and self._process.poll() is None
        return is_there and self._code == code_sha256 != ""

    def _listen(self) -> None:
        """Hear whether it is warm by now."""
        if self._code or not self.channel.is_open:
            return
        if select.select([self.channel.end], [], [], 0)[0]:
            with suppress(OSError, ValueError):
                self._code = json.loads(self.channel.end.recv(1 << 10))["code_sha256"]

    def another_channel(self) -> socket.socket:
        """Make a channel for another process to ask by."""
        mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its:
            socket.send_fds(self.channel.end, [b'{"do": "connect"}'], [its.fileno()])
        return mine

    def end(self) -> None:
        """End it; endpoints that it forked live on."""
        self.channel.end.close()
        self._process.terminate()
        self._process.wait()
