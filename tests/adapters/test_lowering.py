"""The fast path gives what the pipeline gives, for whatever the trainer can make."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    OneHotEncoder,
    RobustScaler,
    StandardScaler,
)

from trimtab.adapters.device import DeviceChoice
from trimtab.adapters.frames import FrameError, coerce, rows_of
from trimtab.adapters.lowering import CannotLowerError, OddRowsError, lower
from trimtab.adapters.predictor import Answers, Predictor, UnanswerableError
from trimtab.records.contracts import Contract, Task
from trimtab.records.rows import Rows
from trimtab.records.schema import Column, ColumnType, Schema
from trimtab.settings.learning import Candidate, TrainSettings
from trimtab_pipelines.candidates import Recipe

ROWS, FITTED = 130, 100
CPU = DeviceChoice(device="cpu", note="tests")
PAIRS: list[tuple[Task, Candidate]] = [
    (Task.BINARY, "logistic"),
    (Task.BINARY, "xgboost"),
    (Task.BINARY, "extra_trees"),
    (Task.MULTICLASS, "logistic"),
    (Task.MULTICLASS, "xgboost"),
    (Task.MULTICLASS, "extra_trees"),
    (Task.REGRESSION, "ridge"),
    (Task.REGRESSION, "xgboost"),
    (Task.REGRESSION, "extra_trees"),
]
CLASSES: dict[Task, tuple[int | str, ...]] = {
    Task.BINARY: (0, 1),
    Task.MULTICLASS: ("a", "b", "c"),
    Task.REGRESSION: (),
}
LARGEST = float(np.finfo("float32").max)
VALUES: dict[ColumnType, st.SearchStrategy[Any]] = {
    ColumnType.BOOLEAN: st.booleans(),
    ColumnType.INTEGER: st.integers(-(2**31), 2**31 - 1),
    ColumnType.LONG: st.integers(-(2**63), 2**63 - 1),
    ColumnType.FLOAT: st.floats(-LARGEST, LARGEST),
    ColumnType.DOUBLE: st.floats(allow_nan=False, allow_infinity=False),
    ColumnType.STRING: st.sampled_from(["up", "down", "", "nan", "None", "r1", "é"]) | st.text(),
    ColumnType.DATETIME: st.datetimes(
        datetime(1678, 1, 1), datetime(2261, 12, 31), timezones=st.just(UTC)
    ),
}


@dataclass(frozen=True)
class Model:
    """A fitted pipeline, asked by either way."""

    slow: Predictor
    fast: Predictor
    frame: pd.DataFrame
    """The rows it was fitted on."""
    is_trees: bool

    @property
    def schema(self) -> Schema:
        return self.slow.contract.schema


def train(task: Task, candidate: Candidate, columns: Sequence[Column], seed: int = 0) -> Model:
    """Fit a candidate by the trainer's own code on rows that say a little of the truth."""
    random = np.random.default_rng(seed)
    hidden = random.normal(size=ROWS)
    raw = pd.DataFrame({column.name: _noisy(column, hidden, random) for column in columns})
    schema = Schema(columns=tuple(columns))
    frame = coerce(raw, schema)
    truth = {
        Task.BINARY: (hidden > 0).astype(int),
        Task.MULTICLASS: np.digitize(hidden, [-0.5, 0.5]),
        Task.REGRESSION: 1000 * hidden,
    }[task]
    contract = Contract(model="m", task=task, target="y", schema=schema, classes=CLASSES[task])
    metric: Any = "log_loss" if task.is_classification else "squared_error"
    recipe = Recipe(candidate=candidate, contract=contract, metric=metric, train=TrainSettings())
    pipeline = recipe.fit(frame, truth, FITTED).pipeline
    if candidate == "xgboost":
        pipeline[-1].get_booster().set_param({"nthread": 1})
    slow = Predictor(contract, pipeline, CPU)
    return Model(slow, slow.lowered(), frame, candidate in ("xgboost", "extra_trees"))


def _noisy(column: Column, hidden: np.ndarray, random: np.random.Generator) -> "pd.Series[Any]":
    noisy = hidden + random.normal(size=ROWS)
    values: Any = {
        ColumnType.BOOLEAN: noisy > 0,
        ColumnType.INTEGER: (noisy * 100).astype("int32"),
        ColumnType.LONG: (noisy * 2**60).astype("int64"),
        ColumnType.FLOAT: noisy.astype("float32"),
        ColumnType.DOUBLE: noisy,
        ColumnType.STRING: np.where(noisy > 0, "up", random.choice(["down", "", "nan"], ROWS)),
        ColumnType.DATETIME: pd.Timestamp(2013, 1, 1) + pd.to_timedelta(noisy * 1e9, unit="us"),
    }[column.type]
    series = pd.Series(values)
    return series if column.required else series.astype(object).mask(random.random(ROWS) < 0.2)


def numbers(answers: Answers) -> np.ndarray:
    if answers.probabilities is not None:
        return answers.probabilities
    return np.asarray(answers.predictions, dtype=float)


