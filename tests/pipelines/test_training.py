"""Trainings against a real MLflow server: what they leave there, and what they must not."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import uuid4

import mlflow
import numpy as np
import pandas as pd
import pytest
import yaml
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.entities import Run
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine

from trimtab.adapters.golden import replay_golden
from trimtab.adapters.manifest import verify_manifest
from trimtab.adapters.predictor import Predictor
from trimtab.records.contracts import Contract
from trimtab.records.documents import from_json
from trimtab.records.reference import OUTPUT, Reference
from trimtab.records.schema import Schema
from trimtab.records.versions import ModelVersion
from trimtab.settings import Environment, Settings, load
from trimtab_pipelines.errors import DataRefusedError, NoCandidateError
from trimtab_pipelines.search_runs import NUMBER_TAG
from trimtab_pipelines.tracking import end_stale_runs
from trimtab_pipelines.training import train_version

pytestmark = pytest.mark.e2e

UNTIL = datetime(2020, 1, 1, tzinfo=UTC)
DATA = {
    "binary": load_breast_cancer,
    "multiclass": load_wine,
    "regression": load_diabetes,
}


@dataclass(frozen=True)
class Project:
    """A user's project, and MLflow as the project sees it."""

    settings: Settings
    model: str

    def train(self, request: str = "first", said: list[str] | None = None) -> ModelVersion:
        return train_version(
            self.settings,
            self.model,
            until=UNTIL,
            request_id=f"{self.model}-{request}",
            progress=(said if said is not None else list[str]()).append,
        )

    @property
    def client(self) -> MlflowClient:
        uri = self.settings.tracking_uri
        return MlflowClient(tracking_uri=uri, registry_uri=uri)

    def runs(self) -> list[Run]:
        """Give the runs of trainings, without those of their search trials."""
        experiment = self.client.get_experiment_by_name(self.model)
        found = self.client.search_runs([experiment.experiment_id]) if experiment else []
        return [run for run in found if NUMBER_TAG not in run.data.tags]

    def versions(self) -> int:
        return len(self.client.search_model_versions(f"name = '{self.model}'"))


def project(
    folder: Path, tracking_uri: str, task: str, max_gap: float = 2.0, trials: int = 0
) -> Project:
    """Data of scikit-learn, with times, in a project of its own."""
    frame = DATA[task](as_frame=True).frame.sample(frac=1, random_state=0)
    frame["at"] = pd.date_range("2019-01-01", periods=len(frame), freq="h")
    frame.to_parquet(folder / "rows.parquet")
    model = f"{task}-{uuid4().hex[:8]}"
    linear = {"regression": ', "ridge"', "multiclass": ', "logistic"'}.get(task, "")
    (folder / "trimtab.toml").write_text(
        f"""
[models.{model}]
task = "{task}"
source = "*.parquet"
time = "at"
target = "target"

[models.{model}.train]
candidates = ["xgboost"{linear}]
max_gap = {max_gap}
search.trials = {trials}
"""
    )
    return Project(load(folder, Environment(tracking_uri=tracking_uri)), model)


def search_trials(project: Project) -> list[Run]:
    """Give the runs of search trials."""
    experiment = project.client.get_experiment_by_name(project.model)
    assert experiment is not None
    found = project.client.search_runs([experiment.experiment_id])
    return [run for run in found if NUMBER_TAG in run.data.tags]


@dataclass(frozen=True)
class Trained:
    """A project, the version it made, and the files that came back from the server."""

    project: Project
    version: ModelVersion
    folder: Path
    said: list[str]


@pytest.fixture(scope="module", params=list(DATA))
def trained(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, mlflow_server: str
) -> Trained:
    source = tmp_path_factory.mktemp(request.param)
    made = project(source, mlflow_server, request.param, trials=5)
    said: list[str] = []
    version = made.train(said=said)
    found = made.client.get_model_version(made.model, version.version).source or ""
    location = made.client.get_logged_model(found.removeprefix("models:/")).artifact_location
    folder = download_artifacts(
        location,
        dst_path=str(tmp_path_factory.mktemp("files")),
        tracking_uri=mlflow_server,
    )
    return Trained(made, version, Path(folder), said)


