"""The proof of thin components must itself be able to fail."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "infra" / "development" / "isolated.py"


def isolated(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        env={"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def component(folder: Path, imports: str) -> Path:
    package = folder / "thin"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "leaf.py").write_text(f"import {imports}\n")
    return folder


def test_a_component_that_imports_all_it_declares_passes(tmp_path: Path) -> None:
    done = isolated(component(tmp_path, "json"), "thin", "--without", "no-such-distribution")

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("thin: 2 modules import")


def test_a_missing_dependency_of_any_module_is_named(tmp_path: Path) -> None:
    done = isolated(component(tmp_path, "not_declared"), "thin")

    assert done.returncode == 1
    assert "thin.leaf" in done.stderr
    assert "not_declared" in done.stderr


def test_a_distribution_that_must_be_absent_is_named(tmp_path: Path) -> None:
    done = isolated(component(tmp_path, "json"), "thin", "--without", "pytest", "evidently")

    assert done.returncode == 1
    assert "pytest, evidently" in done.stderr
