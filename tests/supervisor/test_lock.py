"""One platform a home, and what a killed one leaves behind."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread

import pytest

from trimtab.supervisor import AlreadyUpError, PortInUseError, is_up, require_free
from trimtab.supervisor.listening import AddressError
from trimtab.supervisor.lock import end_leftovers, note_processes, sole_owner


def sleeper() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True
    )


def test_a_second_platform_on_one_home_is_refused(tmp_path: Path) -> None:
    assert not is_up(tmp_path / "run")
    with sole_owner(tmp_path / "run"):
        assert is_up(tmp_path / "run")
        with pytest.raises(AlreadyUpError, match="already up"), sole_owner(tmp_path / "run"):
            pytest.fail("two owners")

    assert not is_up(tmp_path / "run")


def test_leftovers_of_a_killed_platform_are_ended(tmp_path: Path) -> None:
    process = sleeper()
    note_processes(tmp_path, [process.pid])

    assert end_leftovers(tmp_path) == [process.pid]
    assert process.wait(timeout=10) != 0
    assert end_leftovers(tmp_path) == []


def test_a_process_that_only_shares_a_number_is_left_alone(tmp_path: Path) -> None:
    process = sleeper()
    try:
        note_processes(tmp_path, [process.pid])
        table = tmp_path / "processes.json"
        table.write_text(f'{{"{process.pid}": 1}}')

        assert end_leftovers(tmp_path) == []
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()


def test_a_taken_port_is_named_with_its_setting(free_port: Callable[[], int]) -> None:
    port = free_port()
    require_free("127.0.0.1", port, "models.late.serve.port")
    server = subprocess.Popen(
        [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"],
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 20
        while not is_taken(port) and time.monotonic() < deadline:
            time.sleep(0.05)
        with pytest.raises(PortInUseError, match=rf"{port}.*models.late.serve.port"):
            require_free("127.0.0.1", port, "models.late.serve.port")
    finally:
        server.kill()
        server.wait()


def is_taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_host_that_is_no_address_names_its_setting() -> None:
    with pytest.raises(AddressError, match=r"models\.late\.serve\.host = 'no such host'"):
        require_free("no such host", 3000, "models.late.serve.port")
    with pytest.raises(AddressError, match=r"has no address 192\.0\.2\.1.*platform\.host"):
        require_free("192.0.2.1", 5000, "platform.mlflow_port")


def test_who_asks_whether_a_platform_is_up_keeps_none_from_starting(tmp_path: Path) -> None:
    with sole_owner(tmp_path):
        pass
    done = Event()

    def ask() -> None:
        while not done.is_set():
            is_up(tmp_path)

    asking = Thread(target=ask)
    asking.start()
    try:
        for _ in range(20):
            with sole_owner(tmp_path):
                assert is_up(tmp_path)
    finally:
        done.set()
        asking.join()


@pytest.mark.parametrize("ours", [True, False])
def test_what_a_dead_leader_left_is_ended_when_it_is_ours(tmp_path: Path, ours: bool) -> None:
    run = tmp_path / "run"
    run.mkdir()
    code = (
        "import subprocess, sys; child = [sys.executable, '-c', 'import time; time.sleep(600)'];"
        "print(subprocess.Popen(child, stdout=subprocess.DEVNULL).pid, flush=True); input()"
    )
    leader = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "TRIMTAB_HOME": str(tmp_path if ours else tmp_path / "other")},
        start_new_session=True,
    )
    assert leader.stdout is not None
    member = int(leader.stdout.readline())
    try:
        note_processes(run, [leader.pid])
        leader.kill()
        leader.communicate()

        assert end_leftovers(run) == ([leader.pid] if ours else [])
        assert is_alive(member) is not ours
    finally:
        if not ours:
            os.kill(member, signal.SIGKILL)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
