"""An endpoint's process as its supervisor sees it: started, listened to, ended."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from trimtab.adapters.capture_key import capture_key
from trimtab.settings import Settings

from .bundle import read_bundle, source_of
from .inheritance import BASE_ENVIRONMENT, end_with_parent, passed_on
from .pointer import Pointer, write_pointer

if TYPE_CHECKING:
    from .nursery import Nursery


@dataclass(frozen=True, slots=True, kw_only=True)
class HostReport:
    """What an endpoint's process said of one version."""

    epoch: int
    device: str | None
    note: str
    refused: str | None
    """Why the version does not answer; None when it does."""


class Process(Protocol):
    """What is needed of a child, whoever started it."""

    @property
    def pid(self) -> int:
        """Its id."""
        ...

    def poll(self) -> int | None:
        """Give None while it runs."""
        ...

    def send_signal(self, sig: int) -> None:
        """Send it a signal."""
        ...

    def kill(self) -> None:
        """End it at once."""
        ...

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end. Raises subprocess.TimeoutExpired."""
        ...


class Host:
    """A running `trimtab_services.host`."""

    def __init__(self, process: Process, reports: int, pointer: Pointer) -> None:
        self.pointer = pointer
        """What the process was started with."""
        self.has_served = False
        self._process = process
        self._reports = reports
        self._unread = b""

    @classmethod
    def start(
        cls,
        settings: Settings,
        model: str,
        pointer: Pointer,
        listening: socket.socket,
        nursery: "Nursery | None" = None,
    ) -> "Host":
        """Start a process on a bento: forked where a nursery has its code warm, else from scratch.

        Call it in the main thread: the child ends with the thread that started it.
        """
        file, source = settings.home.serving(model), source_of(pointer.bento)
        write_pointer(file, pointer)
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        environment = _environment(settings, model, source)
        fds = (listening.fileno(), writing)
        try:
            if nursery is not None and nursery.fits(read_bundle(source).code_sha256):
                process: Process = nursery.channel.fork("host", file, environment, file.parent, fds)
            else:
                process = _start_cold(file, environment, fds)
        except BaseException:
            os.close(reading)
            raise
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


def _start_cold(
    file: Path, environment: Mapping[str, str], fds: tuple[int, int]
) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-P", "-m", "trimtab_services.host", str(file)]
    return subprocess.Popen(
        [*command, "--fd", str(fds[0]), "--report-fd", str(fds[1])],
        stdin=subprocess.DEVNULL,
        pass_fds=fds,
        cwd=file.parent,  # a folder without modules
        env=environment,
        preexec_fn=end_with_parent,
    )


def _environment(settings: Settings, model: str, source: Path) -> dict[str, str]:
    given, serve = settings.environment, settings.model(model).serve
    capture = settings.model(model).capture
    serving = {
        "TRIMTAB_CAPTURE_DROP": json.dumps(capture.drop),
        "TRIMTAB_CAPTURE_HASH": json.dumps(capture.hash),
        "TRIMTAB_CAPTURE_HASH_KEYS": json.dumps(capture.hash_keys),
        "TRIMTAB_API_KEYS_FILE": str(settings.home.keys(model)),
        "TRIMTAB_SPOOL": str(settings.home.spool(model)),
        "TRIMTAB_DEVICE": serve.device,
        "TRIMTAB_MAX_ROWS": str(serve.max_rows),
        "TRIMTAB_MAX_BODY": str(serve.max_body),
        "BENTOML_HOME": str(settings.home.root / "bentoml"),
    }
    if capture.needs_key:
        serving["TRIMTAB_CAPTURE_KEY"] = capture_key(settings)
    if given.clock is not None:
        serving["TRIMTAB_CLOCK"] = str(given.clock.resolve())
    if given.api_key is not None:
        serving["TRIMTAB_API_KEY"] = given.api_key.get_secret_value()
    return {**passed_on(), **BASE_ENVIRONMENT, **serving, "PYTHONPATH": str(source)}
