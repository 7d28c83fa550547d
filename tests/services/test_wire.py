"""What fits the contract is read exactly, what does not is refused by the names of its fields."""

import json
import math
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.records.contracts import Contract, Task
from trimtab.records.schema import Column, ColumnType, Schema
from trimtab_services.answering import AnswerWriter, require_whole
from trimtab_services.refusals import BadRequestError
from trimtab_services.wire import Wire

COLUMNS = (
    Column(name="temp °C", type=ColumnType.DOUBLE, required=True),
    Column(name="model_age", type=ColumnType.LONG, required=True),
    Column(name="class", type=ColumnType.STRING, required=True),
    Column(name="_wind.gust", type=ColumnType.DOUBLE, required=False),
    Column(name="is holiday", type=ColumnType.BOOLEAN, required=True),
    Column(name="seats", type=ColumnType.INTEGER, required=True),
    Column(name="json", type=ColumnType.FLOAT, required=True),
    Column(name="scheduled", type=ColumnType.DATETIME, required=True),
)
"""Names that trip code generators: spaces, dots, keywords, pydantic's own words."""


def contract(task: Task = Task.BINARY) -> Contract:
    classes: dict[Task, tuple[bool | int | str, ...]] = {
        Task.BINARY: (False, True),
        Task.MULTICLASS: ("a", "b", "c"),
        Task.REGRESSION: (),
        Task.CLUSTERING: (0, 1, 2),
        Task.ANOMALY: (),
        Task.EMBEDDING: (0, 1),
    }
    return Contract(
        model="late-arrival",
        task=task,
        target="late",
        schema=Schema(columns=COLUMNS),
        classes=classes[task],
        threshold=0.5 if task is Task.ANOMALY else None,
    )


def a_row(**changes: object) -> dict[str, object]:
    row: dict[str, object] = {
        "temp °C": 11.5,
        "model_age": 7,
        "class": "JFK",
        "_wind.gust": None,
        "is holiday": False,
        "seats": 180,
        "json": 0.25,
        "scheduled": "2013-04-01T12:00:00Z",
    }
    return {**row, **changes}


WIRE = Wire(contract(), max_rows=3)


def body(*rows: object, **more: object) -> bytes:
    return json.dumps({"rows": rows, **more}).encode()


def refused(text: bytes) -> BadRequestError:
    with pytest.raises(BadRequestError) as caught:
        WIRE.read(text)
    return caught.value


def test_columns_may_be_called_anything() -> None:
    asked = WIRE.read(body(a_row()))

    assert list(asked.rows[0]) == [column.name for column in COLUMNS]
    assert asked.rows[0]["class"] == "JFK"


def test_a_whole_number_is_fine_where_a_double_was_seen() -> None:
    asked = WIRE.read(body(a_row(**{"temp °C": 11})))

    assert asked.rows[0]["temp °C"] == 11.0


def test_a_nullable_column_takes_null() -> None:
    assert WIRE.read(body(a_row())).rows[0]["_wind.gust"] is None


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("temp °C", "1.5"),
        ("temp °C", True),
        ("temp °C", None),
        ("temp °C", [1]),
        ("temp °C", math.nan),
        ("temp °C", math.inf),
        ("temp °C", 10**400),
        ("_wind.gust", math.nan),
        ("json", 1e300),
        ("model_age", 7.0),
        ("model_age", 2**63),
        ("model_age", True),
        ("seats", 2**31),
        ("seats", "180"),
        ("class", 5),
        ("class", "x" * 5000),
        ("is holiday", 1),
        ("is holiday", "true"),
        ("scheduled", "yesterday"),
        ("scheduled", 1364817600),
        ("scheduled", "1364817600"),
        ("scheduled", "9999-12-31T23:59:59-12:00"),
        ("scheduled", None),
    ],
)
def test_a_wrong_value_is_refused_by_the_name_of_its_field(column: str, value: object) -> None:
    error = refused(body(a_row(), a_row(**{column: value})))

    assert [name for name, _ in error.fields] == [f"rows.1.{column}"]
    assert column in error.detail


def test_a_number_too_large_for_any_double_is_refused() -> None:
    text = body(a_row(**{"temp °C": 77.25})).replace(b"77.25", b"1e999")

    assert refused(text).fields[0][0] == "rows.0.temp °C"


@pytest.mark.parametrize("column", [column.name for column in COLUMNS])
def test_a_missing_column_is_named(column: str) -> None:
    row = a_row()
    del row[column]

    assert refused(body(row)).fields == ((f"rows.0.{column}", "is missing"),)


@pytest.mark.parametrize("name", ["c0", "surplus", "temp", "", "__class__"])
def test_an_extra_column_is_named_and_no_internal_name_is_known(name: str) -> None:
    assert refused(body(a_row(**{name: 1}))).fields == (
        (f"rows.0.{name}", "is no input of this model"),
    )


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"null", b"[]", b"\xff", b'{"rows": []}', b"[" * 100_000, b'{"rows": "\\ud800"}'],
)
def test_what_is_no_request_is_refused(text: bytes) -> None:
    assert refused(text).error


@pytest.mark.parametrize("other", [b'"columns": []', b'"data": [[]]', b'"columns": 1, "data": 2'])
def test_rows_in_two_forms_are_told_to_choose_one(other: bytes) -> None:
    with pytest.raises(BadRequestError, match="one form: either `rows`, or `columns`") as caught:
        WIRE.read(b'{"rows": [], %b}' % other)

    assert [name for name, _ in caught.value.fields] == ["rows"]


