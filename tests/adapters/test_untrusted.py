"""A model file is data: whatever lies in it, nothing of it is run."""

import json
import pickle
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import skops.io
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from trimtab.adapters.predictor import MODEL_FILE, Predictor, UntrustedModelError

from .conftest import MakeFolder

MODULE = """
from pathlib import Path
from sklearn.base import BaseEstimator
MARK = Path({mark!r})
MARK.write_text("imported")
class Evil(BaseEstimator):
    def __new__(cls, *args):
        MARK.write_text("made")
        return super().__new__(cls)
    def __setstate__(self, state):
        MARK.write_text("filled")
    def __reduce__(self):
        return MARK.write_text, ("reduced",)
def evil(*args):
    MARK.write_text("called")
"""
_unpickled: list[str] = []
_is_watching = False


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if _is_watching and event == "pickle.find_class":
        _unpickled.append(".".join(map(str, arguments)))


sys.addaudithook(_watch)  # stays for good, and does nothing unless it is told to


@pytest.fixture
def mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """What a module of somebody else would leave behind if any of its code ran."""
    mark = tmp_path / "mark"
    (tmp_path / "evil_module.py").write_text(MODULE.format(mark=str(mark)))
    monkeypatch.syspath_prepend(str(tmp_path))
    yield mark
    sys.modules.pop("evil_module", None)


def evil(what: str) -> Any:
    import evil_module  # type: ignore[import-not-found]  # `mark` wrote it

    return {
        "estimator": lambda: Pipeline([("evil", evil_module.Evil())]),
        "function": lambda: FunctionTransformer(evil_module.evil),
        "attribute": lambda: FunctionTransformer(kw_args={"x": evil_module.Evil()}),
    }[what]()


def forget(mark: Path) -> None:
    sys.modules.pop("evil_module")
    mark.unlink()


@pytest.mark.parametrize("what", ["estimator", "function", "attribute"])
def test_foreign_types_are_refused_before_any_of_their_code_runs(
    make_folder: MakeFolder, mark: Path, what: str
) -> None:
    folder = make_folder("linear")
    skops.io.dump(evil(what), folder / MODEL_FILE)
    forget(mark)

    with pytest.raises(UntrustedModelError, match="evil_module"):
        Predictor.load(folder, "cpu")
    assert not mark.exists()
    assert "evil_module" not in sys.modules


@pytest.mark.parametrize("loader", ["TypeNode", "FunctionNode", "ObjectNode", "MethodNode", "x"])
def test_a_file_that_was_written_by_hand_runs_nothing(
    make_folder: MakeFolder, mark: Path, loader: str
) -> None:
    folder = make_folder("linear")
    node = {"__class__": "evil", "__module__": "evil_module", "__loader__": loader, "__id__": 1}
    content = {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode"}
    inner = {**content, "content": '"x"', "is_json": True, "__id__": 2}
    schema = {**node, "content": inner, "attrs": inner, "protocol": 2, "_skops_version": "0.13.0"}
    with zipfile.ZipFile(folder / MODEL_FILE, "w") as file:
        file.writestr("schema.json", json.dumps(schema))

    with pytest.raises(Exception):  # noqa: B017, PT011 (skops has many for a broken file)
        Predictor.load(folder, "cpu")
    assert not mark.exists()
    assert "evil_module" not in sys.modules


def test_a_pickle_in_the_place_of_a_model_runs_nothing(make_folder: MakeFolder, mark: Path) -> None:
    folder = make_folder("linear")
    (folder / MODEL_FILE).write_bytes(pickle.dumps(evil("estimator")))
    forget(mark)

    with pytest.raises(Exception):  # noqa: B017, PT011 (any will do: it is no model)
        Predictor.load(folder, "cpu")
    assert not mark.exists()


@pytest.mark.parametrize("learner", ["linear", "trees", "number"])
def test_loading_and_asking_unpickles_nothing(
    make_folder: MakeFolder, rows: pd.DataFrame, learner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_folder(learner)
    monkeypatch.setitem(globals(), "_is_watching", True)
    Predictor.load(folder, "cpu").predict(rows)
    monkeypatch.undo()
    seen_so_far = list(_unpickled)
    monkeypatch.setitem(globals(), "_is_watching", True)
    pickle.loads(pickle.dumps(Path("x")))  # the watch works

    assert seen_so_far == []
    assert _unpickled
    _unpickled.clear()
