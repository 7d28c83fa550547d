"""A drill with everything real: its own MLflow, endpoint, workers and receiver of alerts."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.timeout(3600)]

DRILL = [sys.executable, "-c", "from trimtab.cli import main; main()", "drill", "orders"]


def ours(project: Path) -> list[str]:
    """List the processes that know of the project."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                about = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            except OSError:
                continue
            if str(project).encode() in about:
                found.append(about[:200].decode(errors="replace"))
    return found


def held(project: Path, *arguments: str) -> tuple[int, dict[str, dict[str, Any]], str]:
    done = subprocess.run(
        [*DRILL, *arguments, "--json", str(project / "drill.json")],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=3500,
        check=False,
    )
    output = done.stdout + done.stderr
    content = json.loads((project / "drill.json").read_text()) if done.returncode < 2 else {}
    found = {one["observed"]["change"]: one for one in content.get("drilled", [])}
    return done.returncode, found, output


def test_each_known_change_leads_to_the_reaction_that_it_calls_for(project: Path) -> None:
    code, found, output = held(project)

    assert code == 0, output
    assert len(found) == 7
    for change in ("null-burst", "unit-change"):
        seen = found[change]["observed"]
        assert "broken_data" in {r["situation"] for r in seen["reactions"]}
        assert seen["received"] == seen["alerts"] >= 2, "one that it opened, one that it is over"
    assert found["nothing"]["observed"]["alerts"] == 0
    assert ours(project) == []
    assert not any((project / ".trimtab" / "drill").glob("*.parquet"))


def test_a_change_that_is_too_small_to_be_seen_fails_the_drill(project: Path) -> None:
    code, found, output = held(project, "--change", "null-burst", "--size", "null-burst=0.001")

    assert code == 1, output
    assert "no incident of broken_data opened" in found["null-burst"]["faults"]


def test_ctrl_c_ends_every_process(project: Path) -> None:
    with (project / "output.txt").open("w") as output:
        drill = subprocess.Popen(
            [*DRILL, "--change", "nothing"],
            cwd=project,
            stdout=output,
            stderr=output,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
    deadline = time.monotonic() + 600
    while "training the first version" not in (project / "output.txt").read_text():
        assert drill.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.2)
    drill.send_signal(signal.SIGINT)

    assert drill.wait(120) == 1
    assert "Stopped." in (project / "output.txt").read_text()
    assert ours(project) == []
