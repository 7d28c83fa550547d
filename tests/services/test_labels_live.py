"""Labels over HTTP to the real Bento and its worker, the log, the database, and kill -9."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from trimtab.adapters.opening import open_database
from trimtab.cli.group import trimtab
from trimtab.ports import Database
from trimtab.records.promotions import Promotion
from trimtab.settings import Settings

MODEL = "late-arrival"
Wait = Callable[..., None]

pytestmark = pytest.mark.e2e


@dataclass
class Running:
    """A worker that serves version 1, and a caller."""

    settings: Settings
    database: Database
    caller: Any
    row: dict[str, object]
    folder: Path
    worker: "subprocess.Popen[bytes]"

    @classmethod
    def start_worker(cls, settings: Settings, folder: Path) -> "subprocess.Popen[bytes]":
        with (folder / "worker.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "trimtab_services.worker", str(settings.folder)],
                env={**os.environ, "TRIMTAB_HOME": str(settings.home.root)},
                stdout=log,
                stderr=log,
            )

    def predict(self, *keys: str) -> list[str]:
        """Ask, and give the ids of the predictions."""
        asked: dict[str, Any] = {"rows": [self.row] * (len(keys) or 1), "keys": list(keys)}
        status, answer = self.caller.predict(json.dumps(asked).encode())
        assert status == 200, answer
        return [one["prediction_id"] for one in answer["predictions"]]

    def label(self, *labels: dict[str, object], **headers: str) -> tuple[int, dict[str, Any]]:
        sent = {"content-type": "application/json", **headers}
        body = json.dumps({"labels": labels}).encode()
        status, answer, _ = self.caller.call("POST", "/labels", body, sent)
        return status, json.loads(answer)

    def values(self, *names: str) -> dict[str, str]:
        with self.database.transaction() as stores:
            return {name: label.value for name, label in stores.labels.get(MODEL, names).items()}

    def unmatched(self) -> int:
        with self.database.transaction() as stores:
            return stores.label_search.unmatched(MODEL)

    def verb(self, *args: str) -> str:
        home = {"TRIMTAB_HOME": str(self.settings.home.root)}
        told = [*args, "--project", str(self.settings.folder)]
        return CliRunner().invoke(trimtab, told, env=home).stdout


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory,
    shelf: Any,
    project: Any,
    caller: Any,
    row: Any,
    wait: Wait,
) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("labels")
    settings: Settings = project(folder / "project")
    shelf.lend(settings, "1")
    database = open_database(settings)
    first = Promotion(
        model=MODEL,
        epoch=1,
        version="1",
        previous=None,
        manifest_sha256=shelf.hashes["1"],
        actor="tests",
        reasons=(),
        at=datetime.now(UTC),
    )
    with database.transaction() as stores:
        stores.promotions.record(first)
    worker = Running.start_worker(settings, folder)
    calling = caller(settings.model(MODEL).serve.port)
    running = Running(settings, database, calling, row(), folder, worker)
    try:
        wait(lambda: calling.is_ready, "the endpoint to be ready")
        yield running
    finally:
        running.worker.terminate()
        running.worker.wait(15)


def tree(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(below for child in children for below in tree(int(child)))]


def test_labels_find_their_predictions_by_id_and_by_key(running: Running) -> None:
    (id,) = running.predict()
    running.predict("flight 1", "flight 2")
    status, answer = running.label(
        {"prediction_id": id, "value": True},
        {"key": "flight 1", "value": 0},
        {"key": "flight 9", "value": 1, "known_at": "2013-04-01T12:00:00Z"},
    )

    assert status == 200, answer
    del answer["request_id"]
    assert answer == {
        "accepted": 3,
        "applied": True,
        "added": 3,
        "unchanged": 0,
        "corrected": 0,
        "outdated": 0,
        "unknown": 1,
        "unknown_names": ["flight 9"],
    }
    assert running.values(id, "flight 1", "flight 2") == {id: "True", "flight 1": "False"}


def test_the_same_again_changes_nothing_and_a_correction_is_told(running: Running) -> None:
    running.predict("flight 3")
    first = running.label({"key": "flight 3", "value": 0})[1]
    again = running.label({"key": "flight 3", "value": False})[1]
    corrected = running.label({"key": "flight 3", "value": 1})[1]

    assert (first["added"], again["unchanged"], corrected["corrected"]) == (1, 1, 1)
    assert [one["unknown"] for one in (first, again, corrected)] == [0, 0, 0]
    with running.database.transaction() as stores:
        (past,) = stores.labels.history(MODEL, "flight 3")
    assert (past.value, past.told_by) == ("False", "a caller without a key")


def test_an_early_label_counts_as_soon_as_its_prediction_comes(
    running: Running, wait: Wait
) -> None:
    before = running.unmatched()
    assert running.label({"key": "early", "value": 1})[1]["unknown_names"] == ["early"]
    said = running.verb("status")
    assert f"{before + 1} match no prediction so far" in said
    running.predict("early")

    wait(lambda: running.unmatched() == before, "the label to find its prediction", 20)


def test_a_wrong_value_is_refused_with_the_classes(running: Running) -> None:
    status, answer = running.label({"key": "flight 4", "value": "late"})

    assert status == 400
    assert answer["fields"] == [
        {"field": "labels.0.value", "message": "should be one of the classes False, True"}
    ]
    assert running.values("flight 4") == {}


def test_what_was_answered_outlasts_the_death_of_every_process(
    running: Running, wait: Wait
) -> None:
    ids = [running.predict(f"k{n}")[0] for n in range(9)]
    for id in ids:
        status, _ = running.label({"prediction_id": id, "value": 1}, prefer="respond-async")
        assert status == 202
    for pid in tree(running.worker.pid):
        os.kill(pid, signal.SIGKILL)
    running.worker.wait(10)
    running.worker = Running.start_worker(running.settings, running.folder)

    wait(lambda: running.values(*ids) == dict.fromkeys(ids, "True"), "the labels to be applied", 60)
    wait(lambda: running.caller.is_ready, "the endpoint to be ready again", 120)
    for id in ids:
        with running.database.transaction() as stores:
            assert stores.labels.history(MODEL, id) == []


def test_the_command_corrects_what_a_caller_told(running: Running) -> None:
    running.predict("flight 5")
    running.label({"key": "flight 5", "value": 1})
    file = running.folder / "landed.csv"
    file.write_text("key,value\nflight 5,0\nflight 6,maybe\nflight 7,1\n")
    said = running.verb("label", MODEL, "--file", str(file))

    assert "2 labels for late-arrival: 1 new, 0 told before, 1 corrected" in said
    assert "1 names match no prediction so far: flight 7" in said
    assert running.values("flight 5", "flight 6") == {"flight 5": "False"}