def test_the_bytes_that_come_back_are_those_of_the_manifest(trained: Trained) -> None:
    verify_manifest(trained.folder, trained.version.manifest_sha256)


def test_the_signature_is_the_contracts_schema(trained: Trained) -> None:
    logged = yaml.safe_load((trained.folder / "MLmodel").read_text())
    contract = from_json(Contract, (trained.folder / "contract.json").read_bytes())

    assert Schema.from_mlflow(logged["signature"]["inputs"]) == contract.schema
    assert contract.model == trained.project.model
    assert "at" not in contract.schema.names


def test_no_pickle_leaves_the_training(trained: Trained) -> None:
    for path in trained.folder.rglob("*"):
        if path.is_file():
            assert path.suffix not in (".pkl", ".pickle", ".joblib")
            assert not path.read_bytes().startswith((b"\x80\x04", b"\x80\x05"))
    logged = yaml.safe_load((trained.folder / "MLmodel").read_text())
    assert logged["flavors"]["sklearn"]["serialization_format"] == "skops"


def test_the_golden_rows_are_reproduced_by_what_comes_back(trained: Trained) -> None:
    report = replay_golden(trained.folder, Predictor.load(trained.folder, "cpu"))

    assert report.matches
    assert 100 <= report.rows <= 200


def test_mlflow_itself_can_load_the_model(trained: Trained) -> None:
    rows = pd.read_parquet(trained.folder / "golden.parquet")
    model = mlflow.pyfunc.load_model(str(trained.folder))
    answers = Predictor.load(trained.folder, "cpu").predict(rows)
    wanted = answers.predictions if answers.probabilities is None else answers.probabilities

    inputs = rows[model.metadata.get_input_schema().input_names()]
    np.testing.assert_allclose(model.predict(inputs), np.asarray(wanted, float), rtol=1e-6)


def test_reference_and_its_sample_lie_beside_the_model(trained: Trained) -> None:
    contract = from_json(Contract, (trained.folder / "contract.json").read_bytes())
    reference = from_json(Reference, (trained.folder / "reference.json").read_bytes())
    sample = pd.read_parquet(trained.folder / "reference.parquet")

    assert [column.name for column in reference.columns] == [*contract.schema.names, OUTPUT]
    assert sample.columns.tolist() == [*contract.schema.names, OUTPUT, "(label)"]
    assert len(sample) == reference.rows
    assert reference.quality is not None
    run = trained.project.client.get_run(trained.version.run_id)
    metric = reference.quality.metric
    assert reference.quality.expected == pytest.approx(run.data.metrics[f"validation.{metric}"])


def test_the_run_holds_all_that_the_version_rests_on(trained: Trained) -> None:
    run = trained.project.client.get_run(trained.version.run_id)
    candidate = run.data.params["candidate"]

    assert run.info.status == "FINISHED"
    assert run.info.run_name.startswith(f"{trained.project.model} until 2019-01-")
    metrics = run.data.metrics
    metric = run.data.params["metric"]
    for part in ("train", "validation"):
        assert metrics[f"{part}.{metric}"] == metrics[f"{candidate}.{part}.{metric}"]
    assert metrics["gap"] == pytest.approx(
        metrics[f"validation.{metric}"] - metrics[f"train.{metric}"]
    )
    assert metrics[f"validation.{metric}"] < metrics["baseline"]
    assert run.data.params["train.max_gap"] == "2.0"
    assert run.data.tags["trimtab.code"]
    assert run.data.tags["mlflow.note.content"].startswith(f"**{candidate}**")
    plots = {
        Path(f.path).name for f in trained.project.client.list_artifacts(run.info.run_id, "plots")
    }
    assert {"importance.csv", "importance.png", "search.png"} <= plots
    assert len(plots) >= 3


def test_every_search_trial_is_a_child_of_the_run(trained: Trained) -> None:
    children = search_trials(trained.project)
    run = trained.project.client.get_run(trained.version.run_id)

    assert run.data.metrics["search.trials"] == 5 == len(children)
    assert {child.data.tags["mlflow.parentRunId"] for child in children} == {run.info.run_id}
    assert sorted(child.data.tags[NUMBER_TAG] for child in children) == list("01234")
    for child in children:
        assert child.info.status in ("FINISHED", "KILLED")  # KILLED is for those that were pruned
        assert child.data.params["window"] in ("all", "recent", "weighted")
        assert np.isfinite(child.data.metrics["loss"])
        assert child.info.start_time < child.info.end_time


