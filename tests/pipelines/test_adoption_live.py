"""An alias moved by hand on a real MLflow server, while a worker runs as it is supervised."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
from mlflow import MlflowClient

from trimtab.adapters.opening import open_database
from trimtab.records.ledger import LedgerEntry
from trimtab.records.requests import RetrainRequest, Trigger
from trimtab.settings import load

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.timeout(900)]
SECONDS = 300.0


def until(holds: Callable[[], object], what: str) -> float:
    """Wait for something; give how long that took."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < SECONDS, f"never came: {what}"
        time.sleep(0.05)
    return time.monotonic() - began


def test_what_somebody_points_the_alias_at_is_checked_and_put_back_with_the_reasons(
    project: Path, mlflow_server: str
) -> None:
    model = f"m-{uuid4().hex[:10]}"
    toml = (project / "trimtab.toml").read_text().replace("models.late", f"models.{model}")
    (project / "trimtab.toml").write_text(
        f'{toml}\n[models.{model}.train]\ncandidates = ["logistic"]\nsearch.trials = 0\n'
        f'[models.{model}.promotion]\nhand_moves = "adopt"\n'
        f"[platform]\nmlflow_port = {mlflow_server.rpartition(':')[2]}\n"
    )
    settings = load(project)
    database, client = open_database(settings), MlflowClient(tracking_uri=mlflow_server)

    def entries(event: str) -> list[LedgerEntry]:
        with database.transaction() as stores:
            return [e for e in stores.ledger.entries(model) if e.event == event]

    def point_and_wait(version: str, event: str) -> float:
        before = len(entries(event))
        client.set_registered_model_alias(model, "champion", version)
        return until(lambda: len(entries(event)) > before, event)

    worker = subprocess.Popen(
        [sys.executable, "-m", "trimtab_pipelines.worker", str(settings.folder)],
        env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"},
    )
    try:
        until(lambda: entries("version promoted"), "a first champion")
        with database.transaction() as stores:
            asked = RetrainRequest(
                id=uuid4().hex,
                model=model,
                trigger=Trigger.MANUAL,
                asked_by="tests",
                asked_at=entries("version promoted")[0].at,
            )
            assert stores.requests.ask(asked)
        until(lambda: entries("challenger rejected"), "a version that is no better")
        noticed = point_and_wait("2", "alias moved by hand")
        until(lambda: entries("alias put back"), "the end of the checks")
        is_back = until(
            lambda: client.get_model_version_by_alias(model, "champion").version == "1", "alias"
        )
        foreign = client.get_model_version(model, "1")
        source = str(foreign.source)
        other = client.create_model_version(
            model, source, foreign.run_id, model_id=source.removeprefix("models:/")
        )
        put_back = point_and_wait(str(other.version), "alias moved by hand")
    finally:
        worker.terminate()
        worker.wait(30)

    print(f"noticed {noticed:.1f} s, back {is_back:.1f} s, foreign {put_back:.1f} s")  # noqa: T201
    assert "Not proven better" in " ".join(entries("alias put back")[0].reasons)
    assert "carries no manifest" in " ".join(entries("alias moved by hand")[0].reasons)
    with database.transaction() as stores:
        assert [move.version for move in stores.promotions.history(model)] == ["1"]
        assert len(stores.outbox.due()) == 2
        stores.ledger.verify()
