"""A bento: complete, its own master, proven before it may serve, and never half there."""

import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from trimtab.adapters.manifest import write_manifest
from trimtab.errors import ManifestError, UnknownVersionError
from trimtab_services.bento import RefusedBentoError, build, is_built, read_proof, run_proof
from trimtab_services.bentoml_service import options
from trimtab_services.bundle import can_follow, read_bundle, source_of, write_bundle
from trimtab_services.requirements import compare, read_pins

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
    assert {path.name for path in bento.parent.iterdir()} <= {".lock", "1", "2", "3"}


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


def test_a_bento_that_answers_otherwise_than_its_trainer_is_not_proven(
    bento: Path, tmp_path: Path
) -> None:
    forged = tmp_path / "bento"
    shutil.copytree(bento, forged)
    version = source_of(forged) / "version"
    golden = pd.read_parquet(version / "golden.parquet")
    golden.loc[:2, "(output 0)"] += 0.125
    golden.to_parquet(version / "golden.parquet")
    (version / "manifest.json").unlink()
    bundle = read_bundle(source_of(forged))
    write_bundle(source_of(forged), replace(bundle, manifest_sha256=write_manifest(version)))
    proof = run_proof(forged, tmp_path / "neutral")

    assert not proof.proven
    assert "3 of 100 golden rows differ" in proof.message


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
    from importlib.metadata import version

    major = version("pandas").split(".")[0]
    fatal, minor = compare([f"pandas=={major}.0.0", f"numpy=={version('numpy')}"])

    assert fatal == []
    assert minor == [f"pandas is {version('pandas')}, and the run had {major}.0.0"]


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
