"""An exported bento: all that is needed elsewhere, checkable, and the same each time."""

import hashlib
import json
import re
import shutil
import subprocess
import sysconfig
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bentoml import Bento
from bentoml._internal.container import construct_containerfile
from click.testing import CliRunner
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from trimtab.records.documents import from_json
from trimtab.records.promotions import Promotion
from trimtab.records.versions import Manifest
from trimtab_services.bento import read_proof
from trimtab_services.bentoml_service import image
from trimtab_services.bill import bill_of_materials
from trimtab_services.bundle import Bundle, read_bundle, source_of
from trimtab_services.containerfile import containerfile
from trimtab_services.export import Exported, export, lock_of, pack
from trimtab_services.image import UV, base_image, cuda_image, python_image

ROOT = Path(__file__).parents[2]
PINNED = re.compile(
    r"(python:3\.\d+\.\d+-slim-bookworm|nvidia/cuda:\d+\.\d+\.\d+-base-ubuntu24\.04)"
)


@pytest.fixture(scope="module")
def bento(shelf: Any) -> Path:
    folder: Path = shelf.bento("1")
    return folder


@pytest.fixture(scope="module")
def bundle(bento: Path) -> Bundle:
    return read_bundle(source_of(bento))


@pytest.fixture(scope="module")
def exported(bento: Path, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return export(bento, tmp_path_factory.mktemp("export"))


def test_all_that_is_needed_lies_in_one_folder(exported: Exported) -> None:
    assert exported.folder.name == "late-arrival-1"
    assert {path.name for path in exported.folder.iterdir()} == {
        "Containerfile", "SHA256SUMS", "late-arrival-1.bento", "proof.json", "requirements.lock",
        "sbom.cdx.json",
    }  # fmt: skip


def test_the_checksums_are_those_of_the_files(exported: Exported) -> None:
    lines = (exported.folder / "SHA256SUMS").read_text().splitlines()

    assert len(lines) == 5
    for line in lines:
        digest, name = line.split("  ")
        assert hashlib.sha256((exported.folder / name).read_bytes()).hexdigest() == digest


def test_the_same_bento_gives_the_same_archive(bento: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    shutil.copytree(bento, again)
    for file in again.rglob("*"):
        file.touch()
    pack(bento, tmp_path / "first")
    pack(again, tmp_path / "second")

    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


def test_the_archive_is_the_bento_with_the_lock_in_it(
    exported: Exported, bento: Path, tmp_path: Path
) -> None:
    with tarfile.open(exported.archive) as tar:
        members = tar.getmembers()
        tar.extractall(tmp_path, filter="data")
    changed = {
        path.relative_to(bento)
        for path in bento.rglob("*")
        if path.is_file() and path.read_bytes() != (tmp_path / path.relative_to(bento)).read_bytes()
    }

    assert changed == {Path("env/python/requirements.txt"), Path("src/uv.toml")}
    assert {(m.uid, m.gid, m.uname, m.mtime) for m in members} == {(0, 0, "", 0)}
    assert read_proof(tmp_path).proven


def test_every_package_is_locked_by_its_hash(exported: Exported, bundle: Bundle) -> None:
    lock = (exported.folder / "requirements.lock").read_text()
    entries = re.findall(
        r"^([a-z0-9-]+==\S+) \\\n((?:    --hash=sha256:[0-9a-f]{64}.*\n)+)", lock, re.M
    )

    assert exported.unlocked == ""
    assert {pin for pin, _ in entries} == set(bundle.requirements)
    assert "://" not in lock


def test_a_lock_without_an_index_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "empty"))
    lock, why = lock_of(("numpy==2.4.6",), tmp_path)

    assert lock == "numpy==2.4.6\n"
    assert "numpy" in why


def test_without_hashes_the_containerfile_does_not_ask_for_them(bundle: Bundle) -> None:
    assert "--require-hashes" in containerfile(bundle, "x.bento", has_hashes=True)
    assert "--require-hashes" not in containerfile(bundle, "x.bento", has_hashes=False)


