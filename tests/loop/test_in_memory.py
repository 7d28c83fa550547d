"""The whole loop in seconds: real training, real judgement, real Evidently, stores in memory.

Only the edges differ from production: versions lie in a folder instead of MLflow, the endpoint is
a function call, and time moves when the test says so.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from mlflow.models import Model

from trimtab.adapters.manifest import verify_manifest
from trimtab.adapters.predictor import Predictor
from trimtab.adapters.sql import SqlDatabase, open_database
from trimtab.records.incidents import IncidentState
from trimtab.records.labels import Label
from trimtab.records.logged import log_schema
from trimtab.records.requests import RequestState, RetrainRequest, Trigger
from trimtab.records.verdicts import VerdictKind
from trimtab.records.versions import Alias, ModelVersion
from trimtab.settings import Settings, load
from trimtab.testing.manual_clock import ManualClock
from trimtab.testing.memory_log import MemoryLog
from trimtab.testing.memory_registry import MemoryRegistry, MemoryReports
from trimtab_monitoring.versions import Versions
from trimtab_monitoring.watching import Watch
from trimtab_pipelines.bench import Bench
from trimtab_pipelines.check import check
from trimtab_pipelines.fitting import fit_candidates
from trimtab_pipelines.folds import fit_folds
from trimtab_pipelines.held_out import hold_out
from trimtab_pipelines.making import make_version
from trimtab_pipelines.pursuing import Pursuit
from trimtab_pipelines.split import split_by_time
from trimtab_pipelines.validation import baseline_loss, choose

MODEL = "churn"
START = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday
DAY = timedelta(days=1)
A_DAY = 240  # rows
LIVE, MOVED, END = 40, 48, 76  # days: traffic begins, the world moves, the test ends

TOML = """
[models.churn]
task = "binary"
source = "world:rows"
time = "at"
key = "id"
target = "left"

[models.churn.train]
candidates = ["xgboost"]

[models.churn.gate]
window = "4d"

[models.churn.monitor]
window = "2d"
false_alarms = "1 per quarter"
lateness = "1h"

[models.churn.retrain]
cooldown = "4d"
budget = "8 per month"
"""


def world() -> pd.DataFrame:
    """Rows whose `usage` falls, and means the opposite, from one day on."""
    rng = np.random.default_rng(7)
    day = np.repeat(np.arange(END), A_DAY)
    moved = day >= MOVED
    usage = rng.normal(np.where(moved, -4.0, 0.0), 1.0)
    plan = rng.choice(["basic", "plus"], len(day), p=[0.7, 0.3])
    odds = np.where(moved, 1.5 * (usage + 4.0), -1.5 * usage) + (plan == "plus")
    return pd.DataFrame(
        {
            "id": [f"c{n}" for n in range(len(day))],
            "at": [START + n * DAY / A_DAY for n in range(len(day))],
            "usage": usage,
            "plan": plan,
            "left": rng.random(len(day)) < 1 / (1 + np.exp(-odds)),
        }
    )


@dataclass
class Loop:
    """All parts, and the world that they live in."""

    settings: Settings
    folder: Path
    database: SqlDatabase
    rows: pd.DataFrame = field(default_factory=world)
    clock: ManualClock = field(default_factory=lambda: ManualClock(START))
    log: MemoryLog = field(default_factory=MemoryLog)
    reports: MemoryReports = field(default_factory=MemoryReports)
    registry: MemoryRegistry = field(default_factory=lambda: MemoryRegistry(verify_manifest))

    def bench(self) -> Bench:
        return Bench(
            settings=self.settings,
            clock=self.clock,
            database=self.database,
            registry=self.registry,
            reports=self.reports,
            collect=self.collect,
            train=self.train,
            end_stale_runs=lambda settings, model, alive_request: [],  # there are no runs
        )

    def watch(self) -> Watch:
        return Watch(
            model=MODEL,
            settings=self.settings.model(MODEL),
            clock=self.clock,
            database=self.database,
            inference_log=self.log,
            versions=Versions(registry=self.registry, home=self.settings.home),
            reports=self.reports,
        )

    def collect(self, settings: Settings, model: str, until: datetime) -> pd.DataFrame:
        return self.rows[self.rows["at"] < until]

    def train(
        self,
        settings: Settings,
        model: str,
        *,
        until: datetime,
        request_id: str,
        rows: pd.DataFrame | None = None,
        progress: Callable[[str], None] | None = None,
    ) -> ModelVersion:
        """Train as the pipeline does, but into a folder."""
        assert rows is not None
        chosen = settings.model(model)
        split = split_by_time(rows, chosen, until)
        checked = check(split.seen, split.fitted, model, chosen)
        candidates = fit_candidates(checked, split.fitted, chosen, lambda _: None)
        best = choose(candidates, baseline_loss(checked, candidates[0], chosen), chosen)
        held_out = hold_out(fit_folds(best, checked), checked, chosen)
        number = str(len(self.registry.versions(model)) + 1)
        folder = self.folder / "registry" / number
        about = Model(artifact_path="model", run_id=number)
        sha256 = make_version(folder, best, held_out, checked, split, chosen, about)
        version = ModelVersion(
            model=model,
            version=number,
            run_id=number,
            trained_until=split.trained_until,
            manifest_sha256=sha256,
        )
        self.registry.add(version, folder)
        return version

    def pursue(self) -> RequestState | None:
        """Do what the pipelines worker does with an open request."""
        with self.database.transaction() as stores:
            request = stores.requests.claim([MODEL], "test", timedelta(minutes=5))
        if request is None:
            return None
        return Pursuit(bench=self.bench(), request=request, holder="test").run().request.state

    def serve(self, day: int) -> None:
        """Answer a day's rows with the champion, capture them, and deliver their labels."""
        with self.database.transaction() as stores:
            champion = stores.promotions.current(MODEL)
        assert champion is not None
        version = champion.version
        folder = self.registry.download(MODEL, version, self.settings.home.version(MODEL, version))
        predictor = Predictor.load(folder, "cpu")
        start = START + day * DAY
        asked = self.rows[(self.rows["at"] >= start) & (self.rows["at"] < start + DAY)]
        answers = predictor.predict(asked)
        assert answers.probabilities is not None
        table = pa.Table.from_pylist(
            [
                {
                    "prediction_id": uuid.uuid4().hex,
                    "request_id": uuid.uuid4().hex,
                    "version": version,
                    "time": row.at,
                    "received": row.at,
                    "key": row.id,
                    "status": 200,
                    "latency_us": 1,
                    "inputs": {"usage": row.usage, "plan": row.plan},
                    "prediction": str(prediction),
                    "probabilities": list(probabilities),
                }
                for row, prediction, probabilities in zip(
                    asked.itertuples(), answers.predictions, answers.probabilities, strict=True
                )
            ],
            schema=log_schema(predictor.contract),
        )
        self.log.append(MODEL, version, f"day-{day}", table)
        self.clock.set(start + DAY + timedelta(hours=2))
        labels = [
            Label(key=str(row.id), value=str(row.left), known_at=self.clock.now())
            for row in asked.itertuples()
        ]
        with self.database.transaction() as stores:
            stores.labels.put(MODEL, labels)


