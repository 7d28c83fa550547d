"""The documentation builds strictly as a site, complete, and asks no other host for anything."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "infra" / "development" / "mkdocs.yml"
COMMANDS = ROOT / "docs" / "reference" / "commands.md"
LOADED = re.compile(r"<(?:script|img|iframe|link)\b[^>]*?\b(?:src|href)=\"?(https?:[^\" >]+)")
"""What a browser fetches by itself; to where a page links is its own matter."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", CONFIG, "-d", folder],
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return folder


def test_every_page_is_in_the_site(site: Path) -> None:
    pages = {path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md")}
    made = {path.relative_to(site) for path in site.rglob("*.html")} - {Path("404.html")}

    assert {str(page.with_suffix("")).replace("README", "index") for page in pages} == {
        str(page.with_suffix("")) for page in made
    }


def test_no_page_fetches_anything_from_another_host(site: Path) -> None:
    for page in site.rglob("*.html"):
        assert LOADED.findall(page.read_text()) == [], page


def test_the_page_of_commands_is_what_help_says() -> None:
    code = (
        "import runpy; "
        f"print(runpy.run_path({str(COMMANDS.with_name('generate_commands.py'))!r})['page'](), "
        "end='')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    hint = "run: .venv/bin/python docs/reference/generate_commands.py"
    assert done.stdout == COMMANDS.read_text(), hint
