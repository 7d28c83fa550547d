"""The monitor's process: rounds that survive failures, and a clean end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from trimtab.adapters.sql import open_database
from trimtab_monitoring.worker import Monitor, Patience

if TYPE_CHECKING:
    from tests.monitoring.conftest import World

PROJECT = """
[models.late]
task = "binary"
source = "late.csv"
target = "late"
"""


def verdicts(world: World) -> int:
    with world.database.transaction() as stores:
        return len(stores.verdicts.recent("late"))


def test_one_round_judges_a_window_and_the_last_one_finds_no_work(world: World) -> None:
    monitor = Monitor([world.watch])
    world.serve(0)

    assert monitor.step()
    assert not monitor.step()
    assert verdicts(world) == 1


def test_a_failing_model_does_not_keep_another_from_being_judged(
    world: World, tmp_path: Path
) -> None:
    damaged = open_database(f"sqlite:///{tmp_path / 'damaged.db'}")
    with damaged.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE incidents")
    failing = replace(world.watch, model="early", database=damaged)
    world.serve(0)
    monitor = Monitor([failing, world.watch])

    assert monitor.step()
    assert verdicts(world) == 1


def test_what_fails_is_left_alone_for_longer_each_time() -> None:
    patience = Patience()
    pauses = []
    for _ in range(7):
        patience.failed()
        pauses.append(patience.pause)

    assert pauses == [1, 2, 4, 8, 16, 30, 30]
    assert not patience.is_over
    patience.succeeded()
    patience.failed()
    assert patience.pause == 1


@pytest.mark.e2e
def test_the_process_ends_cleanly_when_it_is_told_to(tmp_path: Path) -> None:
    (tmp_path / "trimtab.toml").write_text(PROJECT)
    process = subprocess.Popen(
        [sys.executable, "-m", "trimtab_monitoring.worker", str(tmp_path)],
        stderr=subprocess.PIPE,
        env={**os.environ, "DO_NOT_TRACK": "true", "MLFLOW_DISABLE_TELEMETRY": "true"},
        text=True,
    )
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if "watching late" in line:
                break
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
        assert time.monotonic() - started < 10
    finally:
        process.kill()
        process.communicate()


@pytest.mark.e2e
def test_an_address_that_is_not_set_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "trimtab.toml").write_text(f'{PROJECT}\n[alerts]\nurls = ["env:NO_SUCH_HOOK"]\n')
    ended = subprocess.run(
        [sys.executable, "-m", "trimtab_monitoring.worker", str(tmp_path)],
        capture_output=True,
        env={**os.environ, "DO_NOT_TRACK": "true", "MLFLOW_DISABLE_TELEMETRY": "true"},
        text=True,
        check=False,
    )

    assert ended.returncode == 2
    assert "env:NO_SUCH_HOOK" in ended.stderr
    assert "Traceback" not in ended.stderr
