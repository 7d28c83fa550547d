"""What people do with incidents: kept, told, and seen from the command line."""

from __future__ import annotations

import getpass
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from trimtab.adapters.clock import FileClock
from trimtab.adapters.sql import SqlDatabase, open_database
from trimtab.cli import console
from trimtab.errors import IncidentOverError, UnknownIncidentError
from trimtab.records.incidents import Incident, IncidentState, Observation, Situation
from trimtab.records.ledger import LedgerEntry
from trimtab.records.windows import Window
from trimtab_monitoring.incident_cli import incident

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY = timedelta(days=1)
ID = "late-20260301T0000-v1-drift"
PROJECT = """
[models.late]
task = "binary"
source = "late.csv"
target = "late"
"""
INCIDENT = Incident(
    id=ID,
    model="late",
    version="1",
    situation=Situation.DRIFT,
    opened_at=NOW,
    evidence=("2 of the last 3 windows show it", "wind: distance 0.24, limit 0.10"),
    windows=(
        Observation(
            window=Window(NOW - 2 * DAY, NOW - DAY),
            shows=True,
            lines=("wind: distance 0.24, limit 0.10",),
            columns=("wind", "[bold]carrier"),
        ),
        Observation(window=Window(NOW - DAY, NOW), shows=False),
    ),
    showing=1,
    seen_through=NOW,
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "trimtab.toml").write_text(PROJECT)
    FileClock(tmp_path / "clock").set(NOW)
    monkeypatch.setenv("TRIMTAB_CLOCK", str(tmp_path / "clock"))
    monkeypatch.setattr(console, "width", 200)
    return tmp_path


@pytest.fixture
def database(project: Path) -> SqlDatabase:
    database = open_database(f"sqlite:///{project / '.trimtab' / 'trimtab.db'}")
    with database.transaction() as stores:
        stores.incidents.save(INCIDENT)
    return database


def run(project: Path, *arguments: str) -> Result:
    return CliRunner().invoke(incident, [*arguments, "--project", str(project)])


def kept(database: SqlDatabase) -> Incident:
    with database.transaction() as stores:
        return stores.incidents.get(ID)


def ledger(database: SqlDatabase) -> LedgerEntry:
    with database.transaction() as stores:
        return stores.ledger.entries(limit=1)[0]


def test_the_list_and_the_page_show_columns_as_they_are_called(
    project: Path, database: SqlDatabase
) -> None:
    listed, shown = run(project, "list"), run(project, "show", ID)

    for text in (ID, "notice", "open", "wind, [bold]carrier"):
        assert text in listed.output
    for text in ("wind: distance 0.24, limit 0.10", "2026-02-28 12:00", "yes", "no"):
        assert text in shown.output
    assert run(project, "list", "late").output == listed.output


def test_scripts_get_everything_as_json(project: Path, database: SqlDatabase) -> None:
    (overview,) = json.loads(run(project, "list", "--json").output)
    shown = json.loads(run(project, "show", ID, "--json").output)

    assert overview["incidents"] == [shown]
    assert shown["windows"][0]["columns"] == ["wind", "[bold]carrier"]
    assert overview["sensitivity"] == {}


def test_acknowledging_is_kept_with_the_name_and_the_reason(
    project: Path, database: SqlDatabase
) -> None:
    assert run(project, "ack", ID, "--why", "on it").exit_code == 0

    assert kept(database).state is IncidentState.ACKNOWLEDGED
    assert kept(database).handled_by == getpass.getuser()
    entry = ledger(database)
    assert (entry.event, entry.actor, entry.subject) == (
        "incident acknowledged",
        getpass.getuser(),
        ID,
    )
    assert entry.reasons == ("on it",)
    assert entry.at == NOW


def test_a_snooze_lasts_by_the_clock_of_the_loop(project: Path, database: SqlDatabase) -> None:
    result = run(project, "snooze", ID, "--for", "2d")

    assert "until 2026-03-04 12:00" in result.output
    assert kept(database).snoozed_until == NOW + 2 * DAY
    assert ledger(database).reasons == ("until 2026-03-04 12:00",)
    assert run(project, "snooze", ID, "--for", "soon").exit_code == 2
    assert run(project, "snooze", ID, "--for", "9999999999d").exit_code == 2


def test_marking_false_ends_it_tells_people_and_lowers_the_sensitivity_visibly(
    project: Path, database: SqlDatabase
) -> None:
    result = run(project, "false", ID, "--why", "a holiday")

    assert result.exit_code == 0
    assert "wind, [bold]carrier" in result.output
    assert kept(database).state is IncidentState.MARKED_FALSE
    entry = ledger(database)
    assert entry.event == "incident marked false"
    assert entry.reasons[0] == "a holiday"
    assert entry.reasons[1].startswith("wind: a 4th of its share of the false-alarm budget")
    with database.transaction() as stores:
        (alert,) = stores.outbox.due()
    assert alert.key == f"incident resolved:{ID}"
    assert f"marked false by {getpass.getuser()}: a holiday" in alert.body
    listed = run(project, "list")
    assert "0.25" in listed.output
    assert "2026-05-31" in listed.output
    (overview,) = json.loads(run(project, "list", "--json").output)
    assert overview["sensitivity"] == {"wind": 0.25, "[bold]carrier": 0.25}


def test_a_mark_can_be_narrowed_to_a_column_bounded_and_undone(
    project: Path, database: SqlDatabase
) -> None:
    assert run(project, "false", ID, "--why", "x", "--column", "rain").exit_code == 2
    assert kept(database).state is IncidentState.OPEN
    assert run(project, "false", ID, "--why", "x", "--column", "wind", "--for", "1w").exit_code == 0
    with database.transaction() as stores:
        (mark,) = stores.false_marks.of("late")
    assert (mark.column, mark.until) == ("wind", NOW + 7 * DAY)

    assert "wind as sensitive as before" in run(project, "false", ID, "--undo").output
    assert ledger(database).event == "false mark undone"
    assert "wind" not in run(project, "list").output
    assert kept(database).state is IncidentState.MARKED_FALSE


def test_what_cannot_be_done_is_said(project: Path, database: SqlDatabase) -> None:
    assert run(project, "false", ID).exit_code == 2  # without a reason
    assert run(project, "false", ID, "--undo", "--for", "1d").exit_code == 2
    assert isinstance(run(project, "show", "nothing").exception, UnknownIncidentError)
    run(project, "false", ID, "--why", "x")
    assert isinstance(run(project, "ack", ID).exception, IncidentOverError)
    assert isinstance(run(project, "false", ID, "--why", "y").exception, IncidentOverError)


def test_help_imports_no_framework() -> None:
    code = (
        "import sys; from click.testing import CliRunner;"
        "from trimtab_monitoring.incident_cli import incident;"
        "assert CliRunner().invoke(incident, ['--help']).exit_code == 0; print(*sys.modules)"
    )
    loaded = set(subprocess.check_output([sys.executable, "-c", code], text=True).split())

    assert not {"evidently", "mlflow", "pandas", "sklearn", "sqlalchemy", "apprise"} & loaded
    assert "pydantic" not in loaded
