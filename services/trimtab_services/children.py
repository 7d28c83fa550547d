"""An endpoint's process as its supervisor sees it: started, listened to, ended."""

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from trimtab.settings import Settings

from .bundle import source_of
from .pointer import Pointer, write_pointer

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)
_PASSED_ON = ("PATH", "HOME", "LANG", "TZ", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES")
"""Of the parent's environment; an endpoint has no business with database passwords."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostReport:
    """What an endpoint's process said of one version."""

    epoch: int
    device: str | None
    note: str
    refused: str | None
    """Why the version does not answer; None when it does."""


class Host:
    """A running `trimtab_services.host`."""

    def __init__(self, process: subprocess.Popen[bytes], reports: int, pointer: Pointer) -> None:
        self.pointer = pointer
        """What the process was started with."""
        self.started = time.monotonic()
        self.has_served = False
        self._process = process
        self._reports = reports
        self._unread = b""

    @classmethod
    def start(
        cls, settings: Settings, model: str, pointer: Pointer, listening: socket.socket
    ) -> "Host":
        """Start a process on a bento.

        Call it in the main thread: the child ends with the thread that started it.
        """
        file = settings.home.serving(model)
        write_pointer(file, pointer)
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        fds = (listening.fileno(), writing)
        command = [sys.executable, "-P", "-m", "trimtab_services.host", str(file)]
        try:
            process = subprocess.Popen(
                [*command, "--fd", str(fds[0]), "--report-fd", str(fds[1])],
                stdin=subprocess.DEVNULL,
                pass_fds=fds,
                cwd=file.parent,  # a folder without modules
                env=_environment(settings, model, source_of(pointer.bento)),
                preexec_fn=end_with_parent,
            )
        finally:
            os.close(writing)
        return cls(process, reading, pointer)

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Tell whether it has not ended."""
        return self._process.poll() is None

    def reports(self) -> Sequence[HostReport]:
        """Read what it said since the last call."""
        with suppress(BlockingIOError):
            while data := os.read(self._reports, 1 << 16):
                self._unread += data
        *lines, self._unread = self._unread.split(b"\n")
        found = [HostReport(**json.loads(line)) for line in lines]
        self.has_served = self.has_served or any(report.refused is None for report in found)
        return found

    def end(self) -> None:
        """Ask it to finish what is under way and to end."""
        if self.is_running:
            self._process.send_signal(signal.SIGTERM)

    def wait(self, seconds: float) -> None:
        """Wait for its end; after so long it is ended by force."""
        try:
            self._process.wait(max(0.0, seconds))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self.forget()

    def forget(self) -> None:
        """Let go of a process that has ended."""
        with suppress(OSError):
            os.close(self._reports)


def _environment(settings: Settings, model: str, source: Path) -> dict[str, str]:
    given, serve = settings.environment, settings.model(model).serve
    serving = {
        "TRIMTAB_SPOOL": str(settings.home.spool(model)),
        "TRIMTAB_DEVICE": serve.device,
        "TRIMTAB_MAX_ROWS": str(serve.max_rows),
        "BENTOML_HOME": str(settings.home.root / "bentoml"),
    }
    if given.clock is not None:
        serving["TRIMTAB_CLOCK"] = str(given.clock.resolve())
    if given.api_key is not None:
        serving["TRIMTAB_API_KEY"] = given.api_key.get_secret_value()
    return {
        **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
        **serving,
        "PYTHONPATH": str(source),
        "PYTHONDONTWRITEBYTECODE": "1",  # the bento stays as it was built
        "PYTHONUNBUFFERED": "1",
        "OMP_NUM_THREADS": "1",  # a second thread on one row costs twice and answers later
        "BENTOML_DO_NOT_TRACK": "True",
        "DO_NOT_TRACK": "true",
    }


def end_with_parent() -> None:
    """Called in a new child before it runs anything."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the supervisor's business
