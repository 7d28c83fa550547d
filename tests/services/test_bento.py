"""A bento: complete, its own master, proven before it may serve, and never half there."""

import shutil
import sys
from dataclasses import replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import skops.io

from trimtab.adapters.manifest import write_manifest
from trimtab.adapters.predictor import TRUSTED
from trimtab.errors import ManifestError, UnknownVersionError
from trimtab.policy.serving import batching_pays
from trimtab_services.bento import RefusedBentoError, build, is_built, read_proof, run_proof
from trimtab_services.bentoml_service import options
from trimtab_services.bundle import can_follow, read_bundle, read_plan, source_of, write_bundle
from trimtab_services.environment import ServingEnvironment
from trimtab_services.requirements import WrongEnvironmentError, compare, read_pins
from trimtab_services.service import Endpoint
from trimtab_services.swap import RefusedVersionError, load_champion

MODEL = "late-arrival"


@pytest.fixture(scope="session")
def bento(shelf: Any) -> Path:
    folder: Path = shelf.bento("1")
    return folder


def test_it_carries_version_code_and_pins(bento: Path) -> None:
    source = source_of(bento)
    bundle = read_bundle(source)

    assert (bundle.model, bundle.version) == (MODEL, "1")
    assert (source / "version" / "model.skops").is_file()
    assert (source / "trimtab" / "adapters" / "predictor.py").is_file()
    names = {line.partition("==")[0] for line in bundle.requirements}
    assert {"bentoml", "xgboost", "scikit-learn", "skops", "uvloop", "scipy"} <= names
    assert all("==" in line for line in bundle.requirements)
    assert not {"mlflow", "mlflow-skinny", "trimtab"} & names
    installed = (bento / "env" / "python" / "requirements.txt").read_text().split()
    assert set(installed) == set(bundle.requirements)


def test_it_knows_nothing_of_the_machine_it_was_built_on(bento: Path, shelf: Any) -> None:
    secrets = [str(shelf.files).encode(), sys.prefix.encode(), b"--index-url", b"find-links"]
    for file in bento.rglob("*"):
        if file.is_file() and not file.is_relative_to(source_of(bento) / "trimtab"):
            content = file.read_bytes()
            assert not [secret for secret in secrets if secret in content], file


def test_a_bento_for_a_gpu_asks_for_one(bento: Path) -> None:
    bundle = read_bundle(source_of(bento))
    asked = options(replace(bundle, device="cuda"))

    assert asked["resources"] == {"gpu": 1}
    assert options(replace(bundle, device="cuda:1"))["resources"] == {"gpu": 2}  # 0 and 1 are seen
    assert {"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"} in asked["envs"]
    assert "resources" not in options(replace(bundle, device="auto"))
    assert "envs" not in options(bundle)


def test_its_code_stays_as_it_was_built(bento: Path) -> None:
    assert list(bento.rglob("__pycache__")) == []


def test_its_proof_is_kept_with_it(bento: Path) -> None:
    proof = read_proof(bento)

    assert (proof.proven, proof.golden_rows, proof.device) == (True, 100, "cpu")


def test_building_again_changes_nothing(bento: Path, shelf: Any) -> None:
    before = bento.stat().st_mtime_ns, bento.stat().st_ino
    again = shelf.bento("1")

    assert again == bento
    assert (again.stat().st_mtime_ns, again.stat().st_ino) == before


def test_nothing_half_done_is_left_after_a_build(bento: Path) -> None:
    assert {path.name for path in bento.parent.iterdir() if not path.name.isdigit()} <= {".lock"}


def test_a_build_that_was_killed_is_swept_up(shelf: Any, bento: Path) -> None:
    (bento.parent / ".making-killed").mkdir()
    shelf.bento("1")

    assert not (bento.parent / ".making-killed").exists()


def test_an_unknown_version_leaves_nothing(shelf: Any) -> None:
    with pytest.raises(UnknownVersionError):
        build(shelf.settings, shelf.registry, MODEL, "99", "0" * 64)
    assert not shelf.settings.home.bento(MODEL, "99").exists()


def test_bytes_that_were_not_judged_are_not_packed(shelf: Any) -> None:
    with pytest.raises(ManifestError):
        build(shelf.settings, shelf.registry, MODEL, "2", "0" * 64)
    assert not is_built(shelf.settings.home.bento(MODEL, "2"), "0" * 64)


def forge(bento: Path, to: Path, rows: slice, **changes: Any) -> Path:
    """Copy a bento whose golden rows then say something else, sealed as if nothing were wrong."""
    shutil.copytree(bento, to)
    source = source_of(to)
    version = source / "version"
    golden = pd.read_parquet(version / "golden.parquet")
    golden.loc[rows, "(output 0)"] += 0.125
    golden.to_parquet(version / "golden.parquet")
    (version / "manifest.json").unlink()
    sealed = replace(read_bundle(source), manifest_sha256=write_manifest(version), **changes)
    write_bundle(source, sealed)
    return to


