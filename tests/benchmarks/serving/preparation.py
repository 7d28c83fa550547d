"""Train, register and build what is served.

Run as `python -m tests.benchmarks.serving.preparation FOLDER`. The registry is a real MLflow
server, started for as long as this takes.
"""

import sys
from datetime import timedelta
from pathlib import Path

import mlflow.sklearn

from trimtab.adapters.opening import open_registry
from trimtab.records.documents import to_json
from trimtab.settings import Settings
from trimtab_pipelines.borrowed_server import mlflow_at_hand
from trimtab_pipelines.training import train_version
from trimtab_services.bento import build

from .ports import free_port
from .shapes import SHAPES, START, TARGET, TIME, Shape
from .subject import (
    ASKED_ROWS,
    DONE_FILE,
    EXPECTED,
    AllPrepared,
    Prepared,
    Version,
    settings_of,
)

_ROWS = {"floats": 30_000, "mixed": 20_000}
"""With these, trees stop to help after about a hundred."""
_VERSIONS = {"floats": 2, "mixed": 1}
"""The second version is what a swap leads to."""
_TOML = """\
[models.{model}]
task = "binary"
source = "{model}.parquet"
target = "{target}"
time = "{time}"
train.candidates = ["xgboost"]
serve.port = {port}
serve.device = "cpu"
"""


def main() -> None:
    """Do all of it, and write down what there is."""
    folder = Path(sys.argv[1])
    project = [f"[platform]\nmlflow_port = {free_port()}\n"]
    for shape in SHAPES:
        shape.training_rows(_ROWS[shape.model], seed=1).to_parquet(
            folder / f"{shape.model}.parquet"
        )
        project.append(_TOML.format(model=shape.model, target=TARGET, time=TIME, port=free_port()))
    (folder / "trimtab.toml").write_text("\n".join(project))
    settings = settings_of(folder)
    with mlflow_at_hand(settings, print):
        prepared = AllPrepared(models=tuple(_prepared(settings, shape) for shape in SHAPES))
    (folder / DONE_FILE).write_bytes(to_json(prepared, indent=2))


def _prepared(settings: Settings, shape: Shape) -> Prepared:
    versions = [_version(settings, shape, n) for n in range(_VERSIONS[shape.model])]
    learner = mlflow.sklearn.load_model(str(versions[0].files))[-1]
    trees = learner.get_booster().num_boosted_rounds()
    return Prepared(model=shape.model, trees=trees, versions=tuple(versions))


def _version(settings: Settings, shape: Shape, number: int) -> Version:
    """Make one version; each later one knows one day more."""
    model = shape.model
    rows = _ROWS[model]
    until = START + timedelta(minutes=rows) - timedelta(days=_VERSIONS[model] - 1 - number)
    made = train_version(
        settings, model, until=until, request_id=f"{model}-{number}", progress=print
    )
    registry = open_registry(settings)
    bento = build(settings, registry, model, made.version, made.manifest_sha256)
    version = Version(
        number=made.version,
        manifest_sha256=made.manifest_sha256,
        bento=bento,
        learner=settings.folder / f"{model}-{number}" / "model.json",
    )
    version.learner.parent.mkdir(exist_ok=True)
    pipeline = mlflow.sklearn.load_model(str(version.files))
    pipeline[-1].save_model(version.learner)
    asked = shape.rows(ASKED_ROWS, 99)
    expected = pipeline.predict_proba(asked)[:, 1]
    asked.assign(**{EXPECTED: expected}).to_parquet(version.asked)
    return version


if __name__ == "__main__":
    main()
