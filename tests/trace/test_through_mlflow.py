"""The hops that lead through a real MLflow server: version, run, snapshot, files."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from trimtab.adapters.manifest import write_manifest
from trimtab.adapters.mlflow_registry import MANIFEST_TAG, TRAINED_UNTIL_TAG
from trimtab.records.documents import to_json
from trimtab.records.reference import Reference
from trimtab.records.requests import RetrainRequest, Trigger
from trimtab.trace import UnknownSnapshotError, count, follow, wanted_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from tests.trace.conftest import Story

    from trimtab.records.contracts import Contract

pytestmark = pytest.mark.e2e
DIGEST = uuid4().hex


def files(story: Story, contract: Contract) -> str:
    """Put a local copy of version 1 in its place; gives the hash of its manifest."""
    folder = story.settings.home.version("late", "1")
    folder.mkdir(parents=True)
    reference = Reference(
        rows=1000,
        columns=(),
        checks=(),
        calibrations=(),
        rows_needed=100,
        window=timedelta(days=1),
        false_alarms=0.01,
    )
    (folder / "reference.json").write_bytes(to_json(reference))
    (folder / "contract.json").write_bytes(to_json(contract))
    (folder / "requirements.txt").write_text("numpy==2.1.0\nscikit-learn==1.7.0\n")
    return write_manifest(folder)


def test_a_prediction_leads_to_the_run_the_rows_and_the_reference_and_back(
    story_at: Callable[..., Story],
    contract: Contract,
    mlflow_server: str,
    noon: datetime,
    tmp_path: Path,
) -> None:
    story = story_at(tmp_path, mlflow_server)
    sha256 = files(story, contract)
    client = MlflowClient(tracking_uri=mlflow_server)
    run = client.create_run(
        client.create_experiment(f"late-{DIGEST}"),
        run_name="late until April",
        tags={"trimtab.code": "0.1.0", "mlflow.source.git.commit": "c0ffee"},
    )
    client.set_terminated(run.info.run_id)
    asked = RetrainRequest(
        id=uuid4().hex, model="late", trigger=Trigger.DRIFT, asked_by="monitoring", asked_at=noon
    )
    tags = {
        MANIFEST_TAG: sha256,
        TRAINED_UNTIL_TAG: noon.isoformat(),
        "trimtab.request": asked.id,
        "trimtab.digest": DIGEST,
        "trimtab.rows": "12000",
        "trimtab.source": "rows.csv",
    }
    with suppress(MlflowException):  # another test of this server may have made it
        client.create_registered_model("late")
    version = client.create_model_version("late", "s3://none/x", run_id=run.info.run_id, tags=tags)
    number = str(version.version)
    story.settings.home.version("late", "1").rename(story.settings.home.version("late", number))
    with story.database.transaction() as stores:
        stores.requests.ask(asked)
    story.crown(number, noon - timedelta(days=1), sha256)
    id = story.answer(noon, version=number)
    found = follow(story.settings, id)

    assert found.run is not None
    assert (found.run.id, found.run.status, found.run.commit) == (
        run.info.run_id,
        "FINISHED",
        "c0ffee",
    )
    assert found.run.page == f"{mlflow_server}/#/runs/{run.info.run_id}"
    assert found.snapshot is not None
    assert (found.snapshot.digest, found.snapshot.rows) == (DIGEST, 12_000)
    assert found.request == asked
    assert found.requirements == ("numpy==2.1.0", "scikit-learn==1.7.0")
    assert found.reference is not None
    assert found.reference.rows == 1000
    assert (found.classes, found.manifest_sha256) == (("no", "yes"), sha256)
    assert {gap.hop for gap in found.gaps} == {"verdict", "label", "bento"}

    story.answer(noon, version="999")
    wanted = wanted_of(story.settings, "late", snapshot=DIGEST[:10])
    assert (list(wanted.versions), count(story.log, wanted)) == ([number], 1)
    with pytest.raises(UnknownSnapshotError):
        wanted_of(story.settings, "late", snapshot="f" * 33)

    client.delete_run(run.info.run_id)  # which MLflow keeps, and shows no more
    client.delete_model_version("late", number)
    gaps = {gap.hop: gap.why for gap in follow(story.settings, id).gaps}
    assert "it is not in MLflow" in gaps["version"]
    assert "files" not in gaps, "the copy on this machine is enough"
