"""A project on a real MLflow server, and processes that are killed at its boundaries."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from sqlalchemy import text

from trimtab.adapters.opening import open_clock
from trimtab.adapters.sql import SqlDatabase, open_database
from trimtab.records.requests import RetrainRequest, Trigger
from trimtab.settings import Settings, load

ROOT = Path(__file__).parents[2]
START = datetime(2013, 1, 1, tzinfo=UTC)
ROWS = 300
TOML = """
[models.{model}]
task = "binary"
source = "rows.csv"
time = "at"
target = "late"

[models.{model}.train]
candidates = ["logistic"]
search.trials = 0

[models.{model}.gate]
min_rows = 100

[platform]
mlflow_port = {port}
"""


def rows() -> pd.DataFrame:
    """Rows in which `x` says how likely `late` is."""
    random = np.random.default_rng(3)
    x = random.normal(size=ROWS)
    return pd.DataFrame(
        {
            "at": [START + timedelta(hours=n) for n in range(ROWS)],
            "x": x,
            "late": random.random(ROWS) < 1 / (1 + np.exp(-3 * x)),
        }
    )


class Zygote:
    """Runs courses in processes of their own, one after the other."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.courses"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, **order: object) -> int:
        """Run a course to its end, or to that of its process; gives the exit code."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


@dataclass
class Scene:
    """One model: its project, its database, and what MLflow has of it."""

    zygote: Zygote
    settings: Settings
    database: SqlDatabase
    client: MlflowClient
    model: str

    def run(
        self, course: str, *, who: str = "job", kill: str | None = None, side: str = "", **more: str
    ) -> int:
        """Run a course of this model, killed at a boundary or not."""
        for left in ("tape", "fired"):
            (self.settings.folder / left).unlink(missing_ok=True)
        return self.go_on(course, who=who, kill=kill, side=side, **more)

    def go_on(
        self, course: str, *, who: str = "", kill: str | None = None, side: str = "", **more: str
    ) -> int:
        """Run a course after another one was broken off."""
        order = {"folder": str(self.settings.folder), "model": self.model, "course": course}
        return self.zygote.run(**order, who=who, kill=kill, side=side, **more)

    @property
    def tape(self) -> list[str]:
        """The boundaries of the last course, in their order."""
        return (self.settings.folder / "tape").read_text().splitlines()

    @property
    def has_fired(self) -> bool:
        return (self.settings.folder / "fired").exists()

    def lapse(self) -> None:
        """Let the time of every lease pass."""
        with self.database.engine.begin() as connection:
            connection.execute(text("UPDATE retrain_requests SET lease_until = 0"))

    def ask(self) -> None:
        """File a request by hand."""
        with self.database.transaction() as stores:
            assert stores.requests.ask(
                RetrainRequest(
                    id=uuid4().hex,
                    model=self.model,
                    trigger=Trigger.MANUAL,
                    asked_by="tests",
                    asked_at=open_clock(self.settings).now(),
                )
            )

    def state(self) -> dict[str, Any]:
        """Tell all that must be the same whoever was killed on the way."""
        with self.database.transaction() as stores:
            moves = stores.promotions.history(self.model)
            requests = stores.requests.recent(self.model, limit=1000)
            entries = stores.ledger.entries(self.model, limit=10_000)
            stores.ledger.verify()
        runs = self._runs()
        found = self.client.search_model_versions(f"name = '{self.model}'")
        versions = {str(v.version): str(v.run_id) for v in found}
        return {
            "moves": [(move.version, move.epoch) for move in moves],
            "requests": [(request.state.value, request.version) for request in requests],
            "versions": sorted(versions),
            "runs of versions": sorted(runs[run_id] for run_id in versions.values()),
            "finished runs": list(runs.values()).count("FINISHED"),
            "running runs": list(runs.values()).count("RUNNING"),
            "aliases": self._aliases(),
            "events": sorted(
                (entry.event, entry.subject)
                for entry in entries
                if entry.event.startswith(("version", "challenger", "alias", "retrain declined"))
            ),
        }

    def _runs(self) -> dict[str, str]:
        experiment = self.client.get_experiment_by_name(self.model)
        if experiment is None:
            return {}
        found = self.client.search_runs([experiment.experiment_id])
        return {run.info.run_id: run.info.status for run in found}

    def _aliases(self) -> dict[str, str]:
        aliases: dict[str, str] = dict(self.client.get_registered_model(self.model).aliases)
        return {name: str(version) for name, version in aliases.items()}


Stage = Callable[..., Scene]


@pytest.fixture
def repeats() -> int:
    """How often each boundary of a long test is tried: $TRIMTAB_TEST_REPEATS, or once."""
    return int(os.environ.get("TRIMTAB_TEST_REPEATS", "1"))


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    started = Zygote()
    yield started
    started.close()


@pytest.fixture(scope="session")
def stage(
    zygote: Zygote, mlflow_server: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """Makes scenes, each with a model of its own."""
    made = []

    def make(tracking_uri: str = mlflow_server) -> Scene:
        model = f"m-{uuid4().hex[:10]}"
        folder = tmp_path_factory.mktemp("scene")
        port = tracking_uri.rpartition(":")[2]
        (folder / "trimtab.toml").write_text(TOML.format(model=model, port=port))
        settings = load(folder)
        database = open_database(settings.database_url)
        scene = Scene(zygote, settings, database, MlflowClient(tracking_uri=mlflow_server), model)
        rows().to_csv(folder / "rows.csv", index=False)
        made.append(scene)
        return scene

    yield make
    for scene in made:
        scene.database.close()
