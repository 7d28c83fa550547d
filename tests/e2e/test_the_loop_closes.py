"""The whole loop with everything real: MLflow, the Bento over HTTP, Evidently, and the flights.

Eight weeks of 2013 are replayed. It asserts what happened, never how long it took.
"""

import os
import shutil
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow.dataset as ds
import pytest

from trimtab.adapters.opening import open_database, open_log
from trimtab.ports import Stores
from trimtab.records.incidents import IncidentState
from trimtab.records.requests import RequestState, Trigger
from trimtab.records.verdicts import FindingKind, VerdictKind
from trimtab.settings import Environment, Settings, load
from trimtab.supervisor import is_up

EXAMPLE = Path(__file__).parents[2] / "examples" / "flights"
MODEL = "late-arrival"
UNTIL = "2013-05-27"

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


@dataclass(frozen=True)
class Played:
    """A demo that has ended."""

    settings: Settings
    code: int
    output: str


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]) -> Played:
    folder = tmp_path_factory.mktemp("e2e") / "flights"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns(".trimtab", "__pycache__"))
    toml = (
        (folder / "trimtab.toml").read_text().replace('until = "2013-12-30"', f'until = "{UNTIL}"')
    )
    assert UNTIL in toml
    (folder / "trimtab.toml").write_text(
        f"{toml}\n[platform]\nmlflow_port = {free_port()}\n\n"
        f"[models.{MODEL}.serve]\nport = {free_port()}\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", "from trimtab.cli import main; main()", "demo", "--exit"],
        cwd=folder,
        env={**os.environ, "COLUMNS": "160"},
        capture_output=True,
        text=True,
        timeout=580,
        check=False,
    )
    home = folder / ".trimtab" / "demo"
    settings = load(folder, Environment(home=home, clock=home / "clock"))
    return Played(settings=settings, code=done.returncode, output=done.stdout + done.stderr)


@pytest.fixture
def stores(played: Played) -> Iterator[Stores]:
    with open_database(played.settings).transaction() as stores:
        yield stores


def test_the_demo_ends_well_and_leaves_no_process(played: Played) -> None:
    assert played.code == 0, played.output
    assert "0 failed" in played.output
    assert "0 missing from the inference log, 0 in it twice" in played.output
    assert not is_up(played.settings.home.run)
    assert str(played.settings.folder) not in running_processes()
    project = played.settings.project
    for port in (project.platform.mlflow_port, played.settings.model(MODEL).serve.port):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))  # nobody listens there any more


def test_drift_was_found_and_named(stores: Stores) -> None:
    drifted = [v for v in stores.verdicts.recent(MODEL) if v.kind is VerdictKind.DRIFT]

    assert drifted
    for verdict in drifted:
        assert verdict.drifted
        assert verdict.report is not None


def test_every_column_is_in_every_verdict(stores: Stores) -> None:
    verdicts = stores.verdicts.recent(MODEL)
    columns = {tuple(finding.column for finding in verdict.findings) for verdict in verdicts}

    assert len(verdicts) >= 6
    assert len(columns) == 1
    assert len(columns.pop()) == 25, "22 inputs, the output, how they move, and to which regions"
    judged = {finding.kind for v in verdicts for finding in v.findings if v.rows >= v.rows_needed}
    assert judged >= {FindingKind.STABLE, FindingKind.DRIFTED}


def test_an_incident_opened_asked_and_was_resolved_by_a_better_version(stores: Stores) -> None:
    incidents = stores.incidents.recent(MODEL)
    asked = [r for r in stores.requests.recent(MODEL) if r.trigger is not Trigger.FIRST]

    assert any(i.state is IncidentState.RESOLVED for i in incidents)
    assert any(r.state is RequestState.PROMOTED for r in asked)
    assert any("was promoted" in (i.resolution or "") for i in incidents)


def test_the_endpoint_swapped_and_the_answers_say_so(played: Played, stores: Stores) -> None:
    moves = stores.promotions.history(MODEL)
    status = stores.endpoints.get(MODEL)

    assert len(moves) >= 2
    assert status is not None
    assert status.version == moves[0].version
    assert status.answered == status.captured
    assert status.dropped == 0
    log = open_log(played.settings)
    answering = [move.version for move in moves if log.read(MODEL, move.version) is not None]
    assert len(answering) >= 2, "the newest may have been promoted after the last request"


def test_every_answered_id_is_in_the_log_exactly_once(played: Played) -> None:
    folder = played.settings.inference_log / MODEL
    table = ds.dataset(sorted(folder.rglob("*.parquet"))).to_table(["prediction_id", "status"])
    ids = Counter(table["prediction_id"].to_pylist())

    assert len(ids) > 30_000
    assert set(ids.values()) == {1}
    assert set(table["status"].to_pylist()) == {200}


def test_every_alert_was_delivered_and_the_ledger_is_whole(stores: Stores) -> None:
    assert list(stores.outbox.due()) == []
    assert stores.ledger.verify() > 20
    events = {entry.event for entry in stores.ledger.entries(MODEL, limit=1000)}
    assert events >= {
        "version registered",
        "version promoted",
        "version served",
        "window judged",
        "incident opened",
        "incident resolved",
        "alert delivered",
    }


def test_the_story_and_the_table_are_told(played: Played) -> None:
    for words in ("incident opened", "version promoted", "log_loss", "AUC", "gained"):
        assert words in played.output


def running_processes() -> str:
    lines = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                lines.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue
    return "\n".join(lines)
