"""A model of floats alone: answers and records are those of the values one by one."""

import asyncio
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.pipeline import make_pipeline
from xgboost import XGBClassifier

from trimtab.adapters.golden import write_golden
from trimtab.adapters.manifest import write_manifest
from trimtab.adapters.predictor import Predictor
from trimtab.policy.serving import plan_serving
from trimtab.records.contracts import Contract, Task
from trimtab.records.documents import to_json
from trimtab.records.plans import Cost
from trimtab.records.schema import Column, ColumnType, Schema
from trimtab_pipelines.preparation import for_trees
from trimtab_services.bundle import VERSION_FOLDER, Bundle, write_bundle, write_plan
from trimtab_services.captured import CapturedRequest, decode
from trimtab_services.environment import ServingEnvironment
from trimtab_services.frames import FrameKind, scan
from trimtab_services.reply import Arrival, Reply
from trimtab_services.service import Endpoint

NAMES = [f"f{i}" for i in range(8)]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("floats")
    version, frame = folder / VERSION_FOLDER, rows(400, 0)
    schema = Schema(
        columns=tuple(Column(name=n, type=ColumnType.DOUBLE, required=True) for n in NAMES)
    )
    promise = Contract(
        model="floats", task=Task.BINARY, target="y", schema=schema, classes=(False, True)
    )
    learner = XGBClassifier(n_estimators=20, max_depth=4)
    pipeline = make_pipeline(for_trees(schema, frame)[0], learner).fit(
        frame, frame["f0"] > frame["f3"]
    )
    version.mkdir()
    skops.io.dump(pipeline, version / "model.skops")
    (version / "contract.json").write_bytes(to_json(promise))
    (version / "requirements.txt").write_text("")
    write_golden(version, Predictor.load(version, "cpu"), rows(50, 1))
    write_plan(
        folder,
        plan_serving(Cost(one_row=4000, sixteen_rows=4000), Cost(one_row=40, sixteen_rows=70)),
    )
    bundle = Bundle(
        model="floats",
        version="1",
        manifest_sha256=write_manifest(version),
        code_sha256="",
        requirements=("numpy==2",),
        device="cpu",
        max_rows=100,
    )
    write_bundle(folder, bundle)
    return folder


def rows(count: int, seed: int) -> pd.DataFrame:
    return pd.DataFrame(np.random.default_rng(seed).normal(size=(count, 8)).round(3), columns=NAMES)


def opened(source: Path, spool: Path, **more: Any) -> Endpoint:
    endpoint = Endpoint(source, ServingEnvironment(spool=spool, device="cpu", **more))
    endpoint.open()
    return endpoint


def ask(endpoint: Endpoint, *bodies: dict[str, Any]) -> list[list[Any]]:
    """Ask all at once; gives what was answered to each row."""

    async def main() -> list[Reply]:
        texts = [json.dumps(body).encode() for body in bodies]
        return await asyncio.gather(*(endpoint.ask(text, Arrival.now()) for text in texts))

    return [
        [(p["prediction"], p["probabilities"]) for p in json.loads(reply.body)["predictions"]]
        for reply in asyncio.run(main())
    ]


def captured(spool: Path) -> list[CapturedRequest]:
    frames = [f for path in spool.glob("*.seg") for f in scan(path.read_bytes())]
    return [decode(f.payload) for f in frames if f.kind is FrameKind.REQUEST]


def test_many_rows_are_answered_and_captured_as_one_by_one(source: Path, tmp_path: Path) -> None:
    endpoint = opened(source, tmp_path / "spool")
    assert endpoint.champion.plan.engine == "lowered"
    frame, long = rows(100, 2), rows(60, 3) / 7
    long.iloc[5, 2] = -0.0
    turned = list(reversed(NAMES))
    together = ask(
        endpoint,
        {"rows": frame.to_dict("records")},
        {"columns": NAMES, "data": frame.to_numpy().tolist()},
        {"columns": turned, "data": frame[turned].to_numpy().tolist()},
        {"columns": NAMES, "data": long.to_numpy().tolist()},
        {"rows": frame.head(1).to_dict("records")},
    )
    alone = [ask(endpoint, {"rows": [row]})[0][0] for row in frame.to_dict("records")]
    endpoint.close()

    assert together[0] == together[1] == together[2] == alone
    assert together[4] == alone[:1]
    kept = captured(tmp_path / "spool")
    wanted = [frame, frame, frame, long, frame.head(1)]
    for request, asked in zip(kept, wanted, strict=False):
        assert list(request.columns) == NAMES
        assert np.array(request.inputs).tobytes() == asked.to_numpy().tobytes()
    assert [[row.prediction for row in request.rows] for request in kept[:5]] == [
        [said for said, _ in answers] for answers in together
    ]


def test_what_is_redacted_is_in_no_table(source: Path, tmp_path: Path) -> None:
    frame = rows(100, 4)
    plain, less = (
        opened(source, tmp_path / "a"),
        opened(source, tmp_path / "b", capture_drop=("f2",)),
    )
    for endpoint in (plain, less):
        ask(endpoint, {"rows": frame.to_dict("records")})
        endpoint.close()

    (kept,) = captured(tmp_path / "b")
    assert list(kept.columns) == [name for name in NAMES if name != "f2"]
    assert [row.inputs for row in kept.rows] == frame.drop(columns="f2").to_dict("records")
    (whole,) = captured(tmp_path / "a")
    assert [row.inputs for row in whole.rows] == frame.to_dict("records")
