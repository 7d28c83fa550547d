"""No source of ours reads what could run: no pickle, under any of its names."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted(
    path
    for folder in ("platform", "pipelines", "services", "monitoring", "examples", "infra", "docs")
    for path in (ROOT / folder).rglob("*.py")
)
MODULES = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
CALLS = {"yaml.load", "yaml.unsafe_load", "yaml.full_load", "torch.load", "read_pickle"}
_NAMES = ("read_pickle", "to_pickle", "allow_pickle")


def unsafe(tree: ast.AST) -> Iterator[str]:
    """Give whatever in a source could run what it reads."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (n.name for n in names if n.name.split(".")[0] in MODULES)
            case ast.ImportFrom(module=str(module), names=names):
                yield from (module for _ in names if module.split(".")[0] in MODULES)
                yield from (
                    n.name for n in names if f"{module}.{n.name}" in CALLS or n.name in _NAMES
                )
            case ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr=name)):
                if f"{owner}.{name}" in CALLS or name in _NAMES or owner in MODULES:
                    yield f"{owner}.{name}"
            case ast.Call(func=ast.Name(id="eval" | "exec" as name)):
                yield name
            case ast.keyword(arg="allow_pickle"):
                yield "allow_pickle"


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "import joblib.numpy_pickle",
        "from cloudpickle import loads",
        "from pandas import read_pickle",
        "import yaml\nyaml.load(text)",
        "torch.load(path)",
        "frame.to_pickle(path)",
        "np.load(path, allow_pickle=True)",
        "eval(text)",
    ],
)
def test_the_scan_sees_what_it_looks_for(source: str) -> None:
    assert list(unsafe(ast.parse(source)))


def test_no_source_of_ours_reads_what_could_run() -> None:
    found = {
        str(path.relative_to(ROOT)): names
        for path in SOURCES
        if (names := list(unsafe(ast.parse(path.read_text()))))
    }

    assert len(SOURCES) > 100
    assert found == {}
