"""A search whose process is killed: the next one goes on with the trials it has done."""

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from trimtab.adapters.opening import open_database
from trimtab.records.searches import SearchTrial
from trimtab.settings import Environment, Settings, load
from trimtab_pipelines.check import Checked
from trimtab_pipelines.collect import collect
from trimtab_pipelines.search_memory import StoredMemory, basis_of
from trimtab_pipelines.search_runs import NUMBER_TAG, STATE_TAG
from trimtab_pipelines.selecting import prepare
from trimtab_pipelines.training import train_version

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

UNTIL = datetime(2020, 1, 1, tzinfo=UTC)
TRIALS = 7
TRAIN = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from trimtab.settings import Environment, load
from trimtab_pipelines.training import train_version
folder, uri, model = sys.argv[1:]
settings = load(Path(folder), Environment(tracking_uri=uri))
train_version(settings, model, until=datetime(2020, 1, 1, tzinfo=UTC), request_id="r1")
"""


def project(folder: Path, tracking_uri: str) -> tuple[Settings, str]:
    random, rows = np.random.default_rng(0), 1500
    x = random.normal(size=(rows, 3))
    frame = pd.DataFrame(x, columns=["a", "b", "c"])
    frame["late"] = random.random(rows) < 1 / (1 + np.exp(-2 * x[:, 0] - x[:, 1]))
    frame["at"] = pd.date_range("2019-01-01", periods=rows, freq="h")
    frame.to_parquet(folder / "rows.parquet")
    model = f"killed-{uuid4().hex[:8]}"
    (folder / "trimtab.toml").write_text(
        f"""
[models.{model}]
task = "binary"
source = "rows.parquet"
time = "at"
target = "late"

[models.{model}.train]
candidates = ["xgboost", "logistic"]
search = {{ trials = {TRIALS}, time_limit = "1h" }}
"""
    )
    return load(folder, Environment(tracking_uri=tracking_uri)), model


def checked_of(settings: Settings, model: str) -> Checked:
    known = collect(settings, model, UNTIL)
    return prepare(known, model, settings.model(model), UNTIL).checked


def children(client: MlflowClient, model: str) -> list[Run]:
    experiment = client.get_experiment_by_name(model)
    assert experiment is not None
    found = client.search_runs([experiment.experiment_id])
    return [run for run in found if NUMBER_TAG in run.data.tags]


def test_a_killed_search_goes_on_and_leaves_no_child_running(
    tmp_path: Path, mlflow_server: str
) -> None:
    settings, model = project(tmp_path, mlflow_server)
    basis = basis_of(checked_of(settings, model), settings.model(model))
    memory = StoredMemory(database=open_database(settings), request_id="r1", basis=basis)
    killed_with = kill_after(3, memory, tmp_path, mlflow_server, model)
    client = MlflowClient(tracking_uri=mlflow_server)
    # as if it had died between writing a child and ending it, and before writing another
    ended, half = [run for run in children(client, model) if STATE_TAG in run.data.tags][:2]
    client.update_run(ended.info.run_id, status="KILLED")
    client.delete_tag(half.info.run_id, STATE_TAG)
    client.update_run(half.info.run_id, status="RUNNING")

    said: list[str] = []
    version = train_version(settings, model, until=UNTIL, request_id="r1", progress=said.append)

    done = memory.trials()
    assert list(done[: len(killed_with)]) == list(killed_with)
    assert [trial.number for trial in done] == list(range(TRIALS))
    assert f"the search goes on behind trial {len(killed_with)}" in said
    found = children(client, model)
    assert sorted(int(run.data.tags[NUMBER_TAG]) for run in found) == list(range(TRIALS))
    assert {run.data.tags["mlflow.parentRunId"] for run in found} == {version.run_id}
    states = {"done": "FINISHED", "pruned": "KILLED", "failed": "FAILED"}
    for run in found:
        assert run.info.status == states[run.data.tags[STATE_TAG]]
    experiment = client.get_experiment_by_name(model)
    assert experiment is not None
    assert not client.search_runs([experiment.experiment_id], "attributes.status = 'RUNNING'")


def kill_after(
    count: int, memory: StoredMemory, folder: Path, tracking_uri: str, model: str
) -> list[SearchTrial]:
    """Train in a process of its own, and kill it once so many trials are in the database."""
    process = subprocess.Popen([sys.executable, "-c", TRAIN, str(folder), tracking_uri, model])
    deadline = time.monotonic() + 250
    while len(memory.trials()) < count:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    done = list(memory.trials())
    assert count <= len(done) < TRIALS
    return done
