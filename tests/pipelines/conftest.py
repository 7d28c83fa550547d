"""A small world for pipelines: real versions of a known skill, a registry in memory, SQLite."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import skops.io
from mlflow.models import Model
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from trimtab.adapters.golden import write_golden
from trimtab.adapters.manifest import verify_manifest, write_manifest
from trimtab.adapters.predictor import CONTRACT_FILE, MODEL_FILE, Predictor
from trimtab.adapters.sql import open_database
from trimtab.ports import Database
from trimtab.records.agreement import TrialResult
from trimtab.records.contracts import Contract, Task
from trimtab.records.documents import to_json
from trimtab.records.endpoints import EndpointStatus
from trimtab.records.estimates import Estimator, Method
from trimtab.records.logged import log_schema
from trimtab.records.promotions import Promotion
from trimtab.records.reference import Reference
from trimtab.records.requests import RequestState, RetrainRequest, Trigger
from trimtab.records.schema import Column, ColumnType, Schema
from trimtab.records.trials import Trial, TrialKind
from trimtab.records.versions import ModelVersion, Trained
from trimtab.settings import Settings, load
from trimtab.testing.memory_log import MemoryLog
from trimtab.testing.memory_registry import MemoryRegistry, MemoryReports
from trimtab_pipelines.bench import Bench
from trimtab_pipelines.signature import signature_of
from trimtab_pipelines.trained import write_trained
from trimtab_pipelines.trials import begin_trial, compare_now

MODEL = "late"
START = datetime(2013, 1, 1, tzinfo=UTC)
ROWS = 1200  # an hour apart: fifty days
SPLIT = START + timedelta(hours=900)  # versions are trained on what was before
END = START + timedelta(hours=ROWS)

TOML = """
[models.late]
task = "binary"
source = "rows.csv"
time = "at"
target = "late"
exclude = ["airport"]

[models.late.gate]
min_rows = 100
slices = ["airport"]