def test_a_bento_that_answers_otherwise_than_its_trainer_is_not_proven(
    bento: Path, tmp_path: Path
) -> None:
    proof = run_proof(forge(bento, tmp_path / "bento", slice(0, 2)), tmp_path / "neutral")

    assert not proof.proven
    assert "3 of 100 golden rows differ" in proof.message
    assert "row 0 by 1.2e-01, row 1 by 1.2e-01, row 2 by 1.2e-01" in proof.message
    assert "Here: no package differs from those of the run" in proof.message


def test_an_endpoint_that_answers_otherwise_says_what_differs_between_the_environments(
    bento: Path, tmp_path: Path
) -> None:
    here = metadata.version("pandas")
    older = f"pandas=={here.split('.')[0]}.0.0"
    source = source_of(forge(bento, tmp_path / "bento", slice(7, 7), requirements=(older,)))

    with pytest.raises(RefusedVersionError) as caught:
        load_champion(source, "1", read_bundle(source).manifest_sha256, "cpu")
    assert "row 7 by 1.2e-01" in str(caught.value)
    assert f"Here: pandas is {here}, and the run had" in str(caught.value)


def test_its_plan_is_measured_and_the_engine_it_names_answers(bento: Path) -> None:
    source = source_of(bento)
    plan, proof = read_plan(source), read_proof(bento)
    champion = load_champion(source, "1", read_bundle(source).manifest_sha256, "cpu")

    assert plan.engine == proof.engine == "lowered"
    assert plan.lowered is not None
    assert 0 < plan.lowered.one_row < plan.pipeline.one_row
    assert plan.batching == batching_pays(plan.lowered)
    assert champion.plan == plan


def test_without_a_plan_nothing_is_served(bento: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bento"
    shutil.copytree(bento, bare)
    (source_of(bare) / "plan.json").unlink()
    sha256 = read_bundle(source_of(bare)).manifest_sha256

    with pytest.raises(FileNotFoundError, match=r"plan\.json"):
        load_champion(source_of(bare), "1", sha256, "cpu")


def test_a_fast_path_that_is_not_to_be_had_is_said_aloud_and_the_pipeline_answers(
    tmp_path: Path, version_files: Any, row: Any, caplog: pytest.LogCaptureFixture
) -> None:
    version = tmp_path / "version"
    version_files(version)
    pipeline = skops.io.load(version / "model.skops", trusted=list(TRUSTED))
    pipeline[0].transformer_weights = {"numbers": 1.0}
    skops.io.dump(pipeline, version / "model.skops")
    (version / "manifest.json").unlink()
    champion = load_champion(tmp_path, "1", write_manifest(version), "cpu")

    assert champion.plan.engine == "pipeline"
    assert "groups of columns are weighted. The pipeline answers" in caplog.text
    asked = {**row(), "scheduled": datetime(2013, 4, 1, 12, tzinfo=UTC)}
    assert champion.answer([asked]).predictions in ([True], [False])


def test_an_endpoint_does_not_start_where_packages_are_of_another_major_version(
    bento: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "bento"
    shutil.copytree(bento, elsewhere)
    bundle = read_bundle(source_of(elsewhere))
    write_bundle(source_of(elsewhere), replace(bundle, requirements=("numpy==1.26.4",)))

    with pytest.raises(WrongEnvironmentError, match=r"numpy is .*, and the run had 1\.26\.4"):
        Endpoint(source_of(elsewhere), ServingEnvironment()).open()


def test_a_bento_is_refused_where_the_run_had_other_packages(shelf: Any, tmp_path: Path) -> None:
    files = tmp_path / "version"
    shutil.copytree(shelf.files / "versions" / "1", files)
    (files / "requirements.txt").write_text("numpy==1.26.4\nno-such-package==1.0\n")
    (files / "manifest.json").unlink()
    shelf.add("66", write_manifest(files), files)

    with pytest.raises(RefusedBentoError) as caught:
        shelf.bento("66")
    assert "numpy is" in caught.value.proof.message
    assert "no-such-package 1.0 is not installed" in caught.value.proof.message
    assert not shelf.settings.home.bento(MODEL, "66").exists()


def test_a_small_difference_of_packages_is_said_and_no_obstacle() -> None:
    here = metadata.version("pandas")
    major = here.split(".")[0]
    fatal, minor = compare([f"pandas=={major}.0.0", f"numpy=={metadata.version('numpy')}"])

    assert fatal == []
    assert minor == [f"pandas is {here}, and the run had {major}.0.0"]


def test_what_only_trains_is_no_requirement_of_an_endpoint(tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text(
        "mlflow==3.17.2\nscikit_learn==1.9.1\nxgboost[x]==3.2.0 ; python_version > '3'\n"
    )

    assert read_pins(file) == {"scikit-learn": "1.9.1", "xgboost": "3.2.0"}


def test_a_version_follows_in_place_only_where_its_request_is_the_same(shelf: Any) -> None:
    first, second, wider = (source_of(shelf.bento(version)) for version in "123")

    assert can_follow(second, first)
    assert not can_follow(wider, first)
