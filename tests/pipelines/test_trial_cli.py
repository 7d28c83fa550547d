"""The verbs of trials, as a person at a terminal meets them."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pandas as pd
import pyarrow as pa
import pytest
from click.testing import CliRunner, Result
from mlflow import MlflowClient

from trimtab.adapters.opening import open_database, open_log
from trimtab.adapters.predictor import Predictor
from trimtab.errors import ExitCode
from trimtab.records.logged import log_schema
from trimtab.settings import Settings, load
from trimtab_pipelines import cli, trial_cli
from trimtab_pipelines.trial_errors import NoTrialError, TrialRunningError
from trimtab_pipelines.worker import open_worker

Verb = Callable[..., Result]


@pytest.fixture
def run(project: Path) -> Verb:
    """Run a verb in the project's folder."""

    def verb(name: str, *args: str) -> Result:
        command = getattr(trial_cli, name, None) or getattr(cli, name)
        return CliRunner().invoke(command, [*args, "--project", str(project)])

    return verb


def answered(settings: Settings, model: str, start: datetime, every: timedelta, rows: int) -> None:
    """Put answers of version 1 into the inference log."""
    predictor = Predictor.load(settings.home.version(model, "1"), "cpu")
    x = [n / rows * 4 - 2 for n in range(rows)]
    answers = predictor.predict(pd.DataFrame({"x": x}))
    assert answers.probabilities is not None
    table = pa.Table.from_pylist(
        [
            {
                "prediction_id": f"{n}-0",
                "request_id": str(n),
                "time": start + n * every,
                "received": start,
                "status": 200,
                "latency_us": 900,
                "inputs": {"x": x[n]},
                "prediction": str(answers.predictions[n]),
                "probabilities": answers.probabilities[n].tolist(),
            }
            for n in range(rows)
        ],
        schema=log_schema(predictor.contract),
    )
    open_log(settings).append(model, "1", f"from {start:%FT%H%M%S}", table)


@pytest.mark.e2e
@pytest.mark.timeout(600)
def test_a_person_tries_a_version_and_the_worker_compares_what_comes(
    run: Verb, project: Path, mlflow_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = f"m-{uuid4().hex[:10]}"
    path = project / "trimtab.toml"
    learner = f'[models.{model}.train]\ncandidates = ["logistic"]\nsearch.trials = 0\n'
    learner += f'[models.{model}.monitor]\nlateness = "1s"\n'
    path.write_text(path.read_text().replace("models.late", f"models.{model}") + learner)
    monkeypatch.setenv("TRIMTAB_TRACKING_URI", mlflow_server)
    settings = load(project)
    assert run("train", model).exit_code == ExitCode.OK
    assert run("train", model).exit_code == ExitCode.REFUSED, "a second one is not better"
    yesterday = datetime.now(UTC) - timedelta(days=1)
    answered(settings, model, yesterday, timedelta(minutes=2), 300)

    early = run("trial", model)
    assert isinstance(early.exception, NoTrialError)
    shadowed = run("shadow", model, "2", "--last", "2d")
    assert shadowed.exit_code == ExitCode.OK, shadowed.output
    assert "shadow" in shadowed.output
    said = json.loads(run("trial", model, "--json").output)
    assert (said["trial"]["state"], said["result"]["overall"]["rows"]) == ("ended", 300)
    assert said["result"]["overall"]["agreed"] == 1.0, "it learned from the same rows"
    run_id = MlflowClient(mlflow_server).get_model_version(model, "2").run_id or ""
    published = MlflowClient(mlflow_server).list_artifacts(run_id, "trials")
    assert [file.path.startswith("trials/shadow-") for file in published] == [True]

    begun = run("canary", model, "2", "--share", "10%", "--for", "3d", "--why", "to see")
    assert begun.exit_code == ExitCode.OK, begun.output
    assert f"trimtab trial {model} --end" in begun.output
    again = run("canary", model, "2", "--share", "20%", "--why", "more")
    assert isinstance(again.exception, TrialRunningError)
    answered(settings, model, datetime.now(UTC), timedelta(milliseconds=1), 40)

    def compared() -> int:
        result = json.loads(run("trial", model, "--json").output)["result"]
        return int(result["overall"]["rows"]) if result else 0

    worker = open_worker(settings)
    worker.trials.pause = 0.1
    deadline = time.monotonic() + 240
    while compared() < 40 and time.monotonic() < deadline:
        worker.trials.step()
        time.sleep(0.1)
    worker.trials.drop()
    assert compared() == 40
    ended = run("trial", model, "--end", "--why", "seen enough")
    assert ended.exit_code == ExitCode.OK, ended.output
    with open_database(settings).transaction() as stores:
        events = [e.event for e in reversed(stores.ledger.entries(model))][-4:]
        (canary, _) = stores.trials.recent(model)
    assert events == ["trial begun", "trial ended"] * 2
    assert canary.ended_because[0].endswith("ended it: seen enough")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("canary", "late", "2", "--share", "10%"), "--why"),
        (("canary", "late", "2", "--share", "0", "--why", "x"), "above 0%"),
        (("canary", "late", "2", "--share", "100%", "--why", "x"), "below 100%"),
        (("canary", "late", "2", "--share", "ten", "--why", "x"), "write 10%"),
        (("canary", "late", "2", "--share", "nan", "--why", "x"), "write 10%"),
        (("shadow", "late", "2", "--last", "soon"), "write 90s"),
        (("shadow", "late", "2", "--last", "7d", "--for", "7d"), "use one of them"),
        (("trial", "late", "--why", "x"), "--end"),
    ],
)
def test_wrong_use_is_said_before_anything_is_done(
    run: Verb, args: tuple[str, ...], said: str
) -> None:
    done = run(*args)

    assert done.exit_code == ExitCode.USAGE
    assert said in done.output
