"""Servers that tests of several areas share."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

_START_SECONDS = 120.0
_PORTS = range(20_000, 32_000)
"""Below those that the kernel gives to outgoing connections; one of these would be in the way."""


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """Gives ports on loopback that nobody listens on."""
    chance = random.SystemRandom()

    def give() -> int:
        while True:
            port = chance.choice(_PORTS)
            with socket.socket() as probe, suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port

    return give


@pytest.fixture(scope="session")
def mlflow_server(
    tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]
) -> Iterator[str]:
    """A real MLflow server on loopback; gives its address."""
    home = tmp_path_factory.mktemp("mlflow")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with (home / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [
                sys.executable,
                *("-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)),
                *("--workers", "1", "--backend-store-uri", f"sqlite:///{home / 'mlflow.db'}"),
                *("--artifacts-destination", str(home / "artifacts")),
                *("--allowed-hosts", f"127.0.0.1:{port},localhost:{port}"),
                *("--uvicorn-opts", "--log-level warning"),
            ],
            env={
                **os.environ,
                "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
                "MLFLOW_DISABLE_TELEMETRY": "true",
                "DO_NOT_TRACK": "true",
            },
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        _await(f"{url}/health", server)
        yield url
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)


def _await(url: str, server: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            urllib.request.urlopen(url, timeout=2).close()
            return
        except OSError:
            assert server.poll() is None, "the MLflow server ended"
            assert time.monotonic() < deadline, "the MLflow server did not start"
            time.sleep(0.1)
