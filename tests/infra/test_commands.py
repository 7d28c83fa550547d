"""What CI runs is what a person runs, and nothing in it belongs to one machine."""

import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def planned(*arguments: str) -> str:
    """Tell what make would run."""
    return made("--dry-run", *arguments)


def made(*arguments: str) -> str:
    """Run make as if no other make had started us."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    return subprocess.check_output(
        ["make", "--no-print-directory", *arguments], cwd=ROOT, env=clean, text=True
    )


def test_ci_calls_make_test_and_nothing_else() -> None:
    script = (ROOT / ".ci" / "run").read_text()

    assert re.findall(r"^(?!#|set |cd )\S.*$", script, flags=re.MULTILINE) == ["exec make test"]
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111


def test_make_test_checks_everything_cheapest_first() -> None:
    plan = planned("test")
    steps = ["uv sync --locked", "ruff format --check", "ruff check", "mypy", "lint-imports"]
    steps += ["infra/development/isolated.py trimtab_monitoring", "pytest"]
    places = [plan.index(f"{step}") for step in steps]

    assert places == sorted(places)


def test_make_demo_passes_its_arguments_on() -> None:
    plan = planned("demo", "ARGS=--exit")

    assert "uv sync --locked" in plan
    assert plan.rstrip().endswith("trimtab demo --project examples/flights --exit")


def test_every_component_is_proven_alone() -> None:
    plan = planned("isolate")
    packages = re.findall(r"--package (\S+) python", plan)

    assert packages == ["trimtab", "trimtab-pipelines", "trimtab-services", "trimtab-monitoring"]


def test_the_pinned_uv_builds_what_the_members_ask_for() -> None:
    makefile = (ROOT / "Makefile").read_text()
    pinned = re.search(r"^UV_VERSION := (\d+\.\d+)\.\d+$", makefile, flags=re.MULTILINE)
    assert pinned is not None
    asked = {
        match[1]
        for member in ("platform", "services", "pipelines", "monitoring")
        if (
            match := re.search(
                r"uv_build>=([\d.]+),", (ROOT / member / "pyproject.toml").read_text()
            )
        )
    }

    assert asked == {pinned[1]}


def test_help_names_every_target_that_a_person_types() -> None:
    shown = made("help")

    for target in ("demo", "test", "test-fast", "lint", "types", "imports", "isolate"):
        assert re.search(rf"^{target}\s+\w", shown, flags=re.MULTILINE), target
