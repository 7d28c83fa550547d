"""The container files: what a validator can say of them, and what a build would find.

They were not run with an engine; these tests are what stands in for it.
"""

import os
import re
import shutil
import subprocess
import sysconfig
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "infra").glob("*.Containerfile"))
COMPONENTS = {"pipelines", "services", "monitoring"}
UV = ROOT / ".tools" / "uv"

pytestmark = pytest.mark.parametrize("file", FILES, ids=lambda file: file.name.split(".")[0])


def tool(name: str) -> str:
    """Find a program that a wheel of the dev group brought."""
    found = shutil.which(name, path=sysconfig.get_path("scripts"))
    assert found is not None, f"{name} is a dev dependency: uv sync"
    return found


def copied(file: Path) -> list[Path]:
    """List what the build takes from the repository."""
    lines = re.findall(r"^COPY (?!--from)(.+)$", file.read_text(), flags=re.MULTILINE)
    return [Path(source) for line in lines for source in line.split()[:-1]]


def synced(file: Path) -> list[str]:
    """List the arguments of each `uv sync`."""
    return re.findall(r"^RUN uv (sync .+)$", file.read_text(), flags=re.MULTILINE)


def test_every_component_has_one(file: Path) -> None:
    assert {path.name.split(".")[0] for path in FILES} == {*COMPONENTS, "server"}
    assert file in FILES


def test_hadolint_has_nothing_to_say(file: Path) -> None:
    done = subprocess.run(
        [tool("hadolint"), "--no-color", str(file)], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (0, "")


def test_only_its_own_folder_and_the_platform_go_in(file: Path) -> None:
    own = {file.name.split(".")[0]} & COMPONENTS
    folders = {path.parts[0] for path in copied(file)} - {"pyproject.toml", "uv.lock"}

    assert folders == {"platform", *own}
    assert [str(path) for path in copied(file) if not (ROOT / path).exists()] == []


def test_what_it_copies_reaches_the_engine(file: Path) -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()

    assert "*" in ignored
    assert {f"!{path.parts[0]}" for path in copied(file)} <= set(ignored)


def test_the_named_package_is_in_the_workspace(file: Path) -> None:
    packages = {m[1] for line in synced(file) if (m := re.search(r"--package (\S+)", line))}
    members = {
        tomllib.loads((ROOT / name / "pyproject.toml").read_text())["project"]["name"]
        for name in ("platform", *COMPONENTS)
    }

    assert len(packages) == 1
    assert packages <= members
    assert all("--frozen" in line and "--no-dev" in line for line in synced(file))


def test_the_worker_that_it_starts_is_the_declared_one(file: Path) -> None:
    own = file.name.split(".")[0]
    if own not in COMPONENTS:
        assert 'ENTRYPOINT ["mlflow", "server"' in file.read_text()
        return
    declared = tomllib.loads((ROOT / own / "pyproject.toml").read_text())
    module = declared["project"]["entry-points"]["trimtab.workers"][own]

    assert f'ENTRYPOINT ["python", "-m", "{module}", "/project"]' in file.read_text()


def test_it_runs_as_nobody_in_particular_on_a_pinned_image(file: Path) -> None:
    text = file.read_text()
    users = re.findall(r"^USER (.+)$", text, flags=re.MULTILINE)
    images = re.findall(r"^FROM (\S+)", text, flags=re.MULTILINE)

    assert users == ["10001:10001"]
    assert all(re.fullmatch(r"python:3\.11\.\d+-slim-bookworm", image) for image in images)


def test_it_builds_with_the_uv_that_wrote_the_lock(file: Path) -> None:
    (pinned,) = re.findall(r"^UV_VERSION := (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)

    assert f"uv=={pinned}\n" in file.read_text()


def test_the_lock_resolves_from_what_is_copied_alone(file: Path, tmp_path: Path) -> None:
    if not UV.exists():
        pytest.skip("no .tools/uv here: run by `make test`")
    for path in copied(file):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / path).is_dir():
            shutil.copytree(ROOT / path, tmp_path / path, dirs_exist_ok=True)
        else:
            shutil.copy(ROOT / path, tmp_path / path)
    for arguments in synced(file):
        done = subprocess.run(
            [str(UV), *arguments.split(), "--dry-run", "--offline"],
            cwd=tmp_path,
            env={key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
