"""Servers as child processes: started, waited for, and ended with all that they started."""

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from trimtab.settings.environment import TELEMETRY_OFF
from trimtab_services.inheritance import begin_child, passed_on

from .accounting import tree

_OWN_BIN = Path(sys.executable).parent
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "PYTHONUNBUFFERED": "1",
    "PATH": f"{_OWN_BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}",  # MLflow calls uvicorn
    **TELEMETRY_OFF,
}
READY_SECONDS = 120.0
_GENTLE_SECONDS = 8.0
_POLL_SECONDS = 0.005
_ANSWER_SECONDS = 2.0
"""A listening socket takes callers in before a process serves them, and when none ever will."""


class NotServedError(Exception):
    """A server did not come up."""


@contextmanager
def running(
    argv: Sequence[str], environment: Mapping[str, str], folder: Path
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a server in a folder, which gets its `server.log`; end it and all of its children."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder,
            env={**passed_on(), **ENVIRONMENT, **environment},
            start_new_session=True,
            preexec_fn=partial(begin_child, os.getpid()),
        )
    try:
        yield process
    finally:
        _end(process)


@contextmanager
def complaints_in(folder: Path) -> Iterator[None]:
    """Let what is started meanwhile write its stderr to a folder's `server.log`."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = os.dup(2)
    with (folder / "server.log").open("ab") as log:
        os.dup2(log.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def last_words(folder: Path) -> str:
    """Give the end of a server's log."""
    return "\n".join((folder / "server.log").read_text(errors="replace").splitlines()[-12:])


def await_answer(port: int, path: str, is_alive: Callable[[], bool]) -> float:
    """Wait for the first 200 of a path and give its moment, by the monotonic clock.

    Raises NotServedError when the server ends, or takes longer than READY_SECONDS.
    """
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if _status(port, path) == 200:
            return time.monotonic()
        if not is_alive():
            raise NotServedError("the server ended")
        time.sleep(_POLL_SECONDS)
    raise NotServedError(f"no 200 of {path} in {READY_SECONDS:.0f} s")


def _status(port: int, path: str) -> int | None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_ANSWER_SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


class _Held:
    """A process by the kernel's handle, which cannot come to mean another one."""

    def __init__(self, pid: int) -> None:
        self._handle = os.pidfd_open(pid)

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._handle, signal.SIGKILL)
        os.close(self._handle)


def _held(pids: Iterable[int]) -> list[_Held]:
    found = []
    for pid in pids:
        with suppress(ProcessLookupError):
            found.append(_Held(pid))
    return found


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Ask, wait, and then kill what is left, whatever session it went to."""
    descendants = _held(tree(process.pid)[1:])
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_GENTLE_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for descendant in descendants:
        descendant.kill()
