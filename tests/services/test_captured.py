"""What goes into a captured request comes out of it, whatever it is."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.records.contracts import Contract, Task
from trimtab.records.logged import log_schema
from trimtab.records.schema import Column, ColumnType, Schema
from trimtab_services.captured import CapturedRequest, CapturedRow, decode, encode
from trimtab_services.log_tables import UnfitRequestError, log_table

NOON = datetime(2013, 4, 1, 12, tzinfo=UTC)

texts = st.text(st.characters(codec="utf-8"), max_size=20)
moments = st.datetimes(timezones=st.just(UTC))
numbers = st.floats(allow_nan=False, allow_infinity=False)
longs = st.integers(-(2**63), 2**63 - 1)
values = st.none() | st.booleans() | longs | numbers | texts | moments
rows = st.builds(
    CapturedRow,
    prediction_id=texts,
    key=st.none() | texts,
    time=moments,
    inputs=st.dictionaries(texts | st.just("$time"), values, max_size=6),
    prediction=st.none() | st.booleans() | longs | numbers | texts,
    probabilities=st.none() | st.lists(numbers, max_size=4),
)
requests = st.builds(
    CapturedRequest,
    request_id=st.uuids().map(lambda id: id.hex),
    version=texts,
    received=moments,
    status=st.integers(100, 599),
    latency_us=st.integers(0, 2**40),
    source=st.none() | texts,
    device=st.none() | texts,
    detail=st.none() | texts,
    rows=st.lists(rows, max_size=3),
    time=st.none() | moments,
)


def captured(*rows: CapturedRow, status: int = 200, detail: str | None = None) -> CapturedRequest:
    return CapturedRequest(
        request_id="0" * 32,
        version="1",
        received=NOON + timedelta(seconds=3),
        status=status,
        latency_us=1200,
        source="test",
        device="cpu",
        detail=detail,
        rows=rows,
    )


def asked(prediction: bool | int | str | float | None = "yes", **inputs: object) -> CapturedRow:
    return CapturedRow(
        prediction_id="p",
        key="k",
        time=NOON,
        inputs=inputs,
        prediction=prediction,
        probabilities=[0.25, 0.75],
    )


def contract(task: Task = Task.BINARY, **columns: ColumnType) -> Contract:
    listed = (Column(name=name, type=type_, required=False) for name, type_ in columns.items())
    return Contract(model="m", task=task, target="y", schema=Schema(columns=tuple(listed)))


@given(requests)
def test_decoding_gives_back_what_was_encoded(request: CapturedRequest) -> None:
    assert decode(encode(request)) == request


@given(requests)
def test_an_encoded_request_is_one_line_and_never_looks_like_a_frame(
    request: CapturedRequest,
) -> None:
    text = encode(request)

    assert b"\n" not in text
    assert b"\xff" not in text


def test_the_moment_is_kept_whatever_the_zone() -> None:
    east = NOON.astimezone(timezone(timedelta(hours=9)))
    row = decode(encode(captured(asked(planned=east)))).rows[0]

    assert row.inputs["planned"] == NOON


def test_arrays_and_scalars_of_numpy_are_kept_as_numbers() -> None:
    row = CapturedRow(
        prediction_id="p",
        key=None,
        time=NOON,
        inputs={"temp": np.float64(1.5), "seats": np.int32(7), "night": np.bool_(True)},
        prediction=np.float32(0.5),  # type: ignore[arg-type]  # what a careless caller may hand over
        probabilities=np.array([0.25, 0.75]),  # type: ignore[arg-type]  # the same
    )

    kept = decode(encode(captured(row))).rows[0]
    assert kept.inputs == {"temp": 1.5, "seats": 7, "night": True}
    assert kept.prediction == 0.5
    assert kept.probabilities == [0.25, 0.75]


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb"])
def test_text_that_is_no_unicode_does_not_fail_an_answer(text: str) -> None:
    request = captured(asked(city=text), status=422, detail=text)

    kept = decode(encode(request))
    assert kept.detail == text.encode("utf-8", "backslashreplace").decode()
    assert kept.rows[0].inputs["city"] == kept.detail
    assert kept.rows[0].time == NOON


def test_a_number_beyond_64_bits_does_not_fail_an_answer() -> None:
    kept = decode(encode(captured(asked(seats=10**400, temp=1.5))))

    assert kept.rows[0].inputs == {"seats": hex(10**400), "temp": 1.5}


@pytest.mark.parametrize("text", [b"", b"{}", b"[1]", b'"x"', b'{"rows": [1]}', b"\xff"])
def test_what_is_no_captured_request_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match="no captured request"):
        decode(text)


def test_each_row_becomes_a_row_of_the_log() -> None:
    columns = contract(temp=ColumnType.DOUBLE, city=ColumnType.STRING)
    table = log_table(columns, [captured(asked(temp=1.5, city="JFK"), asked("no", temp=None))])

    assert table.schema == log_schema(columns)
    first, second = table.to_pylist()
    assert first["inputs"] == {"temp": 1.5, "city": "JFK"}
    assert second["inputs"] == {"temp": None, "city": None}
    assert [first["prediction"], second["prediction"]] == ["yes", "no"]
    assert first["time"] == NOON
    assert first["received"] == NOON + timedelta(seconds=3)
    assert first["probabilities"] == [0.25, 0.75]


def test_a_refusal_is_one_row_without_inputs_at_the_time_it_came() -> None:
    columns = contract(temp=ColumnType.DOUBLE)
    refusal = captured(status=422, detail="temp is missing")
    (row,) = log_table(columns, [refusal]).to_pylist()

    assert row["inputs"] is None
    assert row["prediction_id"] is None
    assert row["prediction"] is None
    assert row["time"] == row["received"] == refusal.received
    assert (row["status"], row["detail"]) == (422, "temp is missing")


def test_a_refusal_in_a_replay_happens_at_the_time_of_the_replay() -> None:
    refusal = replace(captured(status=422), time=NOON - timedelta(days=90))
    (row,) = log_table(contract(), [decode(encode(refusal))]).to_pylist()

    assert row["time"] == NOON - timedelta(days=90)
    assert row["received"] == refusal.received


def test_classes_are_logged_as_text_and_numbers_as_numbers() -> None:
    classes = log_table(contract(), [captured(asked(True), asked(1), asked(None))])
    regression = log_table(contract(Task.REGRESSION), [captured(asked(1), asked(2.5), asked(None))])

    assert classes["prediction"].to_pylist() == ["True", "1", None]
    assert regression["prediction"].to_pylist() == [1.0, 2.5, None]


@pytest.mark.parametrize(
    ("type_", "given", "kept"),
    [
        (ColumnType.DOUBLE, 2**60 + 1, float(2**60 + 1)),
        (ColumnType.FLOAT, 3, 3.0),
        (ColumnType.LONG, 3.0, 3),
        (ColumnType.DATETIME, "2013-04-01T12:00:00Z", NOON),
        (ColumnType.DATETIME, NOON, NOON),
    ],
)
def test_a_harmless_other_spelling_is_widened(
    type_: ColumnType, given: object, kept: object
) -> None:
    table = log_table(contract(x=type_), [captured(asked(x=given), asked(x=None))])

    assert [row["x"] for row in table["inputs"].to_pylist()] == [kept, None]


@pytest.mark.parametrize(
    ("type_", "given"),
    [
        (ColumnType.LONG, 3.5),
        (ColumnType.LONG, True),
        (ColumnType.LONG, "3"),
        (ColumnType.INTEGER, 2**31),
        (ColumnType.DOUBLE, "1.5"),
        (ColumnType.DOUBLE, True),
        (ColumnType.BOOLEAN, 1),
        (ColumnType.STRING, 1),
        (ColumnType.DATETIME, "soon"),
        (ColumnType.DATETIME, 1364817600),
    ],
)
def test_a_value_is_never_bent_to_fit(type_: ColumnType, given: object) -> None:
    with pytest.raises(UnfitRequestError):
        log_table(contract(x=type_), [captured(asked(x=given))])


def test_an_input_that_the_contract_lacks_is_not_lost_in_silence() -> None:
    with pytest.raises(UnfitRequestError, match="'wind' is no input"):
        log_table(contract(temp=ColumnType.DOUBLE), [captured(asked(temp=1.5, wind=3.0))])


@given(st.lists(st.lists(numbers, max_size=3), max_size=5))
def test_no_row_is_lost_or_added_on_the_way_to_the_log(asks: list[list[float]]) -> None:
    made = [captured(*(asked(temp=temp) for temp in temps)) for temps in asks]
    table: pa.Table = log_table(contract(temp=ColumnType.DOUBLE), made)

    expected = [{"temp": temp} for temps in asks for temp in temps]
    assert [row for row in table["inputs"].to_pylist() if row is not None] == expected
    assert table.num_rows == sum(len(temps) or 1 for temps in asks)