def check_same(model: Model, rows: list[dict[str, Any]]) -> None:
    """Ask for the same rows by both ways."""
    try:
        wanted = model.slow.predict(pd.DataFrame(rows))
    except ValueError:  # scikit-learn finds a number that is too large for it
        wanted = None
    if wanted is None or not np.isfinite(numbers(wanted)).all():
        with pytest.raises(UnanswerableError):
            model.fast.answer(rows)
        return
    found = model.fast.answer(rows)
    names = model.fast.contract.schema.names
    as_served = Rows(names, [tuple(row[name] for name in names) for row in rows])
    np.testing.assert_array_equal(numbers(model.fast.answer(as_served)), numbers(found))
    if all(type(value) is float for row in as_served.values for value in row):
        turned = [row[::-1] for row in as_served.values]
        for each in (as_served, Rows(names[::-1], turned)):
            matrix = np.array(each.values)
            with_matrix, before = Rows(each.names, each.values, matrix), matrix.copy()
            np.testing.assert_array_equal(numbers(model.fast.answer(with_matrix)), numbers(found))
            np.testing.assert_array_equal(matrix, before)
    # BLAS adds as the layout in memory suggests, so linear models are free in their last bits.
    tolerance = 0.0 if model.is_trees else 1e-12
    np.testing.assert_allclose(numbers(found), numbers(wanted), rtol=tolerance, atol=tolerance)
    if model.is_trees:
        assert found.predictions == wanted.predictions


@st.composite
def schemas(draw: st.DrawFn) -> list[Column]:
    count = draw(st.integers(1, 12))
    return [
        Column(
            name=f"{i} [x]",
            type=draw(st.sampled_from(list(ColumnType))),
            required=draw(st.booleans()),
        )
        for i in range(count)
    ]


