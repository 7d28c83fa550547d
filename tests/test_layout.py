"""The folder `platform/` must never shadow the standard library's `platform`."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
COMPONENTS = ("platform", "services", "pipelines", "monitoring")


def test_platform_folders_are_not_packages() -> None:
    shadows = [
        path
        for folder in (ROOT / "platform", ROOT / "tests" / "platform")
        for path in (folder / "__init__.py", folder / "platform.py")
        if path.exists()
    ]
    assert shadows == []


def test_tests_live_only_in_tests_and_are_no_package() -> None:
    strays = [
        p
        for c in COMPONENTS
        for p in (ROOT / c).rglob("*.py")
        if "test" in p.stem.split("_") or p.stem in ("conftest", "tests")
    ]
    assert strays == []
    assert list((ROOT / "tests").rglob("__init__.py")) == []


def test_components_share_one_version() -> None:
    versions = {
        tomllib.loads((ROOT / c / "pyproject.toml").read_text())["project"]["version"]
        for c in COMPONENTS
    }
    assert len(versions) == 1


def test_no_module_is_a_place_to_put_things() -> None:
    landfills = {"utils", "util", "helpers", "common", "misc", "manager", "legacy", "base"}
    sources = [p for c in COMPONENTS for p in (ROOT / c).rglob("*.py")]
    assert [p for p in sources if p.stem in landfills] == []
    assert [p for p in sources if len(p.read_text().splitlines()) > 400] == []
