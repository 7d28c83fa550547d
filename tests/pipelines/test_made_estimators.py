"""A version that training made carries what tells its loss without labels."""

from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts

from trimtab.records.documents import from_json
from trimtab.records.estimates import Method
from trimtab.records.reference import Reference
from trimtab.settings import Environment, load
from trimtab_pipelines.training import train_version

pytestmark = pytest.mark.e2e

ROWS = 1800


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    weight = rng.normal(size=ROWS)
    return pd.DataFrame(
        {
            "at": pd.date_range("2019-01-01", periods=ROWS, freq="h", tz="UTC"),
            "weight": weight,
            "size": rng.choice(["small", "large"], size=ROWS),
            "binary": rng.uniform(size=ROWS) < 1 / (1 + np.exp(-2 * weight)),
            "regression": weight + np.exp(weight / 2) * rng.normal(size=ROWS),
        }
    )


@pytest.mark.parametrize(("task", "method"), [("binary", Method.CBPE), ("regression", Method.DLE)])
def test_its_reference_holds_an_estimator_and_the_slices_of_the_gate(
    task: str, method: Method, tmp_path: Path, mlflow_server: str
) -> None:
    columns = ["at", "weight", "size", task]
    frame()[columns].to_parquet(tmp_path / "rows.parquet")
    model = f"{task}-{uuid4().hex[:8]}"
    (tmp_path / "trimtab.toml").write_text(
        f"""
[models.{model}]
task = "{task}"
source = "*.parquet"
time = "at"
target = "{task}"

[models.{model}.gate]
slices = ["size"]
"""
    )
    settings = load(tmp_path, Environment(tracking_uri=mlflow_server))

    version = train_version(
        settings, model, until=datetime(2020, 1, 1, tzinfo=UTC), request_id=model
    )

    client = MlflowClient(tracking_uri=mlflow_server, registry_uri=mlflow_server)
    source = client.get_model_version(model, version.version).source or ""
    location = client.get_logged_model(source.removeprefix("models:/")).artifact_location
    file = download_artifacts(f"{location}/reference.json", tracking_uri=mlflow_server)
    reference = from_json(Reference, Path(file).read_bytes())
    assert reference.quality is not None
    assert {str(part.rows_in) for part in reference.quality.slices} == {"size=small", "size=large"}
    assert reference.estimator is not None
    assert reference.estimator.method is method
    assert reference.estimator.expected == pytest.approx(reference.quality.expected, rel=0.15)
    assert reference.estimator.limit > reference.estimator.expected
    assert reference.estimator.margin > 0