def test_more_rows_than_agreed_are_refused() -> None:
    assert refused(body(*[a_row()] * 4)).fields[0][0] == "rows"


def test_keys_and_times_come_with_every_row_or_not_at_all() -> None:
    assert refused(body(a_row(), a_row(), keys=["a"])).fields[0][0] == "keys"
    asked = WIRE.read(body(a_row(), keys=["a"], times=["2013-04-01T14:00:00+02:00"], source="me"))

    assert asked.keys == ["a"]
    assert asked.times == [datetime(2013, 4, 1, 12, tzinfo=UTC)]
    assert asked.source == "me"


def test_a_refusal_never_repeats_what_was_sent() -> None:
    secret = "4000-1234-5678-9010"
    error = refused(body(a_row(**{"seats": secret, "scheduled": secret, "temp °C": secret})))

    assert secret.encode() not in error.body()
    assert secret not in error.detail


def test_a_null_where_there_was_none_in_training_is_called_by_its_name() -> None:
    assert ("rows.0.seats", "must not be null") in refused(body(a_row(seats=None))).fields


def test_limits_are_said_without_the_words_of_the_library() -> None:
    empty, many = refused(body()), refused(body(*[a_row()] * 4))

    assert empty.fields == (("rows", "should have at least 1 item"),)
    assert many.fields == (("rows", "should have at most 3 items"),)
    assert refused(b"{").error.startswith("The body is no JSON: EOF")


def test_a_thousand_mistakes_make_a_short_answer() -> None:
    wide = Wire(contract(), max_rows=1000)
    with pytest.raises(BadRequestError) as caught:
        wide.read(body(*[{}] * 1000))

    assert len(caught.value.body()) < 4096


def test_the_schema_of_the_answer_names_every_class() -> None:
    schema = Wire(contract(Task.MULTICLASS), 3).answer.model_json_schema()

    assert list(schema["$defs"]["Probabilities"]["properties"]) == ["a", "b", "c"]
    assert schema["$defs"]["Prediction"]["properties"]["prediction"]["type"] == "string"


def test_a_regression_answers_with_numbers_alone() -> None:
    schema = Wire(contract(Task.REGRESSION), 3).answer.model_json_schema()

    assert set(schema["$defs"]["Prediction"]["properties"]) == {"prediction_id", "prediction"}


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_never_leaves(bad: float) -> None:
    with pytest.raises(ValueError, match="not finite"):
        require_whole(["a", "a"], [[0.5, 0.5], [0.5, bad]], 2)
    with pytest.raises(ValueError, match="not finite"):
        require_whole([1.5, bad], None, 2)


@pytest.mark.parametrize("given", [0, 1, 3])
def test_an_answer_for_other_rows_than_were_asked_never_leaves(given: int) -> None:
    with pytest.raises(ValueError, match="answers for 2 rows"):
        require_whole(["a"] * given, [[0.5, 0.5]] * given, 2)
    with pytest.raises(ValueError, match="answers for 2 rows"):
        require_whole(["a"] * 2, [[0.5, 0.5]] * given, 2)


@pytest.mark.parametrize("task", list(Task))
def test_an_answer_is_what_its_schema_says(task: Task) -> None:
    promise = contract(task)
    classes = promise.classes
    is_place = task is Task.EMBEDDING
    said: list[Any] = [classes[1], classes[0]] if classes else [1.5, -2e300]
    shares = [[0.25] * len(classes), [1e-7] * len(classes)] if classes else None
    text = AnswerWriter(promise).write("7", "ab", said, shares)

    answer: Any = Wire(promise, 3).answer.model_validate_json(text)
    assert (answer.model, answer.version, answer.request_id) == ("late-arrival", "7", "ab")
    assert [p.prediction_id for p in answer.predictions] == ["ab-0", "ab-1"]
    assert [p.prediction for p in answer.predictions] == (shares if is_place else said)
    written = json.loads(text)["predictions"]
    if task is Task.CLUSTERING:
        assert [one["distance"] for one in written] == [0.25, 1e-7]
    elif is_place:
        assert [one["reconstruction_error"] for one in written] == said
    elif task is Task.ANOMALY:
        assert [one["is_anomaly"] for one in written] == [True, False]
    elif classes:
        named = written[1]["probabilities"]
        assert named == dict.fromkeys(map(str, classes), 1e-7)


def test_classes_may_be_called_anything() -> None:
    names = ('say "a"', "b\\", "c\n")
    promise = replace(contract(Task.MULTICLASS), classes=names)
    text = AnswerWriter(promise).write("1", "ab", [names[0]], [[0.5, 0.25, 0.25]])

    assert list(json.loads(text)["predictions"][0]["probabilities"]) == list(names)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_any_json_is_read_or_refused(value: Any) -> None:
    for text in (json.dumps(value), json.dumps({"rows": [value]}), json.dumps({"rows": value})):
        error = refused(text.encode())
        assert json.loads(error.body())["error"]


@given(st.binary(max_size=200))
def test_any_bytes_are_refused(text: bytes) -> None:
    assert refused(text).error


@given(st.sampled_from([column.name for column in COLUMNS]), JSON)
def test_whatever_stands_in_a_column_is_taken_exactly_or_named(column: str, value: Any) -> None:
    text = body(a_row(**{column: value}))
    taken, named = None, ""
    try:
        taken = WIRE.read(text).rows[0][column]
    except BadRequestError as error:
        named = error.fields[0][0]

    assert named.startswith(f"rows.0.{column}") or isinstance(taken, datetime) or taken == value
