"""A small model under watch: weather at an airport, and how likely a flight is late."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from trimtab.adapters.manifest import verify_manifest, write_manifest
from trimtab.adapters.sql import SqlDatabase, open_database
from trimtab.policy.estimating import Answered
from trimtab.policy.losses import losses
from trimtab.policy.promises import promise_quality
from trimtab.policy.reference import build_reference
from trimtab.policy.slicing import find_slices, masks
from trimtab.policy.watched import WatchedVersion
from trimtab.records.contracts import Contract, Task
from trimtab.records.documents import to_json
from trimtab.records.labels import Label
from trimtab.records.logged import log_schema
from trimtab.records.promotions import Promotion
from trimtab.records.reference import OUTPUT, TOGETHER, Reference
from trimtab.records.schema import Column, ColumnType, Schema
from trimtab.records.versions import ModelVersion
from trimtab.settings import Home, ModelSettings
from trimtab.testing.manual_clock import ManualClock
from trimtab.testing.memory_log import MemoryLog
from trimtab.testing.memory_registry import MemoryRegistry, MemoryReports
from trimtab_monitoring.versions import Versions
from trimtab_monitoring.watching import Watch
from trimtab_pipelines.estimating import KnownRows, fit_estimator

MODEL = "late"
WEEK = timedelta(days=7)
MONDAY = datetime(2013, 4, 1, tzinfo=UTC)
ROWS_A_WEEK = 400

CONTRACT = Contract(
    model=MODEL,
    task=Task.BINARY,
    target="late",
    schema=Schema(
        columns=(
            Column(name="wind", type=ColumnType.DOUBLE, required=False),
            Column(name="stops", type=ColumnType.LONG, required=True),
            Column(name="carrier", type=ColumnType.STRING, required=True),
            Column(name="holiday", type=ColumnType.BOOLEAN, required=False),
        )
    ),
    classes=(0, 1),
)
NAMES = [*CONTRACT.schema.names, OUTPUT]
FINDINGS = [*NAMES, TOGETHER]
SETTINGS = ModelSettings.model_validate(
    {
        "task": "binary",
        "source": "unused",
        "target": "late",
        "gate": {"slices": ["carrier", "wind", "holiday"]},
        "monitor": {"window": "7d", "min_rows": 200, "lateness": "5m"},
    }
)


def traffic(rows: int, *, seed: int) -> pd.DataFrame:
    """Inputs and the model's answers, from a world that does not change."""
    rng = np.random.default_rng(seed)
    wind = rng.gamma(4.0, 3.0, size=rows)
    return pd.DataFrame(
        {
            "wind": wind,
            "stops": rng.integers(0, 5, size=rows),
            "carrier": rng.choice(["AA", "B6", "DL", "UA"], size=rows),
            "holiday": rng.uniform(size=rows) < 0.3,
            OUTPUT: 1 / (1 + np.exp(2 - wind / 10)),
        }
    )


def truth(frame: pd.DataFrame, *, seed: int) -> list[str]:
    """What really happened, as likely as the model says."""
    late = np.random.default_rng(seed).uniform(size=len(frame)) < frame[OUTPUT]
    return [str(int(value)) for value in late]


def make_reference(trained: pd.DataFrame) -> Reference:
    step = WEEK / ROWS_A_WEEK
    times = pd.Series(pd.date_range(end=MONDAY, periods=len(trained), freq=step, inclusive="left"))
    output = trained[OUTPUT].to_numpy()
    rate, window = 1 / 13, WEEK
    reference = build_reference(
        trained, output, times, CONTRACT.schema,
        importance={}, window=window, false_alarms=rate, min_rows=200, seed=0,
    )  # fmt: skip
    known = known_rows(trained, times)
    slices = find_slices(trained, CONTRACT.schema, SETTINGS.gate.slices)
    promise = promise_quality(
        known.losses, times, metric="log_loss", window=window, false_alarms=rate, seed=0,
        slices=masks(slices, trained, CONTRACT.schema),
    )  # fmt: skip
    estimator = fit_estimator(CONTRACT, "log_loss", known, window=window, false_alarms=rate, seed=0)
    return replace(reference, quality=promise, estimator=estimator)


def known_rows(trained: pd.DataFrame, times: "pd.Series[pd.Timestamp]") -> KnownRows:
    """The trained rows, as if the model had not seen them: it is as good on any others."""
    table = np.column_stack([1 - trained[OUTPUT], trained[OUTPUT]])
    happened = truth(trained, seed=1)
    return KnownRows(
        answered=Answered(
            inputs=trained, predictions=np.full(len(trained), np.nan), probabilities=table
        ),
        truth=np.array(happened, dtype=float),
        losses=losses("log_loss", CONTRACT, table, happened, happened),
        times=times,
    )