def rows_for(columns: Sequence[Column]) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Rows as the wire lets them through, the odd ones above all."""
    row = st.fixed_dictionaries(
        {
            column.name: VALUES[column.type] if column.required else st.none() | VALUES[column.type]
            for column in columns
        }
    )
    return st.lists(row, min_size=1, max_size=5)


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), pair=st.sampled_from(PAIRS), seed=st.integers(0, 100))
def test_whatever_the_schema_both_ways_answer_the_same(
    data: st.DataObject, pair: tuple[Task, Candidate], seed: int
) -> None:
    columns = data.draw(schemas())
    task, candidate = pair
    model = train(task, candidate, columns, seed)

    for _ in range(4):
        check_same(model, data.draw(rows_for(columns)))


ALL_TYPES = [
    Column(name=f"{type_} {required}", type=type_, required=required)
    for type_ in ColumnType
    for required in (True, False)
]


@pytest.fixture(scope="module", params=PAIRS, ids=lambda pair: f"{pair[0]}-{pair[1]}")
def model(request: pytest.FixtureRequest) -> Model:
    """A model with columns of every type."""
    task, candidate = request.param
    return train(task, candidate, ALL_TYPES)


def test_the_rows_it_was_fitted_on_alone_and_together(model: Model) -> None:
    rows = rows_of(model.frame, model.schema)

    check_same(model, rows)
    for row in rows[:5]:
        check_same(model, [row])


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=rows_for(ALL_TYPES))
def test_odd_rows(model: Model, rows: list[dict[str, Any]]) -> None:
    check_same(model, rows)


def test_the_order_of_a_rows_columns_does_not_matter(model: Model) -> None:
    rows = rows_of(model.frame, model.schema)[:3]
    turned = [dict(reversed(row.items())) for row in rows]

    np.testing.assert_array_equal(
        numbers(model.fast.answer(turned)), numbers(model.fast.answer(rows))
    )


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("double True", "7"),
        ("long True", "x"),
        ("boolean True", "yes"),
        ("string True", 7),
        ("datetime True", 7.5),
        ("datetime True", "soon"),
    ],
)
def test_values_of_another_type_are_refused_as_ever(
    model: Model, column: str, value: object
) -> None:
    row = {**rows_of(model.frame, model.schema)[0], column: value}

    for predictor in (model.fast, model.slow):
        with pytest.raises(FrameError, match=column):
            predictor.answer([row])


def test_a_row_without_a_column_is_refused(model: Model) -> None:
    row = rows_of(model.frame, model.schema)[0]
    del row["long True"]

    for predictor in (model.fast, model.slow):
        with pytest.raises(FrameError, match="'long True' is missing"):
            predictor.answer([row])


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("double True", 7),
        ("double True", True),
        ("double True", 1.7e308),
        ("double True", -1.7e308),
        ("double True", 5e-324),
        ("double False", float("nan")),
        ("long True", 7.0),
        ("long True", 7.5),
        ("long True", 2**70),
        ("long True", None),
        ("boolean True", 1),
        ("boolean True", None),
        ("string True", None),
        ("string False", float("nan")),
        ("datetime True", datetime(2013, 4, 1, 12)),
        ("datetime True", pd.Timestamp("2013-04-01T12:00:00.000000123Z")),
        ("datetime True", None),
    ],
)
def test_what_the_wire_never_sends_and_the_pipeline_takes_is_taken(
    model: Model, column: str, value: object
) -> None:
    check_same(model, [{**rows_of(model.frame, model.schema)[0], column: value}])


def test_several_threads_may_ask_one_model(model: Model) -> None:
    rows = rows_of(model.frame, model.schema)
    alone = [numbers(model.fast.answer([row])) for row in rows]
    wrong: list[int] = []

    def ask(first: int) -> None:
        for i in range(first, len(rows)):
            if not np.array_equal(numbers(model.fast.answer([rows[i]])), alone[i]):
                wrong.append(i)

    threads = [threading.Thread(target=ask, args=(first,)) for first in (0, 40, 80)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize("pair", PAIRS[:2])
def test_two_hundred_columns(pair: tuple[Task, Candidate]) -> None:
    columns = [
        Column(name=f"c{i}", type=list(ColumnType)[i % 7], required=i % 3 > 0) for i in range(200)
    ]
    wide = train(*pair, columns)

    check_same(wide, rows_of(wide.frame, wide.schema))


@pytest.mark.parametrize("type_", ColumnType)
@pytest.mark.parametrize("pair", PAIRS[:2])
def test_one_column(pair: tuple[Task, Candidate], type_: ColumnType) -> None:
    narrow = train(*pair, [Column(name="x", type=type_, required=False)])

    check_same(narrow, [*rows_of(narrow.frame, narrow.schema)[:20], {"x": None}])


def test_large_integers_are_rounded_once() -> None:
    """Just above the middle of two floats a double would fall on the middle, and then down."""
    column = Column(name="x", type=ColumnType.LONG, required=True)
    only = train(Task.REGRESSION, "xgboost", [column])
    table = only.slow._pipeline[-1].get_booster().trees_to_dataframe()
    splits = table["Split"].dropna().to_numpy(dtype="float32")
    pairs = [(int(split), int(np.nextafter(split, np.float32(0)))) for split in splits if split > 0]
    rows = [{"x": (above + below) // 2 + 1} for above, below in pairs]
    as_double = [{"x": float(row["x"])} for row in rows]

    check_same(only, rows)
    assert only.slow.answer(rows).predictions != only.slow.answer(as_double).predictions


def test_trees_after_the_best_one_are_left_out() -> None:
    early = train(Task.BINARY, "xgboost", ALL_TYPES[:4])
    learner = early.slow._pipeline[-1]

    assert learner.best_iteration + 1 < learner.get_booster().num_boosted_rounds()
    check_same(early, rows_of(early.frame, early.schema))


def test_no_rows_are_no_crash(model: Model) -> None:
    with pytest.raises(OddRowsError):
        lower(model.slow._pipeline, model.schema)([])


FRAME = pd.DataFrame({"x": [0.0, 1.0, 2.0, 3.0] * 10, "s": ["a", "b", "a", "c"] * 10})
TRUTH = [0, 1, 1, 0] * 10
SCHEMA = Schema(
    columns=(
        Column(name="x", type=ColumnType.DOUBLE, required=True),
        Column(name="s", type=ColumnType.STRING, required=True),
    )
)


@pytest.mark.parametrize(
    ("pipeline", "why"),
    [
        (LogisticRegression(), "one preparation and one learner"),
        (make_pipeline(StandardScaler(), LogisticRegression()), "prepared by StandardScaler"),
        ([(RobustScaler(), ["x"])], "RobustScaler is not known"),
        ([(StandardScaler(), ["x"])], "it leaves out s"),
        ([(FunctionTransformer(np.log1p), ["x"])], "it calls a function"),
        ([(MinMaxScaler(clip=True), ["x"])], "clips"),
        ([(StandardScaler(), [0])], "not chosen by their names"),
        ([(OneHotEncoder(), ["s"])], "no answer for a new category"),
        ([(OneHotEncoder(handle_unknown="ignore", drop="first"), ["s"])], "drops"),
        ([(OneHotEncoder(handle_unknown="ignore", min_frequency=2), ["s"])], "rare"),
        ([(OneHotEncoder(handle_unknown="ignore"), ["x"])], "no text are encoded"),
    ],
)
def test_what_is_not_known_is_left_to_the_pipeline(pipeline: Any, why: str) -> None:
    if isinstance(pipeline, list):
        pipeline = make_pipeline(make_column_transformer(*pipeline), LogisticRegression())
    frame = FRAME[["x"]] if "StandardScaler" in why or "one prep" in why else FRAME
    pipeline.fit(frame, TRUTH)

    with pytest.raises(CannotLowerError, match=why):
        lower(pipeline, SCHEMA)


def test_a_learner_that_is_not_known_is_left_to_the_pipeline() -> None:
    prepare = ColumnTransformer([("x", StandardScaler(), ["x"])])
    pipeline = Pipeline([("p", prepare), ("l", RidgeClassifier())]).fit(FRAME, TRUTH)

    with pytest.raises(CannotLowerError, match="RidgeClassifier is not known"):
        lower(pipeline, Schema(columns=SCHEMA.columns[:1]))