@pytest.fixture
def loop(tmp_path: Path) -> Loop:
    (tmp_path / "trimtab.toml").write_text(TOML)
    database = open_database(f"sqlite:///{tmp_path / 'trimtab.db'}")
    return Loop(settings=load(tmp_path), folder=tmp_path, database=database)


def first_version(loop: Loop) -> RequestState | None:
    loop.clock.set(START + LIVE * DAY)
    with loop.database.transaction() as stores:
        stores.requests.ask(
            RetrainRequest(
                id=uuid.uuid4().hex,
                model=MODEL,
                trigger=Trigger.FIRST,
                asked_by="test",
                asked_at=loop.clock.now(),
            )
        )
    return loop.pursue()


def test_the_loop_finds_the_drift_replaces_the_model_and_settles(loop: Loop) -> None:
    assert first_version(loop) is RequestState.PROMOTED
    ended: list[tuple[int, RequestState]] = []
    watch = loop.watch()
    for day in range(LIVE, END):
        loop.serve(day)
        while watch.step():
            pass
        state = loop.pursue()
        if state is not None:
            ended.append((day, state))

    with loop.database.transaction() as stores:
        verdicts = stores.verdicts.recent(MODEL, limit=1000)
        incidents = stores.incidents.recent(MODEL)
        promotions = stores.promotions.history(MODEL)
        ledger_rows = stores.ledger.verify()
    before = [v for v in verdicts if v.window.end <= START + MOVED * DAY]
    assert before
    assert {v.kind for v in before} == {VerdictKind.STABLE}
    assert any(v.kind is VerdictKind.DRIFT for v in verdicts if v.version == "1")
    assert any(v.quality is not None and v.quality.is_worse for v in verdicts)
    first_won = next(day for day, state in ended if state is RequestState.PROMOTED)
    assert MOVED < first_won <= MOVED + 10
    assert len(promotions) >= 2
    assert promotions[0].epoch == len(promotions)
    assert loop.registry.aliased(MODEL, Alias.CHAMPION) == promotions[0].version
    assert incidents
    assert all(incident.state is IncidentState.RESOLVED for incident in incidents)
    newest = verdicts[0]
    assert newest.version == promotions[0].version
    assert newest.kind is VerdictKind.STABLE
    assert newest.quality is not None
    assert not newest.quality.is_worse
    assert ledger_rows > len(verdicts)


def test_without_a_change_nothing_is_asked_for(loop: Loop) -> None:
    unmoved = loop.rows[loop.rows["at"] < START + MOVED * DAY]
    loop.rows = unmoved
    first_version(loop)
    watch = loop.watch()
    for day in range(LIVE, MOVED):
        loop.serve(day)
        while watch.step():
            pass

        assert loop.pursue() is None
    with loop.database.transaction() as stores:
        assert stores.incidents.recent(MODEL) == []
