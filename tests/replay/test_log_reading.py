"""The inference log as a past: what was answered, with the labels that were told since."""

from datetime import timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from trimtab.adapters.opening import open_database
from trimtab.adapters.parquet_log import ParquetLog
from trimtab.records.contracts import Contract, Task
from trimtab.records.labels import Label
from trimtab.records.logged import log_schema
from trimtab.records.promotions import Promotion
from trimtab.records.schema import Column, ColumnType, Schema
from trimtab.settings import Settings, load
from trimtab_pipelines.replay.errors import ReplayError
from trimtab_pipelines.replay.history import make_history
from trimtab_pipelines.replay.log_reading import read_log

from .conftest import START, TOML

HOUR = timedelta(hours=1)
ROWS = 200
CONTRACT = Contract(
    model="late",
    task=Task.BINARY,
    target="late",
    schema=Schema(columns=(Column(name="x", type=ColumnType.DOUBLE, required=True),)),
    classes=(False, True),
)


def captured(version: str, numbers: range) -> pa.Table:
    rows = [
        {
            "request_id": f"{n:032x}",
            "prediction_id": f"{n:032x}-0",
            "version": version,
            "time": START + n * HOUR,
            "received": START + n * HOUR,
            "key": f"row {n}" if n % 2 else None,
            "status": 200 if n % 10 else 422,
            "inputs": {"x": float(n)},
            "prediction": "True",
            "probabilities": [0.2, 0.8],
        }
        for n in numbers
    ]
    return pa.Table.from_pylist(rows, schema=log_schema(CONTRACT))


@pytest.fixture
def project(tmp_path: Path) -> Settings:
    """Two champions answered in turn; labels go by key or by prediction id, a day late."""
    (tmp_path / "trimtab.toml").write_text(TOML)
    settings = load(tmp_path)
    log = ParquetLog(settings.inference_log)
    log.append("late", "1", "a", captured("1", range(ROWS // 2)))
    log.append("late", "2", "b", captured("2", range(ROWS // 2, ROWS)))
    labels = [
        Label(
            key=f"row {n}" if n % 2 else f"{n:032x}-0",
            value=str(n % 3 == 0),
            known_at=START + (n + 24) * HOUR,
        )
        for n in range(ROWS - 20)
    ]
    with open_database(settings).transaction() as stores:
        stores.labels.put("late", labels)
        for epoch, version in enumerate(("1", "2"), start=1):
            stores.promotions.record(
                Promotion(
                    model="late",
                    epoch=epoch,
                    version=version,
                    previous=None,
                    manifest_sha256="",
                    actor="test",
                    reasons=(),
                    at=START + epoch * HOUR,
                )
            )
    return settings


def test_answered_rows_of_all_versions_come_with_their_labels(project: Settings) -> None:
    rows, settings = read_log(project, "late")
    history = make_history(
        project,
        "late",
        rows,
        settings,
        source="the inference log",
        since=START + 100 * HOUR,
        until=None,
    )

    numbers = history.rows["x"].astype(int)
    assert numbers.tolist() == [n for n in range(ROWS) if n % 10]  # refusals are not answered
    assert history.rows[history.time].tolist() == [pd.Timestamp(START + n * HOUR) for n in numbers]
    known = history.known(START + 60 * HOUR)
    assert known["x"].max() == 36  # known a day later, to the hour
    assert known[str(settings.target)].tolist() == [str(int(x) % 3 == 0) for x in known["x"]]
    assert len(history.known(START + 400 * HOUR)) == sum(n % 10 > 0 for n in range(ROWS - 20))


def test_a_log_that_hides_inputs_cannot_be_trained_on(project: Settings) -> None:
    (project.folder / "trimtab.toml").write_text(f'{TOML}\n[models.late.capture]\ndrop = ["x"]\n')

    with pytest.raises(ReplayError, match="x is not captured as it came"):
        read_log(load(project.folder), "late")