[models.late.retrain]
min_new_rows = 100
"""


@dataclass
class Clock:
    """A clock that stands still until it is set."""

    moment: datetime = END

    def now(self) -> datetime:
        return self.moment


def world(seed: int = 0) -> pd.DataFrame:
    """Rows in which `x` says how likely `late` is: log odds of 2 x."""
    random = np.random.default_rng(seed)
    x = random.normal(size=ROWS)
    return pd.DataFrame(
        {
            "at": [START + timedelta(hours=n) for n in range(ROWS)],
            "x": x,
            "airport": np.where(random.random(ROWS) < 0.5, "JFK", "LGA"),
            "late": random.random(ROWS) < 1 / (1 + np.exp(-2 * x)),
        }
    )


def reference(*, estimates: bool) -> Reference:
    """What the versions promise; their probabilities are taken at their word, if at all."""
    estimator = Estimator(
        method=Method.CBPE, metric="log_loss", expected=0.5, limit=0.6, margin=0.02, rows=500
    )
    return Reference(
        rows=400,
        columns=(),
        checks=(),
        calibrations=(),
        rows_needed=30,
        window=timedelta(days=1),
        false_alarms=0.01,
        estimator=estimator if estimates else None,
    )


@dataclass
class Shop:
    """Makes versions of a wished skill: 2.0 knows the truth, 0.0 nothing, -2.0 the opposite."""

    root: Path
    registry: MemoryRegistry
    skills: list[float] = field(default_factory=list)
    """Of the versions that training is going to make."""
    made: dict[str, ModelVersion] = field(default_factory=dict)
    """By the request that asked."""
    begun: int = 0
    while_training: Callable[[], None] = lambda: None
    estimates: bool = True
    """Whether versions carry what estimates their losses."""

    def add(self, skill: float, trained_until: datetime = SPLIT) -> ModelVersion:
        number = str(len(self.registry.versions(MODEL)) + 1)
        folder = self.root / number
        folder.mkdir(parents=True)
        x = np.linspace(-3, 3, 400).reshape(-1, 1)
        odds = np.random.default_rng(1).random(400) < 1 / (1 + np.exp(-skill * x[:, 0]))
        frame = pd.DataFrame({"x": x[:, 0]})
        pipeline = Pipeline([("model", LogisticRegression())]).fit(frame, odds)
        pipeline[-1].coef_[:] = skill
        pipeline[-1].intercept_[:] = 0.0
        columns = (Column(name="x", type=ColumnType.DOUBLE, required=True),)
        contract = Contract(
            model=MODEL,
            task=Task.BINARY,
            target="late",
            schema=Schema(columns=columns),
            classes=(False, True),
        )
        (folder / CONTRACT_FILE).write_bytes(to_json(contract))
        Model(signature=signature_of(contract)).save(folder / "MLmodel")
        skops.io.dump(pipeline, folder / MODEL_FILE)
        (folder / "reference.json").write_bytes(to_json(reference(estimates=self.estimates)))
        frame.assign(**{"(label)": odds}).to_parquet(folder / "reference.parquet")
        write_golden(folder, Predictor.load(folder), frame.head(50))
        write_trained(folder, Trained(until=trained_until, rows=900))
        version = ModelVersion(
            model=MODEL,
            version=number,
            run_id=f"run-{number}",
            trained_until=trained_until,
            manifest_sha256=write_manifest(folder),
        )
        self.registry.add(version, folder)
        return version

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
        """Train as the real one does: find what the request made already, or make it."""
        self.begun += 1
        self.while_training()
        if request_id not in self.made:
            self.made[request_id] = self.add(self.skills.pop(0))
        return self.made[request_id]


@dataclass
class Loop:
    """Everything a test of the loop reads and moves."""

    bench: Bench
    clock: Clock
    database: Database
    registry: MemoryRegistry
    reports: MemoryReports
    shop: Shop

    def ask(
        self, trigger: Trigger = Trigger.FIRST, *, asked_by: str = "tests", id: str = "r1"
    ) -> RetrainRequest:
        """File a request and claim it as `worker`."""
        request = RetrainRequest(
            id=id, model=MODEL, trigger=trigger, asked_by=asked_by, asked_at=self.clock.now()
        )
        with self.database.transaction() as stores:
            assert stores.requests.ask(request)
            claimed = stores.requests.claim([MODEL], "worker", timedelta(seconds=30))
        assert claimed is not None
        return claimed

    def crown(self, version: ModelVersion) -> Promotion:
        """Make a version champion without more ado."""
        with self.database.transaction() as stores:
            current = stores.promotions.current(MODEL)
            promotion = Promotion(
                model=MODEL,
                epoch=(current.epoch if current else 0) + 1,
                version=version.version,
                previous=current.version if current else None,
                manifest_sha256=version.manifest_sha256,
                actor="tests",
                reasons=(),
                at=self.clock.now() - timedelta(days=20),
            )
            stores.promotions.record(promotion)
        return promotion

    def champion(self) -> str | None:
        with self.database.transaction() as stores:
            current = stores.promotions.current(MODEL)
        return current.version if current else None

    def request(self, id: str = "r1") -> RetrainRequest:
        with self.database.transaction() as stores:
            return next(r for r in stores.requests.recent(MODEL) if r.id == id)

    def state(self, id: str = "r1") -> RequestState:
        return self.request(id).state

    def events(self) -> list[str]:
        """Give what happened, oldest first."""
        with self.database.transaction() as stores:
            return [entry.event for entry in reversed(stores.ledger.entries(MODEL))]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A user's folder."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "trimtab.toml").write_text(TOML)
    world().to_csv(folder / "rows.csv", index=False)
    return folder


@pytest.fixture
def loop(project: Path, tmp_path: Path) -> Loop:
    settings = load(project)
    clock, database = Clock(), open_database(settings.database_url)
    registry, reports = MemoryRegistry(verify_manifest), MemoryReports()
    shop = Shop(tmp_path / "made", registry)
    bench = Bench(
        settings=settings,
        clock=clock,
        database=database,
        registry=registry,
        reports=reports,
        train=shop.train,
        end_stale_runs=lambda settings, model, alive_request: [],
    )
    return Loop(bench, clock, database, registry, reports, shop)


class Traffic:
    """Captured requests of a small world, answered by real versions."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.log = MemoryLog()
        self.sent = 0

    def predictor(self, version: str) -> Predictor:
        return Predictor.load(self.loop.shop.root / version, "cpu")

    def send(
        self,
        version: str,
        x: Sequence[float] | np.ndarray,
        start: datetime,
        *,
        details: Sequence[str | None] = (),
        failing: Sequence[bool] | np.ndarray = (),
        every: timedelta = timedelta(minutes=5),
    ) -> np.ndarray:
        """Let a version answer one request a row; give the probabilities."""
        predictor = self.predictor(version)
        answers = predictor.predict(pd.DataFrame({"x": np.asarray(x, dtype=float)}))
        assert answers.probabilities is not None
        rows = []
        for n, (value, said, shares) in enumerate(
            zip(x, answers.predictions, answers.probabilities.tolist(), strict=True)
        ):
            self.sent += 1
            at = start + n * every
            rows.append(
                {
                    "prediction_id": f"r{self.sent}-0",
                    "request_id": f"r{self.sent}",
                    "version": version,
                    "time": at,
                    "received": at,
                    "key": f"k{self.sent}",
                    "status": 500 if len(failing) and failing[n] else 200,
                    "latency_us": 1000 if version == "1" else 3000,
                    "detail": details[n] if details else None,
                    "inputs": {"x": float(value)},
                    "prediction": str(said),
                    "probabilities": shares,
                }
            )
        table = pa.Table.from_pylist(rows, schema=log_schema(predictor.contract))
        self.log.append(MODEL, version, f"part {self.sent}", table)
        return answers.probabilities

    def ship(self, through: datetime) -> None:
        status = EndpointStatus(
            model=MODEL,
            url="",
            version="1",
            device="cpu",
            answered=self.sent,
            captured=self.sent,
            dropped=0,
            shipped_through=through,
            seen_at=through,
        )
        with self.loop.database.transaction() as stores:
            stores.endpoints.put(status)

    def begin(self, kind: TrialKind, number: str = "2", **more: Any) -> Trial:
        if kind is TrialKind.CANARY:
            more = {"share": 0.1, **more}
        return begin_trial(self.loop.bench, MODEL, number, kind, actor="ada", why="look", **more)

    def compare(self, trial: Trial, **more: Any) -> Trial:
        return compare_now(self.loop.bench, self.log, trial, **more)

    def result(self, trial: Trial) -> TrialResult:
        with self.loop.database.transaction() as stores:
            evidence = stores.trials.evidence(trial.id)
        assert evidence is not None
        result: TrialResult = evidence.result
        return result

    def reasons(self) -> tuple[str, ...]:
        with self.loop.database.transaction() as stores:
            return next(e.reasons for e in stores.ledger.entries(MODEL) if e.event == "trial ended")


@pytest.fixture
def quiet(loop: Loop) -> Traffic:
    """A world without versions."""
    return Traffic(loop)


@pytest.fixture
def traffic(quiet: Traffic) -> Traffic:
    """A champion of skill 1 and a version 2 of skill 2, which is surer of itself."""
    shop = quiet.loop.shop
    quiet.loop.crown(shop.add(1.0))
    shop.add(2.0)
    return quiet
