"""`trimtab watch --once`: what was concluded, and an exit code that scripts can use."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from trimtab.adapters.sql import open_database
from trimtab.cli import console
from trimtab.errors import UnknownModelError
from trimtab.records.verdicts import VerdictKind
from trimtab_monitoring.cli import watch

if TYPE_CHECKING:
    from tests.monitoring.conftest import Lab, World

PROJECT = """
[models.late]
task = "binary"
source = "late.csv"
target = "late"
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "trimtab.toml").write_text(PROJECT)
    monkeypatch.setattr(console, "width", 200)
    return folder


def once(project: Path, *arguments: str) -> Result:
    return CliRunner().invoke(watch, [*arguments, "--once", "--project", str(project)])


def keep(project: Path, world: World) -> None:
    """Copy the verdicts of a world into the project's own database."""
    with world.database.transaction() as stores:
        verdicts = stores.verdicts.recent("late")
    database = open_database(f"sqlite:///{project / '.trimtab' / 'trimtab.db'}")
    with database.transaction() as stores:
        for verdict in verdicts:
            stores.verdicts.add(verdict)


def test_a_project_without_traffic_has_nothing_to_say_and_is_well(project: Path) -> None:
    result = once(project)

    assert result.exit_code == 0
    assert "no window is closed yet" in result.output


def test_stable_windows_are_shown_and_end_with_0(project: Path, world: World) -> None:
    world.serve(0)
    world.watch.step()
    keep(project, world)

    result = once(project, "late")

    assert result.exit_code == 0
    for shown in ("2013-04-01 00:00 to 2013-04-08 00:00", "400", "stable", "0 labels"):
        assert shown in result.output


def test_a_drifted_window_is_shown_with_its_columns_and_ends_with_3(
    project: Path, world: World, lab: Lab
) -> None:
    frame = lab.traffic(lab.rows_a_week, seed=1)
    world.serve(0, frame.assign(wind=frame["wind"] * 1.6))
    (verdict,) = world.watch.step()
    keep(project, world)

    result = once(project)

    assert verdict.kind is VerdictKind.DRIFT
    assert not verdict.is_well
    assert result.exit_code == 3
    assert "drift" in result.output
    assert "wind" in result.output


def test_the_table_says_who_speaks_of_quality_and_how_estimates_did(
    project: Path, world: World, lab: Lab
) -> None:
    frame = lab.traffic(lab.rows_a_week, seed=100)
    world.serve(0, frame, labels=lab.truth(frame, seed=0)[:332])
    world.watch.step()
    keep(project, world)

    shown = " ".join(once(project).output.split())

    assert "measured (limit 0." in shown
    assert "83% labelled), estimated 0." in shown
    assert "held 1 of 1" in shown


def test_an_unknown_model_is_named(project: Path) -> None:
    result = once(project, "early")

    assert isinstance(result.exception, UnknownModelError)


def test_help_imports_no_framework() -> None:
    code = (
        "import sys; from click.testing import CliRunner; from trimtab_monitoring.cli import watch;"
        "assert CliRunner().invoke(watch, ['--help']).exit_code == 0; print(*sys.modules)"
    )
    loaded = set(subprocess.check_output([sys.executable, "-c", code], text=True).split())

    assert not {"evidently", "mlflow", "pandas", "sklearn", "sqlalchemy", "apprise"} & loaded