def test_the_importance_of_every_input_is_kept_and_shown(trained: Trained) -> None:
    contract = from_json(Contract, (trained.folder / "contract.json").read_bytes())
    kept = from_json(Reference, (trained.folder / "reference.json").read_bytes()).importance
    client, run_id = trained.project.client, trained.version.run_id
    table = pd.read_csv(client.download_artifacts(run_id, "plots/importance.csv"))

    assert list(kept) == contract.schema.names
    assert sum(kept.values()) == pytest.approx(1)
    assert dict(zip(table["column"], table["importance"], strict=True)) == pytest.approx(kept)
    assert table["importance"].is_monotonic_decreasing


@pytest.mark.parametrize("trained", ["binary", "regression"], indirect=True)
def test_the_outputs_of_the_reference_are_not_those_of_who_has_seen_the_rows(
    trained: Trained,
) -> None:
    sample = pd.read_parquet(trained.folder / "reference.parquet")
    answers = Predictor.load(trained.folder, "cpu").predict(sample)
    said = answers.predictions if answers.probabilities is None else answers.probabilities[:, 1]
    truth = pd.to_numeric(sample["(label)"]).to_numpy(dtype=float)

    def error(output: object) -> float:
        return float(np.abs(np.asarray(output, dtype=float) - truth).mean())

    assert error(sample[OUTPUT]) > error(said)


def test_the_dataset_snapshot_says_exactly_which_rows(trained: Trained) -> None:
    run = trained.project.client.get_run(trained.version.run_id)
    assert run.inputs is not None
    dataset = run.inputs.dataset_inputs[0].dataset
    tags = trained.version.tags

    assert dataset.name == trained.project.model
    assert dataset.digest == tags["trimtab.digest"]
    assert json.loads(dataset.profile or "")["num_rows"] == int(tags["trimtab.rows"])
    assert json.loads(dataset.source)["uri"].startswith(str(trained.project.settings.folder))
    assert tags["trimtab.first_row"].startswith("2019-01-01T00:00:00")
    assert datetime.fromisoformat(tags["trimtab.last_row"]) < trained.version.trained_until


def test_requirements_are_pinned_and_no_more_than_needed(trained: Trained) -> None:
    lines = (trained.folder / "requirements.txt").read_text().split()
    candidate = trained.version.tags["trimtab.candidate"]

    assert all("==" in line for line in lines)
    names = {line.split("==")[0] for line in lines}
    assert ("xgboost" in names) == (candidate == "xgboost")
    assert {"scikit-learn", "skops", "numpy", "pandas"} <= names
    assert not {"bentoml", "evidently", "matplotlib", "trimtab"} & names


def test_an_input_example_is_kept(trained: Trained) -> None:
    example = json.loads((trained.folder / "input_example.json").read_text())
    contract = from_json(Contract, (trained.folder / "contract.json").read_bytes())

    assert example["columns"] == contract.schema.names
    assert len(example["data"]) == 5


def test_people_are_told_how_far_it_is(trained: Trained) -> None:
    assert "are kept for the gate" in trained.said[0]
    assert any(line.startswith("trial 4 of 5: ") and "s left" in line for line in trained.said)
    assert trained.said[-1] == "registered as version 1"


def test_the_version_describes_itself(trained: Trained) -> None:
    found = trained.project.client.get_model_version(trained.project.model, trained.version.version)

    assert "| candidate |" in (found.description or "")
    assert "kept for the gate" in (found.description or "")
    assert "- Searched: 5 of 5 trials" in (found.description or "")
    assert f"- Window: **{found.tags['trimtab.window']}**" in (found.description or "")
    assert dict(found.tags) == dict(trained.version.tags)


def test_asking_again_for_the_same_request_gives_the_same_version(trained: Trained) -> None:
    assert trained.project.train() == trained.version
    assert len(trained.project.runs()) == 1
    assert trained.project.versions() == 1


