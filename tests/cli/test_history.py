"""`trimtab history`: who was champion when, and whether anybody has changed what is told of it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text

from trimtab.adapters.sql import SqlDatabase, open_database
from trimtab.cli.history import history as verb
from trimtab.errors import UnknownModelError
from trimtab.history import champion_at, history
from trimtab.policy.reigns import stamp
from trimtab.records.ledger import LedgerEntry
from trimtab.records.promotions import Move, Promotion
from trimtab.settings import load

TOML = '[models.late]\ntask = "binary"\nsource = "rows.csv"\ntarget = "late"\n'
START = datetime(2013, 5, 1, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose champion moved on the 1st, by the gate, and on the 3rd, by force."""
    (tmp_path / "trimtab.toml").write_text(TOML)
    database = open_database(load(tmp_path).database_url)
    for epoch, (version, how, actor) in enumerate(
        [("1", Move.GATE, "gate"), ("2", Move.FORCE, "ada")], start=1
    ):
        move = Promotion(
            model="late",
            epoch=epoch,
            version=version,
            previous="1" if epoch == 2 else None,
            manifest_sha256=version * 64,
            actor=actor,
            reasons=("Better: by much", "origin=[/]"),
            at=START + 2 * (epoch - 1) * DAY,
            how=how,
        )
        entry = LedgerEntry(
            at=move.at,
            actor=actor,
            event="version promoted",
            model="late",
            subject=version,
            reasons=(*move.reasons, stamp(move)),
        )
        with database.transaction() as stores:
            stores.promotions.record(move)
            stores.ledger.append(entry)
    return tmp_path


def run(project: Path, *args: str) -> Result:
    return CliRunner().invoke(verb, ["late", *args, "--project", str(project)])


def forge(project: Path, statement: str) -> None:
    database = open_database(load(project).database_url)
    assert isinstance(database, SqlDatabase)
    with database.engine.begin() as connection:
        connection.execute(text(statement))


def test_all_champions_are_told_with_how_they_came(project: Path) -> None:
    done = run(project)

    assert done.exit_code == 0, done.output
    assert done.output.index("force") < done.output.index("gate"), "the newest first"
    assert "2 d 0 h" in done.output
    assert "origin=[/]" in done.output
    assert "the ledger holds: 2 rows" in done.output


def test_a_moment_has_its_champion_with_who_decided_and_the_evidence(project: Path) -> None:
    done = run(project, "--at", "2013-05-02T23:00")

    assert done.exit_code == 0, done.output
    assert "version 1 at 2013-05-02 23:00" in done.output
    assert "until 2013-05-03 00:00 (force, by ada)" in done.output
    assert "1" * 64 in done.output
    assert "version promoted, gate: Better: by much" in done.output


def test_scripts_get_all_of_it(project: Path) -> None:
    whole = json.loads(run(project, "--json").output)
    one = json.loads(run(project, "--at", "2013-05-03", "--json").output)

    assert [r["promotion"]["version"] for r in whole["history"]["reigns"]] == ["2", "1"]
    assert whole["broken"] == []
    assert one["champion"]["promotion"]["how"] == "force"
    assert [entry["event"] for entry in one["evidence"]] == ["version promoted"]


def test_before_the_first_champion_the_answer_is_no(project: Path) -> None:
    done = run(project, "--at", "2013-04-30")

    assert done.exit_code == 3
    assert "nobody was champion at 2013-04-30" in done.output


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE ledger SET actor = 'gate' WHERE seq = 2", "Ledger row 2 does not follow"),
        ("UPDATE promotions SET actor = 'gate'", "move 2 to version 2 is not in the ledger"),
        ("UPDATE promotions SET how = 'gate'", "move 2 to version 2 is not in the ledger"),
        ("DELETE FROM promotions WHERE epoch = 2", "tells of a move 2 (force)"),
        ("DELETE FROM ledger WHERE seq = 1", "Ledger row 2 does not follow"),
    ],
)
def test_what_was_changed_by_hand_is_said_and_ends_with_one(
    project: Path, statement: str, said: str
) -> None:
    forge(project, statement)
    done = run(project)

    assert done.exit_code == 1
    assert said in done.output
    assert "the ledger holds" not in done.output
    assert json.loads(run(project, "--json").output)["broken"]


def test_python_gives_the_same(project: Path) -> None:
    reign = champion_at("late", START + 1.5 * DAY, project=project)

    assert reign is not None
    assert (reign.version, reign.until) == ("1", START + 2 * DAY)
    assert champion_at("late", START - DAY, project=project) is None
    assert history("late", project=project).broken == ()
    with pytest.raises(UnknownModelError):
        history("soon", project=project)


def test_a_bad_time_is_a_wrong_use(project: Path) -> None:
    done = run(project, "--at", "yesterday")

    assert done.exit_code == 2
    assert "'yesterday' is no time" in done.output
