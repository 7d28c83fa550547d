"""A project whose records tell a whole story: versions, traffic, verdicts, labels."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from trimtab.adapters.opening import open_log
from trimtab.adapters.sql import SqlDatabase, open_database
from trimtab.ports import InferenceLog
from trimtab.records.contracts import Contract, Task
from trimtab.records.ids import CHANCE_BYTES, request_id
from trimtab.records.logged import log_schema
from trimtab.records.promotions import Promotion
from trimtab.records.schema import Column, ColumnType, Schema
from trimtab.settings import Environment, Settings, load

MODEL = "late"
NOON = datetime(2026, 4, 1, 12, tzinfo=UTC)
TOML = """
[models.late]
task = "binary"
source = "rows.csv"
time = "at"
target = "late"

[models.other]
task = "binary"
source = "rows.csv"
time = "at"
target = "late"

[models.other.serve]
port = 3001

[platform]
mlflow_port = 9
"""
CONTRACT = Contract(
    model=MODEL,
    task=Task.BINARY,
    target="late",
    schema=Schema(
        columns=(
            Column(name="x", type=ColumnType.DOUBLE, required=True),
            Column(name="airport", type=ColumnType.STRING, required=False),
        )
    ),
    classes=("no", "yes"),
)


def id_at(time: datetime, number: int = 0) -> str:
    nanoseconds = (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000
    return f"{request_id(nanoseconds, os.urandom(CHANCE_BYTES)).hex()}-{number}"


@dataclass
class Story:
    """A project's stores, and what a test adds to them."""

    settings: Settings
    database: SqlDatabase
    log: InferenceLog
    parts: int = 0
    ids: list[str] = field(default_factory=list)

    def answer(
        self, time: datetime = NOON, *, version: str = "1", model: str = MODEL, **other: object
    ) -> str:
        """Log one answered row; gives its id."""
        return self.answers([{"time": time, **other}], version=version, model=model)[0]

    def answers(
        self, rows: list[Mapping[str, object]], *, version: str = "1", model: str = MODEL
    ) -> list[str]:
        made = []
        for row in rows:
            time = row.get("time", NOON)
            assert isinstance(time, datetime)
            made.append(
                {
                    "prediction_id": id_at(time),
                    "version": version,
                    "time": time,
                    "received": time,
                    "status": 200,
                    "latency_us": 900,
                    "source": "web",
                    "device": "cpu",
                    "inputs": {"x": 1.5, "airport": "[bold]JFK"},
                    "prediction": "yes",
                    "probabilities": [0.25, 0.75],
                    **row,
                }
            )
        made = [{"request_id": str(each["prediction_id"])[:32], **each} for each in made]
        table = pa.Table.from_pylist(made, schema=log_schema(CONTRACT))
        self.parts += 1
        self.log.append(model, version, f"p{self.parts}", table)
        return [str(each["prediction_id"]) for each in made]

    def crown(self, version: str, at: datetime, sha256: str = "0" * 64) -> Promotion:
        with self.database.transaction() as stores:
            current = stores.promotions.current(MODEL)
            promotion = Promotion(
                model=MODEL,
                epoch=(current.epoch if current else 0) + 1,
                version=version,
                previous=current.version if current else None,
                manifest_sha256=sha256,
                actor="gate",
                reasons=("better with 99% confidence",),
                at=at,
            )
            stores.promotions.record(promotion)
        return promotion


def story_in(folder: Path, tracking_uri: str | None = None) -> Story:
    (folder / "trimtab.toml").write_text(TOML)
    settings = load(folder, Environment(tracking_uri=tracking_uri))
    return Story(settings, open_database(settings.database_url), open_log(settings))


@pytest.fixture
def story(tmp_path: Path) -> Story:
    """Without MLflow: nobody listens where it should be."""
    return story_in(tmp_path)


@pytest.fixture
def noon() -> datetime:
    return NOON


@pytest.fixture
def story_at() -> Callable[[Path, str], Story]:
    """Make one whose MLflow server runs at an address."""
    return story_in


@pytest.fixture
def contract() -> Contract:
    return CONTRACT