def log_table(
    frame: pd.DataFrame, version: str, times: Sequence[datetime], prefix: str
) -> pa.Table:
    """The inference log's rows of these answers."""
    inputs = [
        {name: None if pd.isna(value) else value for name, value in given.items()}
        for given in frame.drop(columns=OUTPUT).astype(object).to_dict("records")
    ]
    rows: list[dict[str, Any]] = [
        {
            "prediction_id": f"{prefix}-{i}",
            "request_id": prefix,
            "version": version,
            "time": time,
            "received": time,
            "key": f"key-{prefix}-{i}",
            "status": 200,
            "inputs": given,
            "prediction": str(int(late > 0.5)),
            "probabilities": [1 - late, late],
        }
        for i, (time, given, late) in enumerate(zip(times, inputs, frame[OUTPUT], strict=True))
    ]
    return pa.Table.from_pylist(rows, schema=log_schema(CONTRACT))


class Lab:
    """The pieces above, for tests that build their own windows; conftest cannot be imported."""

    model, week, monday, rows_a_week = MODEL, WEEK, MONDAY, ROWS_A_WEEK
    contract, names, findings, settings = CONTRACT, NAMES, FINDINGS, SETTINGS
    traffic = staticmethod(traffic)
    truth = staticmethod(truth)
    make_reference = staticmethod(make_reference)
    log_table = staticmethod(log_table)


@dataclass
class World:
    """Real stores around a watch: SQLite, and a log and a registry in memory."""

    watch: Watch
    database: SqlDatabase
    inference_log: MemoryLog
    registry: MemoryRegistry
    reports: MemoryReports
    clock: ManualClock
    folder: Path

    def promote(self, version: str, at: datetime) -> None:
        self.registry.add(
            ModelVersion(
                model=MODEL,
                version=version,
                run_id=f"run-{version}",
                trained_until=at,
                manifest_sha256=self.folder.name,
            ),
            self.folder,
        )
        with self.database.transaction() as stores:
            current = stores.promotions.current(MODEL)
            stores.promotions.record(
                Promotion(
                    model=MODEL,
                    epoch=(current.epoch if current else 0) + 1,
                    version=version,
                    previous=current.version if current else None,
                    manifest_sha256="0" * 64,
                    actor="pipelines",
                    reasons=("better",),
                    at=at,
                )
            )

    def label(self, week: int, values: Sequence[str], *, version: str = "1") -> None:
        """Tell what came of a week's answers."""
        known_at = MONDAY + (week + 1) * WEEK
        labels = [
            Label(key=f"key-{version}-{week}-{i}", value=value, known_at=known_at)
            for i, value in enumerate(values)
        ]
        with self.database.transaction() as stores:
            stores.labels.put(MODEL, labels)

    def serve(
        self,
        week: int,
        frame: pd.DataFrame | None = None,
        *,
        version: str = "1",
        labels: Sequence[str] | None = None,
    ) -> None:
        """Log a week of traffic, with its labels, and let the week pass."""
        frame = traffic(ROWS_A_WEEK, seed=100 + week) if frame is None else frame
        start = MONDAY + week * WEEK
        times = [start + i * (WEEK / max(1, len(frame))) for i in range(len(frame))]
        prefix = f"{version}-{week}"
        table = log_table(frame, version, times, prefix)
        self.inference_log.append(MODEL, version, prefix, table)
        if labels is not None:
            self.label(week, labels, version=version)
        self.clock.set(start + WEEK + SETTINGS.monitor.lateness)


@pytest.fixture(scope="session")
def lab() -> Lab:
    return Lab()


@pytest.fixture(scope="session")
def trained() -> pd.DataFrame:
    return traffic(12 * ROWS_A_WEEK, seed=7)


@pytest.fixture(scope="session")
def watched(trained: pd.DataFrame) -> WatchedVersion:
    return WatchedVersion(
        version="1", contract=CONTRACT, reference=make_reference(trained), sample=trained[:1000]
    )


@pytest.fixture(scope="session")
def version_folder(watched: WatchedVersion, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("version")
    (folder / "contract.json").write_bytes(to_json(CONTRACT))
    (folder / "reference.json").write_bytes(to_json(watched.reference))
    watched.sample.to_parquet(folder / "reference.parquet")
    sha256 = write_manifest(folder)
    return folder.rename(folder.with_name(sha256))


@pytest.fixture
def world(version_folder: Path, tmp_path: Path) -> World:
    database = open_database(f"sqlite:///{tmp_path / 'trimtab.db'}")
    inference_log, reports = MemoryLog(), MemoryReports()
    registry, clock = MemoryRegistry(verify=verify_manifest), ManualClock(MONDAY)
    watch = Watch(
        model=MODEL,
        settings=SETTINGS,
        clock=clock,
        database=database,
        inference_log=inference_log,
        versions=Versions(registry=registry, home=Home(tmp_path / "home")),
        reports=reports,
    )
    world = World(watch, database, inference_log, registry, reports, clock, version_folder)
    world.promote("1", MONDAY)
    return world