@pytest.mark.parametrize("device", ["cpu", "auto", "cuda", "cuda:1"])
def test_hadolint_has_nothing_to_say(bundle: Bundle, device: str, tmp_path: Path) -> None:
    file = tmp_path / "Containerfile"
    file.write_text(containerfile(replace(bundle, device=device), "x.bento", has_hashes=True))
    tool = Path(sysconfig.get_path("scripts")) / "hadolint"
    done = subprocess.run(
        [tool, "--no-color", str(file)], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("device", ["auto", "cuda"])
def test_the_image_is_pinned_and_runs_as_nobody_in_particular(bundle: Bundle, device: str) -> None:
    text = containerfile(replace(bundle, device=device), "x.bento", has_hashes=True)
    images = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    final = text.rpartition("\nFROM ")[2]

    assert len(images) == 2
    assert all(PINNED.fullmatch(image) for image in images)
    assert re.findall(r"^USER (.+)$", final, re.MULTILINE) == ["10001:10001"]
    assert re.findall(r"^EXPOSE (.+)$", final, re.MULTILINE) == ["3000"]
    assert "/readyz" in final
    assert "--chown" not in final
    assert not re.search(r"apt-get|gcc|build-essential|git |uv ", final)
    assert f'manifest="sha256:{bundle.manifest_sha256}"' in final


def test_a_bento_for_a_gpu_gets_an_image_of_cuda_s_with_a_python_of_its_own(bundle: Bundle) -> None:
    text = containerfile(replace(bundle, device="cuda:1"), "x.bento", has_hashes=True)
    step, final = text.split("\n\n\n")

    assert final.startswith("FROM nvidia/cuda:")
    assert "NVIDIA_DRIVER_CAPABILITIES=compute,utility" in final
    assert "pip" not in final
    assert "UV_PYTHON_INSTALL_DIR=/app/python" in step
    assert "--managed-python" in step


def test_other_bentos_run_on_the_python_that_they_were_built_with(bundle: Bundle) -> None:
    for device in ("cpu", "auto"):
        text = containerfile(replace(bundle, device=device), "x.bento", has_hashes=True)
        assert re.findall(r"^FROM (\S+)", text, re.MULTILINE) == [python_image()] * 2
        assert "NVIDIA" not in text


def test_cuda_s_image_is_of_the_major_version_that_xgboost_was_built_with() -> None:
    import xgboost

    major = xgboost.build_info()["CUDA_VERSION"][0]

    assert cuda_image().startswith(f"nvidia/cuda:{major}.")
    assert PINNED.fullmatch(cuda_image())


def test_the_uv_of_images_is_the_one_of_the_project() -> None:
    assert f"UV_VERSION := {UV}\n" in (ROOT / "Makefile").read_text()


def test_what_bentoml_containerizes_is_as_strict_as_bentoml_allows(
    exported: Exported, tmp_path: Path
) -> None:
    with tarfile.open(exported.archive) as tar:
        tar.extractall(tmp_path, filter="data")
    with construct_containerfile(Bento.from_path(str(tmp_path)), enable_buildkit=False) as (
        context,
        file,
    ):
        text = Path(file).read_text()
        settings = (Path(context) / "src" / "uv.toml").read_text()
        lock = (Path(context) / "env" / "python" / "requirements.txt").read_text()

    assert f"FROM {python_image()} AS" in text
    assert not re.search(r"apt-get|build-essential|git", text)
    assert text.index(f"uv=={UV}") < text.index("pip install uv\n")
    assert text.index("./src/uv.toml") < text.index("pip install -r $BENTO_PATH")
    assert "pip uninstall --yes --quiet uv pip" in text
    assert text.index("\nUSER bentoml") < text.index("\nENTRYPOINT [")
    assert "no-deps = true" in settings
    assert "require-hashes = true" in settings
    assert lock.count("--hash=sha256:") > 500


def test_what_bentoml_containerizes_for_a_gpu_starts_from_cuda(bundle: Bundle) -> None:
    described = image(replace(bundle, device="cuda"))

    assert described.base_image == base_image("cuda") == cuda_image()
    assert f"uv=={UV}" in described.commands[0]
    assert described.python_version == python_image().split(":")[1].split("-")[0]


def test_the_bill_of_materials_follows_its_schema_and_names_all(
    exported: Exported, bundle: Bundle
) -> None:
    text = (exported.folder / "sbom.cdx.json").read_text()
    bill = json.loads(text)
    parts = {part["bom-ref"]: part for part in bill["components"]}
    needs = {entry["ref"]: entry.get("dependsOn", []) for entry in bill["dependencies"]}
    scikit = next(pin for pin in bundle.requirements if pin.startswith("scikit-learn=="))

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert {ref for ref in parts if "==" in ref} == set(bundle.requirements)
    assert parts["model"]["type"] == "machine-learning-model"
    assert parts["model"]["hashes"] == [{"alg": "SHA-256", "content": bundle.manifest_sha256}]
    assert parts[scikit]["purl"] == f"pkg:pypi/{scikit.replace('==', '@')}"
    assert any(ref.startswith("numpy==") for ref in needs[scikit])
    assert sum(1 for ref in bundle.requirements if "licenses" in parts[ref]) > 80
    assert f"{parts['base']['name']}:{parts['base']['version']}" == python_image()


def test_the_bill_lists_the_very_files_of_the_model(exported: Exported, bento: Path) -> None:
    bill = json.loads((exported.folder / "sbom.cdx.json").read_text())
    (model,) = [part for part in bill["components"] if part["bom-ref"] == "model"]
    manifest = from_json(Manifest, (source_of(bento) / "version" / "manifest.json").read_bytes())

    assert {part["name"]: part["hashes"][0]["content"] for part in model["components"]} == {
        file.path: file.sha256 for file in manifest.files
    }


def test_the_number_of_a_bill_is_that_of_what_it_lists(bento: Path, bundle: Bundle) -> None:
    manifest = from_json(Manifest, (source_of(bento) / "version" / "manifest.json").read_bytes())
    numbers = [
        json.loads(bill_of_materials(one, manifest, "python:3"))["serialNumber"]
        for one in (bundle, bundle, replace(bundle, code_sha256="0" * 64))
    ]

    assert numbers[0] == numbers[1] != numbers[2]


def test_an_export_takes_the_place_of_the_one_before(
    exported: Exported, bento: Path, tmp_path: Path
) -> None:
    shutil.copytree(exported.folder, tmp_path / exported.folder.name)
    (tmp_path / exported.folder.name / "old").write_text("of the export before")
    again = export(bento, tmp_path)

    assert list(tmp_path.iterdir()) == [again.folder]
    assert again.archive.read_bytes() == exported.archive.read_bytes()
    assert not (again.folder / "old").exists()


def test_a_relative_folder_gets_the_same_hashes(
    bento: Path, exported: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    found = export(bento, Path("here"))

    assert found.unlocked == exported.unlocked
    assert (found.folder / "requirements.lock").read_bytes() == (
        exported.folder / "requirements.lock"
    ).read_bytes()


def test_a_folder_that_cannot_be_written_is_said(bento: Path, tmp_path: Path) -> None:
    from trimtab_services.export import ExportError

    (tmp_path / "file").write_text("in the way")

    with pytest.raises(ExportError, match="late-arrival-1 could not be exported"):
        export(bento, tmp_path / "file")


def test_the_verb_exports_and_names_the_folder(
    shelf: Any, bento: Path, bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datetime import UTC, datetime

    from trimtab.adapters.opening import open_database
    from trimtab.cli.group import trimtab

    with open_database(shelf.settings).transaction() as stores:
        promotion = Promotion(
            model=bundle.model, epoch=1, version="1", previous=None,
            manifest_sha256=bundle.manifest_sha256,
            at=datetime.now(UTC), actor="tests", reasons=(),
        )  # fmt: skip
        stores.promotions.record(promotion)
    monkeypatch.setenv("TRIMTAB_HOME", str(shelf.settings.home.root))
    project = str(shelf.settings.folder)
    done = CliRunner().invoke(
        trimtab, ["build", bundle.model, "--project", project, "--export", str(tmp_path)]
    )

    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-1] == str(tmp_path / "late-arrival-1")
    assert "sbom.cdx.json" in done.output