def test_a_training_killed_after_registering_is_finished_by_asking_again(trained: Trained) -> None:
    run_id = trained.version.run_id
    trained.project.client.update_run(run_id, status="RUNNING")

    assert trained.project.train() == trained.version
    assert trained.project.client.get_run(run_id).info.status == "FINISHED"


def test_refused_data_leaves_nothing_behind(tmp_path: Path, mlflow_server: str) -> None:
    made = project(tmp_path, mlflow_server, "binary")
    rows = pd.read_parquet(tmp_path / "rows.parquet")
    rows.assign(leak=rows["target"] * 2).to_parquet(tmp_path / "rows.parquet")

    with pytest.raises(DataRefusedError, match="leak"):
        made.train()

    assert made.runs() == []
    assert made.versions() == 0


def test_a_training_that_fails_ends_its_run_and_registers_nothing(
    tmp_path: Path, mlflow_server: str
) -> None:
    made = project(tmp_path, mlflow_server, "binary", max_gap=1e-9)

    with pytest.raises(NoCandidateError):
        made.train()

    (run,) = made.runs()
    assert run.info.status == "FAILED"
    assert "learned its rows by heart" in run.data.tags["trimtab.failure"]
    assert made.versions() == 0


def test_what_a_killed_training_left_running_is_ended_by_the_next(
    tmp_path: Path, mlflow_server: str
) -> None:
    made = project(tmp_path, mlflow_server, "regression")
    experiment = made.client.create_experiment(made.model)
    request = {"trimtab.request": f"{made.model}-first"}
    killed = made.client.create_run(experiment, tags=request)

    made.train()

    states = {run.info.run_id: run.info.status for run in made.runs()}
    assert states.pop(killed.info.run_id) == "KILLED"
    assert list(states.values()) == ["FINISHED"]


def test_stale_runs_are_ended_and_the_living_one_is_not(tmp_path: Path, mlflow_server: str) -> None:
    made = project(tmp_path, mlflow_server, "binary")
    assert end_stale_runs(made.settings, made.model, None) == []
    experiment = made.client.create_experiment(made.model)
    stale, alive, foreign = (
        made.client.create_run(experiment, tags=tags).info.run_id
        for tags in ({"trimtab.request": "old"}, {"trimtab.request": "new"}, {})
    )

    ended = end_stale_runs(made.settings, made.model, "new")

    assert sorted(ended) == sorted([stale, foreign])
    assert made.client.get_run(alive).info.status == "RUNNING"
    assert made.client.get_run(stale).info.status == "KILLED"


@contextmanager
def losing_answers(upstream: str, *paths: str) -> Iterator[tuple[str, list[str]]]:
    """A proxy that passes everything on, and loses the first answer of each of the paths."""
    host, port = upstream.removeprefix("http://").split(":")
    to_lose, lost = list(paths), list[str]()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {k: v for k, v in self.headers.items() if k.lower() != "host"}
            there = HTTPConnection(host, int(port), timeout=60)
            there.request(self.command, self.path, body, headers)
            answer = there.getresponse()
            content = answer.read()
            there.close()
            path = self.path.split("?")[0]
            for ending in to_lose:
                if path.endswith(ending) and self.command == "POST":
                    to_lose.remove(ending)
                    lost.append(ending)
                    self.close_connection = True
                    return
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = pass_on

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", lost
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_lost_answers_make_neither_a_second_run_nor_a_second_version(
    tmp_path: Path, mlflow_server: str
) -> None:
    creations = (
        "/experiments/create",
        "/runs/create",
        "/logged-models",
        "/registered-models/create",
        "/model-versions/create",
        "/runs/log-batch",
        "/runs/update",
    )
    with losing_answers(mlflow_server, *creations) as (proxy, lost):
        made = project(tmp_path, proxy, "regression", trials=1)
        version = made.train()

    assert sorted(lost) == sorted(creations)
    direct = Project(load(tmp_path, Environment(tracking_uri=mlflow_server)), made.model)
    (run,) = direct.runs()
    (trial,) = search_trials(direct)
    assert {run.info.status, trial.info.status} == {"FINISHED"}
    assert run.info.run_id == version.run_id
    assert direct.versions() == 1
    assert len(direct.client.search_logged_models([run.info.experiment_id])) == 1
