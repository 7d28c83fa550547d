"""A bento: complete, its own master, proven before it may serve, and never half there."""

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from trimtab.adapters.manifest import write_manifest
from trimtab.errors import ManifestError, UnknownVersionError
from trimtab_services.bento import RefusedBentoError, build, is_built, read_proof, run_proof
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


def test_its_containerfile_installs_the_pins_and_lets_a_gpu_in(shelf: Any) -> None:
    text = (shelf.bento("1") / "env" / "docker" / "Dockerfile").read_text()

    assert "requirements.txt" in text
    assert "python:3" in text


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
    (bento / "proof.json").rename(bento / "aside.json")
    (bento / "aside.json").rename(bento / "proof.json")
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


def test_a_version_that_answers_otherwise_than_its_trainer_is_refused(
    shelf: Any, tmp_path: Path
) -> None:
    files = tmp_path / "forged"
    shutil.copytree(shelf.files / "versions" / "1", files)
    golden = pd.read_parquet(files / "golden.parquet")
    golden.loc[:2, "(output 0)"] += 0.125
    golden.to_parquet(files / "golden.parquet")
    (files / "manifest.json").unlink()
    sha256 = write_manifest(files)
    shelf.add("66", sha256, files)

    with pytest.raises(RefusedBentoError, match="3 of 100 golden rows"):
        shelf.bento("66")
    assert not shelf.settings.home.bento(MODEL, "66").exists()


def test_a_proof_with_other_packages_than_the_run_had_fails(bento: Path, tmp_path: Path) -> None:
    other = tmp_path / "bento"
    shutil.copytree(bento, other)
    bundle = read_bundle(source_of(other))
    requirements = ("numpy==1.26.4", "no-such-package==1.0")
    write_bundle(
        source_of(other),
        type(bundle)(
            **{name: getattr(bundle, name) for name in type(bundle).__slots__}
            | {"requirements": requirements}
        ),
    )
    proof = run_proof(other, tmp_path / "neutral")

    assert not proof.proven
    assert "numpy is" in proof.message
    assert "no-such-package 1.0 is not installed" in proof.message


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


@pytest.mark.e2e
def test_bentoml_serves_it_from_anywhere(
    bento: Path, tmp_path: Path, row: Any, served: Any
) -> None:
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.defpath}",
        "HOME": str(tmp_path),
        "BENTOML_HOME": str(tmp_path / "store"),
        "BENTOML_DO_NOT_TRACK": "True",
        "OMP_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    with served([sys.executable, "-m", "bentoml", "serve", str(bento)], environment) as caller:
        status, answer = caller.predict(json.dumps({"rows": [row()]}).encode())
        refused, _ = caller.predict(b'{"rows": [{}]}')

    assert (status, answer["version"]) == (200, "1")
    assert refused == 400
