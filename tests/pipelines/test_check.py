from typing import Any

import numpy as np
import pandas as pd
import pytest

from trimtab.records.contracts import Task
from trimtab.settings.project import ModelSettings
from trimtab_pipelines.check import Checked, check
from trimtab_pipelines.errors import ColumnError, DataRefusedError

ROWS = 200
random = np.random.default_rng(0)
LATE = random.random(ROWS) < 0.4


def model(task: str = "binary", **changes: Any) -> ModelSettings:
    return ModelSettings.model_validate(
        {"task": task, "source": "x.csv", "target": "y", "key": "id"} | changes
    )


def rows(**columns: Any) -> pd.DataFrame:
    given = {
        "id": np.arange(ROWS),
        "x": random.normal(size=ROWS),
        "carrier": random.choice(["AA", "B6"], ROWS),
        "y": LATE,
    }
    return pd.DataFrame(given | columns)


def look(frame: pd.DataFrame, settings: ModelSettings | None = None) -> Checked:
    return check(frame, int(len(frame) * 0.8), "late", settings or model())


def refusal(frame: pd.DataFrame, settings: ModelSettings | None = None) -> str:
    with pytest.raises(DataRefusedError) as error:
        look(frame, settings)
    return str(error.value)


def test_what_is_fine_becomes_inputs_and_truth() -> None:
    found = look(rows())

    assert found.contract.schema.names == ["x", "carrier"]
    assert found.contract.classes == (False, True)
    assert found.truth.tolist() == LATE.astype(int).tolist()
    assert found.notes == ()


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (LATE, (False, True)),
        (LATE.astype(int), (0, 1)),
        (LATE.astype(float), (0, 1)),
        (np.where(LATE, "late", "in time"), ("in time", "late")),
        (pd.Categorical(np.where(LATE, "b", "a")), ("a", "b")),
        (pd.array(LATE, dtype="boolean"), (False, True)),
        (pd.Series(LATE, dtype=object), (False, True)),
    ],
)
def test_classes_keep_their_own_words(labels: Any, classes: tuple[object, ...]) -> None:
    found = look(rows(y=labels))

    assert found.contract.classes == classes
    assert [type(c) for c in found.contract.classes] == [type(c) for c in classes]
    assert found.truth.tolist() == LATE.astype(int).tolist()


def test_columns_with_odd_names_are_kept() -> None:
    odd = ["mean radius", "a.b", "[x]", "<y>", 'say "hi"', "$p$", "Ümläut"]

    found = look(rows(**{name: random.normal(size=ROWS) for name in odd}))

    assert set(odd) < set(found.contract.schema.names)


@pytest.mark.parametrize(
    ("labels", "why"),
    [
        (1, "'y' is constant (1 in every row)"),
        (random.integers(0, 3, ROWS), 'has 3 classes, not two: task = "multiclass"?'),
        (random.normal(size=ROWS), 'has fractions, which are no classes: task = "regression"?'),
        (pd.Timestamp("2013-01-01"), "classes are text, whole numbers or booleans"),
        (["a", 1] * (ROWS // 2), "classes are text, whole numbers or booleans"),
        ([True] + [False] * (ROWS - 1), "is True in 1 of the 160 oldest rows"),
        ([False] * 190 + [True] * 10, "is True in 0 of the 160 oldest rows"),
    ],
)
def test_a_target_that_cannot_be_learned_is_refused(labels: Any, why: str) -> None:
    assert why in refusal(rows(y=labels))


@pytest.mark.parametrize(
    ("labels", "why"),
    [
        (3.0, "is constant (3.0)"),
        (["a", "b"] * (ROWS // 2), "is no finite number in a row, but a"),
        ([np.inf] + [1.0] * (ROWS - 1), "is no finite number in a row, but inf"),
    ],
)
def test_a_number_that_cannot_be_learned_is_refused(labels: Any, why: str) -> None:
    assert why in refusal(rows(y=labels), model("regression"))


def test_too_many_classes_are_refused() -> None:
    labels = [f"class {n % 101}" for n in range(1010)]
    frame = pd.DataFrame({"id": 1, "x": random.normal(size=1010), "y": labels})

    assert "has 101 classes, more than 100" in refusal(frame, model("multiclass"))


def test_too_few_rows_are_refused() -> None:
    assert "99 labelled rows are too few" in refusal(rows().head(99))


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (None, "has no value in any row. Exclude it."),
        ([1, "a"] * (ROWS // 2), "mixes types (int, str)"),
        ([np.inf, 1.0] * (ROWS // 2), "is infinite in 100 rows"),
        ([f"N{n}" for n in range(ROWS)], 'exclude = ["bad"]'),
        (LATE, "says the same as the target 'y' in every row"),
        (~LATE, "says the same as the target"),
        (np.where(LATE, "L", "-"), "says the same as the target"),
        (np.where(LATE, 7.5, -1.0), "says the same as the target"),
        (np.where(LATE, 1.0, np.nan), "says the same as the target"),
    ],
)
def test_an_input_that_is_no_honest_one_is_refused_by_name(values: Any, why: str) -> None:
    message = refusal(rows(bad=values))

    assert message.startswith("Column 'bad'")
    assert why in message


@pytest.mark.parametrize("factor", [1.0, -2.5, 1e6])
def test_the_target_in_other_units_is_refused(factor: float) -> None:
    y = random.normal(size=ROWS)

    assert "says the same as" in refusal(rows(y=y, bad=y * factor + 3), model("regression"))


def test_a_good_predictor_is_no_leak() -> None:
    y = random.normal(size=ROWS)
    close = LATE ^ (np.arange(ROWS) == 5)

    assert look(rows(x=y + random.normal(0, 1e-3, ROWS), y=y), model("regression"))
    assert look(rows(good=close))


def test_what_is_excluded_may_be_anything() -> None:
    frame = rows(leak=LATE, nested=[[n] for n in range(ROWS)])

    found = look(frame, model(exclude=["leak", "nested"]))

    assert found.contract.schema.names == ["x", "carrier"]


def test_a_constant_column_is_kept_and_said() -> None:
    found = look(rows(version=3))

    assert "version" in found.contract.schema.names
    assert found.notes == (
        "Column 'version' is constant; it is kept, so that requests need not change.",
    )


def test_a_whole_number_that_differs_everywhere_is_said() -> None:
    assert "'n' differs in every row" in look(rows(n=np.arange(ROWS))).notes[0]


def test_no_inputs_are_refused() -> None:
    assert "No column is left" in refusal(rows()[["id", "y"]])


def test_a_name_that_is_there_twice_is_refused() -> None:
    frame = rows()
    twice = pd.concat([frame, frame[["x"]]], axis=1)

    with pytest.raises(ColumnError, match="'x' is there twice"):
        look(twice)


def test_the_task_is_kept() -> None:
    found = look(rows(y=random.normal(size=ROWS)), model("regression"))

    assert found.contract.task is Task.REGRESSION
    assert found.contract.classes == ()
