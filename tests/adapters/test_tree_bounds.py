"""Forged trees are refused; real ones are not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import IsolationForest
from sklearn.feature_selection import SelectFromModel
from sklearn.pipeline import Pipeline
from sklearn.tree import DecisionTreeClassifier

from trimtab.adapters.predictor import CONTRACT_FILE, MODEL_FILE, Predictor, UntrustedModelError
from trimtab.adapters.tree_bounds import UnsoundTreeError, require_sound_trees
from trimtab.records.contracts import Contract, Task
from trimtab.records.documents import to_json
from trimtab.records.schema import Column, ColumnType, Schema

WIDTH = 3


def rows(count: int = 80, seed: int = 0) -> pd.DataFrame:
    values = np.random.default_rng(seed).normal(size=(count, WIDTH))
    return pd.DataFrame(values, columns=["a", "b", "c"])


def forest(trees: int = 5, seed: int = 0) -> Pipeline:
    return Pipeline([("learn", IsolationForest(n_estimators=trees, random_state=seed))]).fit(
        rows(seed=seed)
    )


def forged(change: Callable[[np.ndarray], None], at: int = 2) -> Pipeline:
    """A forest in which the nodes of one tree are others."""
    made = forest()
    tree = made[-1].estimators_[at].tree_
    state = tree.__getstate__()
    nodes = state["nodes"].copy()
    change(nodes)
    tree.__setstate__({**state, "nodes": nodes})
    return made


@given(trees=st.integers(1, 8), seed=st.integers(0, 100))
@settings(max_examples=15, deadline=None)
def test_what_was_fitted_is_sound(trees: int, seed: int) -> None:
    require_sound_trees(forest(trees, seed))


@given(
    field=st.sampled_from(["left_child", "right_child", "feature"]),
    value=st.one_of(st.integers(-(2**31), -3), st.integers(1_000, 2**31)),
)
@settings(max_examples=25, deadline=None)
def test_an_index_out_of_bounds_is_found(field: str, value: int) -> None:
    def change(nodes: np.ndarray) -> None:
        nodes[field][0] = value

    with pytest.raises(UnsoundTreeError):
        require_sound_trees(forged(change))


@pytest.mark.parametrize("child", ["left_child", "right_child"])
def test_a_path_without_end_is_found(child: str) -> None:
    def loop(nodes: np.ndarray) -> None:
        nodes[child][0] = 0

    with pytest.raises(UnsoundTreeError):
        require_sound_trees(forged(loop))


def test_a_column_that_the_rows_do_not_have_is_found() -> None:
    def change(nodes: np.ndarray) -> None:
        nodes["feature"][0] = WIDTH

    with pytest.raises(UnsoundTreeError):
        require_sound_trees(forged(change))


def test_trees_are_found_wherever_they_are() -> None:
    tree = DecisionTreeClassifier().fit(rows(), rows()["a"] > 0)
    tree.n_features_in_ = 0
    holder: Any = SelectFromModel(tree)
    holder.estimator_ = {"inside": [np.array([tree], dtype=object)]}

    with pytest.raises(UnsoundTreeError):
        require_sound_trees(Pipeline([("choose", holder), ("learn", None)]))


def test_a_version_with_a_forged_tree_is_not_loaded(tmp_path: Path) -> None:
    columns = tuple(Column(name=n, type=ColumnType.DOUBLE, required=True) for n in "abc")
    contract = Contract(
        model="m",
        task=Task.ANOMALY,
        target="",
        schema=Schema(columns=columns),
        threshold=0.5,
        expected_rate=0.1,
    )
    (tmp_path / CONTRACT_FILE).write_bytes(to_json(contract))
    skops.io.dump(forest(), tmp_path / MODEL_FILE)
    assert len(Predictor.load(tmp_path, "cpu").predict(rows()).predictions) == 80

    def change(nodes: np.ndarray) -> None:
        nodes["left_child"][0] = 2**30

    skops.io.dump(forged(change), tmp_path / MODEL_FILE)
    with pytest.raises(UntrustedModelError, match="out of bounds"):
        Predictor.load(tmp_path, "cpu")
