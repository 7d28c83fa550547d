"""An endpoint's process as its supervisor sees it: started, listened to, ended."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from trimtab.adapters.capture_key import capture_key
from trimtab.records.documents import from_json, to_json
from trimtab.settings import Settings

from .bundle import read_bundle, source_of
from .canary import Tried
from .inheritance import BASE_ENVIRONMENT, begin_child, passed_on
from .orders import HostReport, Order
from .pointer import Pointer

if TYPE_CHECKING:
    from .nursery import Nursery


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

    def __init__(self, process: Process, line: socket.socket, source: Path) -> None:
        self.source = source
        """The bento's sources that it runs."""
        self.held: Pointer | None = None
        """What it has loaded and proven; None while that is under way for the first time."""
        self.ordered: Pointer | None = None
        """What it was told last, unless it refused."""
        self.accepts = False
        """Whether it was told to let callers in."""
        self._noted = ""
        self.tries: Tried | None = None
        """The challenger that it was told to take in, unless it refused."""
        self.tried: Tried | None = None
        """The challenger that it has loaded and proven."""
        self._process = process
        self._line = line
        self._told: dict[int, Pointer] = {}
        self._ordered_at = time.monotonic()
        self._is_cut = False

    @classmethod
    def start(
        cls,
        settings: Settings,
        model: str,
        pointer: Pointer,
        listening: socket.socket,
        nursery: "Nursery | None" = None,
    ) -> "Host":
        """Start a process that loads a bento and lets nobody in until it is told to.

        It is forked where a nursery has its code warm, else started from scratch.
        """
        source, folder = source_of(pointer.bento), settings.home.serving(model).parent
        folder.mkdir(parents=True, exist_ok=True)
        mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        environment = _environment(settings, model, source)
        fds = (listening.fileno(), its.fileno())
        try:
            if nursery is not None and nursery.fits(read_bundle(source).code_sha256):
                process: Process = nursery.channel.fork("host", source, environment, folder, fds)
            else:
                process = _start_cold(folder, environment, fds)
        except BaseException:
            mine.close()
            raise
        finally:
            its.close()
        mine.setblocking(False)
        host = cls(process, mine, source)
        host.serve(pointer)
        return host

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Tell whether it is there to be talked to."""
        return not self._is_cut and self._process.poll() is None

    @property
    def is_ready(self) -> bool:
        """Tell whether it can answer."""
        return self.held is not None

    @property
    def waiting_seconds(self) -> float:
        """How long it has owed an answer to the last order; 0 when it owes none."""
        return 0.0 if self.held == self.ordered else time.monotonic() - self._ordered_at

    def fileno(self) -> int:
        """Give what becomes readable when it says something or ends; -1 once it has ended."""
        return -1 if self._is_cut else self._line.fileno()

    def serve(self, pointer: Pointer) -> None:
        """Have it load and prove a version, and answer with that from then on."""
        self.ordered = self._told[pointer.epoch] = pointer
        self._ordered_at = time.monotonic()
        self._order(Order(do="serve", pointer=pointer))

    def try_out(self, tried: Tried | None) -> None:
        """Have it take in a challenger beside the version that answers, or let go of one."""
        self.tries, self.tried = tried, None
        self._order(Order(do="try", canary=tried))

    def accept(self) -> None:
        """Have it let callers in."""
        self.accepts = True
        self._order(Order(do="accept"))

    def note(self, note: str) -> None:
        """Have it say what keeps another version from answering."""
        if note != self._noted:
            self._noted = note
            self._order(Order(do="note", note=note[:2000]))

    def leave(self) -> None:
        """Have it let nobody in any more, and end when its callers have left by themselves."""
        self._order(Order(do="leave"))

    def reports(self) -> Sequence[HostReport]:
        """Read what it said since the last call."""
        found: list[HostReport] = []
        while not self._is_cut:
            try:
                data = self._line.recv(1 << 16)
            except BlockingIOError:
                break
            except ConnectionError:
                data = b""
            if data:
                found.append(self._heard(from_json(HostReport, data)))
            else:
                self._is_cut = True
        return found

    def told(self, report: HostReport) -> Pointer | None:
        """Give what a report is about; None when nobody asked."""
        return self._told.get(report.epoch)

    def forget_order(self) -> Pointer | None:
        """Wait no more for the last order, and give what it was."""
        ordered, self.ordered = self.ordered, self.held
        return ordered

    def end(self) -> None:
        """Ask it to finish what is under way and to end."""
        if self.is_running:
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    def wait(self, seconds: float) -> None:
        """Wait for its end; after so long it is ended by force."""
        try:
            self._process.wait(max(0.0, seconds))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._line.close()

    def is_gone(self) -> bool:
        """Tell whether it has ended; the last call about it."""
        if self._process.poll() is None:
            return False
        self._line.close()
        return True

    def _heard(self, report: HostReport) -> HostReport:
        if report.canary is not None:
            if self.tries is not None and report.canary == self.tries.trial:
                self.tried = self.tries if report.refused is None else None
                self.tries = self.tried
        elif report.refused is not None:
            self.ordered = self.held
        elif not report.leaves:
            self.held = self.told(report) or self.held
            self._told = {epoch: p for epoch, p in self._told.items() if epoch >= report.epoch}
        return report

    def _order(self, order: Order) -> None:
        with suppress(OSError):  # it has just ended, which is noticed elsewhere
            self._line.send(to_json(order))


def _start_cold(
    folder: Path, environment: Mapping[str, str], fds: tuple[int, int]
) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-P", "-m", "trimtab_services.host"]
    return subprocess.Popen(
        [*command, "--fd", str(fds[0]), "--line-fd", str(fds[1])],
        stdin=subprocess.DEVNULL,
        pass_fds=fds,
        cwd=folder,  # a folder without modules
        env=environment,
        preexec_fn=partial(begin_child, os.getpid()),
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
