"""`trimtab up` as a user meets it: real servers, a crash, a second start, Ctrl-C."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from sklearn.datasets import load_breast_cancer

from trimtab.adapters.opening import open_database
from trimtab.settings import load

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(290)]

MODEL = "tumour"
UP = [sys.executable, "-c", "from trimtab.cli import main; main()", "up"]


@pytest.fixture
def ports(free_port: Callable[[], int]) -> tuple[int, int]:
    return free_port(), free_port()


@pytest.fixture
def project(tmp_path: Path, ports: tuple[int, int]) -> Path:
    frame = load_breast_cancer(as_frame=True).frame
    frame.columns = [column.replace(" ", "_") for column in frame.columns]
    frame.to_csv(tmp_path / "tumours.csv", index=False)
    (tmp_path / "trimtab.toml").write_text(f"""\
[platform]
mlflow_port = {ports[0]}

[models.{MODEL}]
task = "binary"
source = "tumours.csv"
target = "target"

[models.{MODEL}.train]
candidates = ["logistic"]
search.trials = 0

[models.{MODEL}.serve]
port = {ports[1]}
""")
    return tmp_path


@pytest.fixture
def start(project: Path) -> Iterator[Callable[[], "subprocess.Popen[bytes]"]]:
    started: list[subprocess.Popen[bytes]] = []

    def up() -> "subprocess.Popen[bytes]":
        with (project / "up.txt").open("ab") as output:
            process = subprocess.Popen(UP, cwd=project, stdout=output, stderr=output)
        started.append(process)
        return process

    yield up
    for process in started:
        if process.poll() is None:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(30)
            process.kill()


def until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def is_ready(port: int) -> bool:
    url = f"http://127.0.0.1:{port}/readyz"
    with suppress(OSError), urllib.request.urlopen(url, timeout=2) as answer:
        return bool(answer.status == 200)
    return False


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def can_be_bound(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return True
    return False


def processes() -> dict[int, tuple[int, int, str]]:
    """Give parent, session and start time of every process that is no zombie."""
    found = {}
    for folder in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            stat = (folder / "stat").read_text().rpartition(")")[2].split()
            if stat[0] != "Z":
                found[int(folder.name)] = (int(stat[1]), int(stat[3]), stat[19])
    return found


def family(root: int) -> set[tuple[int, str]]:
    """Name a process, all that descend from it, and all in the sessions that these lead."""
    known, now = {root}, processes()
    while True:
        more = {
            pid
            for pid, (parent, session, _) in now.items()
            if parent in known or (session in known and session != now[root][1])
        } - known
        if not more:
            return {(pid, now[pid][2]) for pid in known}
        known |= more


def living(members: set[tuple[int, str]]) -> set[tuple[int, str]]:
    return members & {(pid, started) for pid, (_, _, started) in processes().items()}


def champions(project: Path) -> list[str]:
    with open_database(load(project)).transaction() as stores:
        return [promotion.version for promotion in stores.promotions.history(MODEL)]


def requests(project: Path) -> int:
    with open_database(load(project)).transaction() as stores:
        return len(stores.requests.recent(MODEL, limit=10))


def test_up_survives_a_crash_and_leaves_nothing_behind(
    project: Path, ports: tuple[int, int], start: Callable[[], "subprocess.Popen[bytes]"]
) -> None:
    mlflow, endpoint = ports
    said = project / "up.txt"
    first = start()
    until(lambda: is_ready(endpoint) or first.poll() is not None, 150, "no endpoint")
    assert first.poll() is None, said.read_text()
    assert champions(project) == ["1"]

    second = subprocess.run(
        UP, cwd=project, capture_output=True, text=True, timeout=60, check=False
    )
    assert second.returncode == 1
    assert f"already up (process {first.pid})" in second.stderr

    members = family(first.pid)
    assert len(members) >= 5  # itself, MLflow, three workers
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    until(lambda: not living(members), 15, "processes outlived the platform")
    assert not is_listening(mlflow)
    assert not is_listening(endpoint)

    third = start()
    until(lambda: is_ready(endpoint) or third.poll() is not None, 100, "no endpoint again")
    assert third.poll() is None, said.read_text()
    assert champions(project) == ["1"]
    assert requests(project) == 1

    members = family(third.pid)
    third.send_signal(signal.SIGINT)
    assert third.wait(40) == 0, said.read_text()
    assert not living(members)
    assert can_be_bound(mlflow)
    assert can_be_bound(endpoint)


def test_ctrl_c_while_mlflow_starts_ends_the_start(
    project: Path, ports: tuple[int, int], start: Callable[[], "subprocess.Popen[bytes]"]
) -> None:
    process = start()
    log = project / ".trimtab" / "logs" / "mlflow.log"
    until(log.exists, 60, "MLflow was not started")
    members = family(process.pid)
    process.send_signal(signal.SIGINT)

    assert process.wait(20) == 0, (project / "up.txt").read_text()
    assert not living(members)
    assert can_be_bound(ports[0])
