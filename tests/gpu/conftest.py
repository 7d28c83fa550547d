"""A GPU that works, or a test that says why it was not run."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.pipeline import Pipeline
from xgboost import XGBClassifier, XGBRegressor

from trimtab.adapters.cuda_driver import CudaDriver
from trimtab.adapters.device import PROBES
from trimtab.adapters.golden import write_golden
from trimtab.adapters.predictor import CONTRACT_FILE, MODEL_FILE, Predictor
from trimtab.records.contracts import Contract, Task
from trimtab.records.documents import to_json
from trimtab.records.schema import Column, ColumnType, Schema
from trimtab_pipelines.preparation import for_trees

NUMBERS = [f"n{i}" for i in range(30)]
CLASSES: dict[Task, tuple[str, ...]] = {
    Task.BINARY: ("n", "y"),
    Task.MULTICLASS: ("a", "b", "c"),
    Task.REGRESSION: (),
}


@pytest.fixture(scope="session")
def gpu() -> CudaDriver:
    """The driver; without one the test is skipped, or fails where `make gpu` demands it."""
    reason = next((why for probe in PROBES if (why := probe(0))), None)
    if reason and os.environ.get("TRIMTAB_TEST_GPU") == "required":
        pytest.fail(f"a GPU is required here, and {reason}")
    if reason:
        pytest.skip(f"not run on a GPU: {reason}")
    return CudaDriver.load()


def table(rows: int, seed: int) -> pd.DataFrame:
    """Make rows with nulls and a category."""
    random = np.random.default_rng(seed)
    values = random.normal(0, 1, (rows, len(NUMBERS)))
    values[random.random(values.shape) < 0.05] = np.nan
    place = random.choice(["JFK", "LGA", "EWR"], rows)
    return pd.DataFrame(values, columns=NUMBERS).assign(place=place)


@pytest.fixture(scope="session")
def rows() -> Callable[[int], pd.DataFrame]:
    """Makes rows that no model was fitted on."""
    return lambda count: table(count, seed=1)


@pytest.fixture(scope="session")
def version(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Task, int], Path]:
    """Fits so many trees, on the CPU as the trainer does, and keeps golden rows."""

    def make(task: Task, trees: int) -> Path:
        frame = table(4000, seed=0)
        score = frame["n0"].fillna(0) * 2 + frame["n1"].fillna(0) ** 2 + (frame["place"] == "JFK")
        targets: dict[Task, Any] = {
            Task.BINARY: (score > 1).astype(int),
            Task.MULTICLASS: pd.qcut(score, 3, labels=False),
            Task.REGRESSION: score * 1000,
        }
        columns = [Column(name=n, type=ColumnType.DOUBLE, required=False) for n in NUMBERS]
        place = Column(name="place", type=ColumnType.STRING, required=True)
        schema = Schema(columns=(*columns, place))
        prepare, kinds = for_trees(schema, frame)
        kind = XGBRegressor if task is Task.REGRESSION else XGBClassifier
        grown = {"n_estimators": trees, "max_depth": 6, "learning_rate": 0.05, "n_jobs": 2}
        learner = kind(feature_types=kinds, enable_categorical=True, **grown)
        pipeline = Pipeline([("prepare", prepare), ("learn", learner)]).fit(frame, targets[task])
        folder = tmp_path_factory.mktemp(f"{task}-{trees}")
        contract = Contract(model="m", task=task, target="y", schema=schema, classes=CLASSES[task])
        (folder / CONTRACT_FILE).write_bytes(to_json(contract))
        skops.io.dump(pipeline, folder / MODEL_FILE)
        write_golden(folder, Predictor.load(folder, "cpu"), table(300, seed=2))
        return folder

    return make
