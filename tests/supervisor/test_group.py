"""Processes that are started, kept running and ended, with real processes."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from trimtab.supervisor import ProcessGroup, ProcessSpec, StartError

SERVER = """
import http.server, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"ok")
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
"""
SLEEPER = "import time; time.sleep(600)"
STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
time.sleep(600)
"""


def spec(tmp_path: Path, name: str, code: str, *args: str, url: str | None = None) -> ProcessSpec:
    return ProcessSpec(
        name=name,
        argv=[sys.executable, "-c", code, *args],
        log=tmp_path / f"{name}.log",
        ready_url=url,
        ready_seconds=30,
    )


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "what was awaited did not happen"
        await asyncio.sleep(0.05)


def test_a_server_is_ready_when_it_answers_and_gone_when_stopped(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    news: list[tuple[str, str]] = []

    async def run() -> int:
        group = ProcessGroup(lambda name, what: news.append((name, what)))
        port = free_port()
        url = f"http://127.0.0.1:{port}/"
        await group.start(spec(tmp_path, "server", SERVER, str(port), url=url))
        pid = group.children[0].pid
        assert is_alive(pid)
        await group.stop()
        return pid

    pid = asyncio.run(run())

    assert news == [("server", "ready")]
    assert not is_alive(pid)


def test_a_killed_process_is_started_again(tmp_path: Path) -> None:
    async def run() -> tuple[int, int]:
        group = ProcessGroup(lambda *_: None)
        await group.start(spec(tmp_path, "sleeper", SLEEPER))
        first = group.children[0].pid
        os.kill(first, signal.SIGKILL)
        await until(lambda: bool(group.children) and group.children[0].pid != first)
        second = group.children[0].pid
        await group.stop()
        return first, second

    first, second = asyncio.run(run())

    assert first != second
    assert not is_alive(second)


def test_what_ignores_a_polite_end_is_killed_with_its_children(tmp_path: Path) -> None:
    log = tmp_path / "stubborn.log"

    async def run() -> list[int]:
        group = ProcessGroup(lambda *_: None, grace=0.5)
        await group.start(spec(tmp_path, "stubborn", STUBBORN))
        await until(lambda: log.read_text().strip() != "")
        pids = [group.children[0].pid, int(log.read_text())]
        await group.stop()
        return pids

    pids = asyncio.run(run())

    deadline = time.monotonic() + 10
    while any(is_alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(is_alive(pid) for pid in pids)


def test_a_failed_start_shows_the_end_of_the_log(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    failing = spec(
        tmp_path, "broken", "raise SystemExit('no disk')", url=f"http://127.0.0.1:{free_port()}"
    )

    async def run() -> None:
        group = ProcessGroup(lambda *_: None)
        try:
            await group.start(failing)
        finally:
            await group.stop()

    with pytest.raises(StartError, match=r"ended with code 1(.|\n)*no disk"):
        asyncio.run(run())


def test_what_cannot_be_started_again_is_tried_again(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.symlink_to(sys.executable)
    news: list[str] = []

    async def run() -> None:
        group = ProcessGroup(lambda _, what: news.append(what))
        sleeper = spec(tmp_path, "sleeper", SLEEPER)
        await group.start(replace(sleeper, argv=[str(program), *sleeper.argv[1:]]))
        program.unlink()
        group.kill()
        await until(lambda: any("cannot be started" in what for what in news))
        program.symlink_to(sys.executable)
        await until(lambda: bool(group.children))
        await group.stop()

    asyncio.run(run())

    assert "started again" in news


def test_a_table_that_cannot_be_written_is_told_once_and_ends_nothing(tmp_path: Path) -> None:
    news: list[str] = []

    def full() -> None:
        raise OSError(28, "No space left on device")

    async def run() -> int:
        group = ProcessGroup(lambda _, what: news.append(what), changed=full)
        await group.start(spec(tmp_path, "one", SLEEPER))
        await group.start(spec(tmp_path, "two", SLEEPER))
        pid = group.children[0].pid
        await group.stop()
        return pid

    assert not is_alive(asyncio.run(run()))
    assert sum("No space left" in what for what in news) == 1


def test_a_process_gets_no_secret_that_is_kept_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIMTAB_API_KEY", "secret")
    code = "import os; print(os.environ.get('TRIMTAB_API_KEY'), flush=True)"
    told = replace(spec(tmp_path, "told", code + "; " + SLEEPER), without=("TRIMTAB_API_KEY",))

    async def run() -> None:
        group = ProcessGroup(lambda *_: None)
        await group.start(told)
        await until(lambda: told.log.read_text() != "")
        await group.stop()

    asyncio.run(run())

    assert told.log.read_text() == "None\n"
