"""What a preview foretells: a gain where the world moved, none where it did not."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder
from xgboost import XGBClassifier

from trimtab.adapters.device import DeviceChoice
from trimtab.adapters.predictor import Predictor
from trimtab.records.contracts import Contract, Task
from trimtab.records.schema import Column, ColumnType, Schema
from trimtab.records.versions import ModelVersion
from trimtab.settings import ModelSettings
from trimtab_pipelines.contenders import Baseline, Contender
from trimtab_pipelines.previewing import _every, preview

START = datetime(2013, 1, 1, tzinfo=UTC)
ROWS, SEEN = 3000, 2000  # an hour apart
NOW = START + timedelta(hours=ROWS)
SCHEMA = Schema(
    columns=(
        Column(name="x", type=ColumnType.DOUBLE, required=True),
        Column(name="place", type=ColumnType.STRING, required=True),
    )
)


def world(moves: bool, *, new_place: bool = False) -> pd.DataFrame:
    random = np.random.default_rng(0)
    x, late = random.normal(size=ROWS), np.arange(ROWS) >= SEEN
    places = np.where(random.random(ROWS) < 0.5, "A", "B")
    if new_place:
        places = np.where(late & (random.random(ROWS) < 0.5), "C", places)
    odds = np.where(late & moves, -2 * x, 2 * x) + 3.0 * (places == "C")
    return pd.DataFrame(
        {
            "at": [START + timedelta(hours=n) for n in range(ROWS)],
            "x": x,
            "place": places,
            "y": random.random(ROWS) < 1 / (1 + np.exp(-odds)),
        }
    )


def settings(task: str = "binary", **other: Any) -> ModelSettings:
    values = {"task": task, "source": "rows.csv", "target": "y", "time": "at", **other}
    return ModelSettings.model_validate(values)


def champion(learner: str = "linear", classes: tuple[bool | str, ...] = (False, True)) -> Contender:
    """A champion as far as a preview knows one: its recipe, its contract, what it has seen."""
    known = [np.array(["A", "B"], dtype=object)]
    if learner == "trees":
        codes: Any = OrdinalEncoder(
            categories=known, handle_unknown="use_encoded_value", unknown_value=np.nan
        )
        model: Any = XGBClassifier(
            n_estimators=300, max_depth=3, enable_categorical=True, feature_types=["q", "c"]
        )
    else:
        codes = OneHotEncoder(categories=known, handle_unknown="ignore")
        model = LogisticRegression() if learner == "linear" else Ridge()
    prepare = ColumnTransformer([("n", "passthrough", ["x"]), ("texts", codes, ["place"])])
    task = Task.REGRESSION if learner == "number" else Task.BINARY
    contract = Contract(
        model="m",
        task=task,
        target="y",
        schema=SCHEMA,
        classes=() if task is Task.REGRESSION else classes,
    )
    version = ModelVersion(
        model="m",
        version="1",
        run_id="r",
        trained_until=START + timedelta(hours=SEEN),
        manifest_sha256="0",
    )
    pipeline = Pipeline([("prepare", prepare), ("learn", model)])
    return Contender(
        version=version,
        predictor=Predictor(contract, pipeline, DeviceChoice(device="cpu", note="")),
        baseline=Baseline.of(contract, pd.Series([0, 1] * 5)),
    )


@pytest.mark.parametrize("learner", ["linear", "trees"])
def test_a_world_that_moved_promises_a_gain_and_one_that_did_not_none(learner: str) -> None:
    moved = preview(settings(), world(moves=True), champion(learner), NOW).preview
    still = preview(settings(), world(moves=False), champion(learner), NOW).preview

    assert moved is not None
    assert still is not None
    assert moved.predicts_gain
    assert moved.low > 0
    assert still.low < 0.01
    assert moved.judged_on == 300
    assert (moved.fitted_before, moved.fitted_after) == (SEEN, 2700)


def test_numbers_are_foretold_as_well() -> None:
    rows = world(moves=True).assign(y=lambda r: np.where(r.index < SEEN, 2.0, -2.0) * r["x"])
    found = preview(settings("regression"), rows, champion("number"), NOW).preview

    assert found is not None
    assert found.metric == "squared_error"
    assert found.low > 0


def test_the_same_rows_give_the_same_preview() -> None:
    rows = world(moves=True)
    first, second = (preview(settings(), rows, champion("trees"), NOW) for _ in range(2))

    assert first == second


@pytest.mark.parametrize("learner", ["linear", "trees"])
def test_categories_that_the_champion_does_not_know_are_learned(learner: str) -> None:
    rows = world(moves=False, new_place=True)
    found = preview(settings(), rows, champion(learner), NOW).preview

    assert found is not None
    assert found.low > 0


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (world(moves=True).head(2050), "too few rows"),
        (world(moves=True).drop(columns="place"), "could not be made"),
        (world(moves=True).assign(y=lambda r: r["y"] & (r.index >= SEEN)), "lack a class"),
    ],
)
def test_where_no_preview_can_be_made_it_is_said_why(rows: pd.DataFrame, words: str) -> None:
    found = preview(settings(), rows, champion(), NOW)

    assert found.preview is None
    assert words in found.note


def test_without_labels_there_is_none() -> None:
    model = ModelSettings.model_validate({"task": "clustering", "source": "rows.csv"})

    assert "without labels" in preview(model, world(moves=True), champion(), NOW).note


def test_what_the_champion_cannot_say_is_not_foretold() -> None:
    rows = world(moves=False)
    labels = rows["y"].map({True: "yes", False: "no"})
    labels.iloc[-3:] = "perhaps"
    labels.iloc[10] = "long ago"
    rows["y"] = labels
    known = champion(classes=("no", "yes"))

    assert "labels that are new: perhaps (3 rows)" in preview(settings(), rows, known, NOW).note


@given(
    stride=st.integers(1, 50),
    start=st.integers(0, 500),
    lengths=st.tuples(st.integers(0, 900), st.integers(0, 900)),
)
def test_rows_of_a_shorter_stretch_are_among_those_of_a_longer_one(
    stride: int, start: int, lengths: tuple[int, int]
) -> None:
    shorter, longer = sorted(lengths)
    few, many = (_every(stride, start, start + length) for length in (shorter, longer))

    assert set(few) <= set(many)
    assert len(many) <= longer // stride + 1
