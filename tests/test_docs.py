"""What the documentation says is so."""

import importlib.util
import os
import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

import pytest

from trimtab.settings import Environment, Project, load

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
SETTINGS = ROOT / "docs" / "reference" / "settings.md"
GENERATOR = SETTINGS.with_name("generate.py")
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "infra/**/*.md", "examples/**/*.md")
    for path in ROOT.glob(pattern)
)


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", GENERATOR)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def made(target: str) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    return subprocess.run(
        ["make", "--dry-run", target],
        cwd=ROOT,
        env=clean,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_page_of_settings_is_what_the_code_says() -> None:
    """In a process of its own: two threads that parse at once upset Python 3.11's parser."""
    code = f"import runpy; print(runpy.run_path({str(GENERATOR)!r})['page'](), end='')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert done.stdout == SETTINGS.read_text(), "run: .venv/bin/python docs/reference/generate.py"


def test_every_setting_has_a_row_with_its_meaning(generator: ModuleType) -> None:
    page = SETTINGS.read_text()
    for path, section in generator.sections(Project):
        table = page.split(f"### `[{path}]`\n")[1].split("\n##")[0]
        for name, field in section.model_fields.items():
            if generator.section_of(field.annotation) is None:
                assert re.search(rf"^\| `{name}` \| .*\| \S.* \|$", table, re.MULTILINE), name


def test_every_variable_of_the_environment_has_a_row() -> None:
    page = SETTINGS.read_text()

    for name in Environment.model_fields:
        assert f"| `TRIMTAB_{name.upper()}` |" in page


def test_every_verb_has_a_row_in_the_readme_and_no_other_has() -> None:
    verbs = {point.name for point in entry_points(group="trimtab.commands")}
    rows = re.findall(r"^\| `trimtab ([a-z]+)", README, flags=re.MULTILINE)

    assert len(rows) == len(set(rows))
    assert set(rows) == verbs


def test_every_command_line_of_a_page_names_a_verb() -> None:
    verbs = {point.name for point in entry_points(group="trimtab.commands")}
    for page in PAGES:
        said = re.findall(r"(?:^\$ |`)trimtab ([a-z]+)", page.read_text(), flags=re.MULTILINE)
        assert set(said) <= verbs, page


def test_every_target_of_a_page_is_one_of_the_makefile() -> None:
    for page in PAGES:
        for target in set(re.findall(r"(?:^\$ |`)make ([a-z-]+)", page.read_text(), re.MULTILINE)):
            assert made(target).returncode == 0, f"{page}: make {target}"


def test_the_readme_s_settings_load(tmp_path: Path) -> None:
    blocks = re.findall(r"```toml\n(.*?)```", README, flags=re.DOTALL)

    assert len(blocks) == 1
    (tmp_path / "trimtab.toml").write_text(blocks[0])
    assert list(load(tmp_path, Environment()).project.models) == ["orders"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text())
    ours = [target for target in targets if "://" not in target]

    assert [target for target in ours if not (page.parent / target).exists()] == []


def test_every_decision_is_in_the_index_under_its_own_title() -> None:
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text()
    decisions = sorted(path for path in folder.glob("*.md") if path.name != "README.md")

    assert [path.name[:4] for path in decisions] == [
        f"{i:04}" for i in range(1, len(decisions) + 1)
    ]
    for path in decisions:
        title = path.read_text().splitlines()[0].removeprefix("# ")
        assert f"- [{title}]({path.name})\n" in index


def test_every_test_that_a_page_names_is_there() -> None:
    for page in PAGES:
        for path in re.findall(r"`(tests/[\w/.]+)`", page.read_text()):
            assert (ROOT / path).exists(), f"{page}: {path}"


def test_the_licence_is_the_one_that_the_members_state() -> None:
    text = (ROOT / "LICENSE").read_text()

    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    for member in ("platform", "pipelines", "services", "monitoring"):
        assert 'license = "Apache-2.0"' in (ROOT / member / "pyproject.toml").read_text()
