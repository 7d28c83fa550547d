"""A build in a process of its own: the supervisor needs neither MLflow nor BentoML in memory.

Run as `python -m trimtab_services.building PROJECT MODEL VERSION SHA256 [PROVER_FD]`.
"""

import logging
import os
import socket
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import BinaryIO

from trimtab.errors import TrimtabError
from trimtab.settings import Settings, load
from trimtab.supervisor import CHILD_ENVIRONMENT

from .inheritance import begin_child
from .nursery import Channel

_SECONDS = 900.0


class Build:
    """A running build of one version."""

    def __init__(self, version: str, process: subprocess.Popen[bytes], said: BinaryIO):
        self.version = version
        self._process = process
        self._said = said
        self._deadline = time.monotonic() + _SECONDS

    @classmethod
    def start(
        cls,
        settings: Settings,
        model: str,
        version: str,
        manifest_sha256: str,
        prover: socket.socket | None,
    ) -> "Build":
        """Start it; `prover` is a nursery's channel, which the build takes with it."""
        fds = [prover.fileno()] if prover else []
        said = tempfile.TemporaryFile()  # noqa: SIM115  # read once the build is over
        names = (model, version, manifest_sha256)
        process = subprocess.Popen(
            [sys.executable, "-m", "trimtab_services.building", str(settings.folder), *names]
            + [str(fd) for fd in fds],
            pass_fds=fds,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            env={**os.environ, **CHILD_ENVIRONMENT, "TRIMTAB_HOME": str(settings.home.root)},
            preexec_fn=partial(begin_child, os.getpid()),
        )
        if prover is not None:
            prover.close()
        return cls(version, process, said)

    @property
    def has_ended(self) -> bool:
        """Tell whether it is over; a build that hangs is ended."""
        if self._process.poll() is None and time.monotonic() > self._deadline:
            self._process.kill()
        return self._process.poll() is not None

    @property
    def failure(self) -> str | None:
        """Why nothing was built; None when the bento is there."""
        if self._process.returncode == 0:
            return None
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"the build ended with code {self._process.returncode}"

    def end(self) -> None:
        """Stop it; what it had made so far is swept up by the next build."""
        self._process.kill()
        self._process.wait()


def main() -> None:
    """Build what the command line names; the last line on stderr says why not."""
    logging.basicConfig(level=logging.WARNING)
    project, model, version, manifest_sha256, *fds = sys.argv[1:]
    from trimtab.adapters.opening import open_registry

    from .bento import build

    settings = load(Path(project))
    try:
        prover = Channel(socket.socket(fileno=int(fds[0]))) if fds else None
        build(settings, open_registry(settings), model, version, manifest_sha256, prover)
    except TrimtabError as error:
        sys.stderr.write(" ".join(str(error).split()) + "\n")
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
