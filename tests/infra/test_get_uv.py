"""The way to uv on a machine that has none; the real registry is asked by `make` itself."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "infra" / "development" / "get-uv.sh"
VERSION = "1.2.3"


def program(path: Path, body: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def get_uv(
    tools: Path, python: Path | str, path: str = os.defpath
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", str(SCRIPT), VERSION, str(tools)],
        env={"PYTHON": str(python), "PATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def version_of(uv: Path) -> str:
    return subprocess.check_output([str(uv), "--version"], text=True).strip()


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    return tmp_path / "a folder" / ".tools"


@pytest.fixture
def without_venv(tmp_path: Path) -> Path:
    """Behave as Debian's Python without python3-venv, whose pip is the system's own."""
    return program(
        tmp_path / "python3",
        f"""
        [ "$2" = venv ] && {{ echo "ensurepip is not available" >&2; exit 1; }}
        while [ "$1" != --target ]; do [ $# -gt 1 ] || exit 1; shift; done
        mkdir -p "$2/bin"
        printf '#!/bin/sh\\necho uv {VERSION}\\n' >"$2/bin/uv"; chmod +x "$2/bin/uv"
        """,
    )


def test_a_python_without_venv_installs_into_a_folder(tools: Path, without_venv: Path) -> None:
    done = get_uv(tools, without_venv)

    assert done.returncode == 0, done.stderr
    assert version_of(tools / "uv") == f"uv {VERSION}"


def test_what_is_already_there_is_not_fetched_again(tools: Path, without_venv: Path) -> None:
    get_uv(tools, without_venv)
    again = get_uv(tools, "false")

    assert again.returncode == 0
    assert again.stdout == ""


def test_another_version_than_the_pinned_one_is_replaced(tools: Path, without_venv: Path) -> None:
    program(tools / "uv", "echo uv 0.0.1")
    done = get_uv(tools, without_venv)

    assert done.returncode == 0
    assert version_of(tools / "uv") == f"uv {VERSION}"


def test_an_uv_on_the_path_is_the_last_way(tools: Path, tmp_path: Path) -> None:
    program(tmp_path / "bin" / "uv", f"echo uv {VERSION}")
    done = get_uv(tools, "false", f"{tmp_path / 'bin'}:{os.defpath}")

    assert done.returncode == 0
    assert version_of(tools / "uv") == f"uv {VERSION}"


def test_a_machine_without_any_way_is_told_what_it_needs(tools: Path, tmp_path: Path) -> None:
    program(tmp_path / "bin" / "uv", "echo uv 0.0.1")  # there, but not the one that is pinned
    done = get_uv(tools, "false", f"{tmp_path / 'bin'}:{os.defpath}")

    assert done.returncode == 1
    assert "python3-venv" in done.stderr
    assert str(tools / "get-uv.log") in done.stderr
    assert not (tools / "uv").exists()
