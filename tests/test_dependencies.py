"""The six frameworks import together, at or above the floors that the members state."""

import platform
import re
import sysconfig
import tomllib
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
MEMBERS = ("platform", "pipelines", "services", "monitoring")
FLOORS = {
    "mlflow": "3.17.2",
    "bentoml": "1.4.39",
    "evidently": "0.7.23",
    "scikit-learn": "1.7",
    "xgboost": "3.1",
    "sqlalchemy": "2",
}


def stated() -> list[Requirement]:
    """Give every dependency that a member states, extras included."""
    found: list[str] = []
    for member in MEMBERS:
        content = tomllib.loads((ROOT / member / "pyproject.toml").read_text())["project"]
        found += content["dependencies"]
        found += [
            line for lines in content.get("optional-dependencies", {}).values() for line in lines
        ]
    return [Requirement(line) for line in found]


@pytest.mark.parametrize(
    "module", ["mlflow", "bentoml", "evidently", "sklearn", "xgboost", "sqlalchemy"]
)
def test_every_given_framework_imports_beside_the_others(module: str) -> None:
    assert import_module(module).__name__ == module


@pytest.mark.parametrize(("name", "floor"), FLOORS.items())
def test_a_naive_resolution_has_not_fallen_back(name: str, floor: str) -> None:
    assert Version(version(name)) >= Version(floor)


@pytest.mark.parametrize(("name", "floor"), FLOORS.items())
def test_a_member_states_the_floor(name: str, floor: str) -> None:
    floors = [
        Version(part.version)
        for requirement in stated()
        if requirement.name == name
        for part in requirement.specifier
        if part.operator == ">="
    ]

    assert floors
    assert min(floors) >= Version(floor)


def test_pandas_stays_below_3_where_evidently_breaks() -> None:
    (pandas,) = [requirement for requirement in stated() if requirement.name == "pandas"]

    assert not pandas.specifier.contains("3.0.0")
    assert Version(version("pandas")) < Version("3")


def test_every_installed_version_is_one_that_its_member_allows() -> None:
    unfit = [
        str(r) for r in stated() if not r.specifier.contains(version(r.name), prereleases=True)
    ]

    assert unfit == []


@pytest.mark.parametrize("member", MEMBERS)
def test_every_dependency_has_its_reason_beside_it(member: str) -> None:
    text = (ROOT / member / "pyproject.toml").read_text()
    stated_here = text.split("[build-system]")[0]
    lines = re.findall(r'^.*"[a-z0-9\[\]-]+(?:[>=<~!].*)?".*$', stated_here, flags=re.MULTILINE)
    unexplained = [
        line.strip()
        for line in lines
        if re.match(r'\s+"|server = \["', line) and "#" not in line and '"trimtab' not in line
    ]

    assert [line for line in lines if "#" in line]
    assert unexplained == []


def test_the_standard_library_s_platform_is_the_one_that_imports() -> None:
    assert platform.__file__ is not None
    assert Path(platform.__file__).parent == Path(sysconfig.get_paths()["stdlib"])
