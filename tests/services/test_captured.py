"""What goes into a captured request comes out of it, whatever it is."""

import json
import struct
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from trimtab.records.contracts import Contract, Task
from trimtab.records.logged import log_schema
from trimtab.records.schema import Column, ColumnType, Schema
from trimtab_services.captured import CapturedRequest, as_line, decode, encode, from_line
from trimtab_services.frames import MAGIC
from trimtab_services.log_tables import UnfitRequestError, log_table
from trimtab_services.tables import TableWriter

NOON = datetime(2013, 4, 1, 12, tzinfo=UTC)
Row = tuple[bool | int | str | float | None, Mapping[str, object]]

texts = st.text(st.characters(codec="utf-8"), max_size=20)
moments = st.datetimes(timezones=st.just(UTC))
numbers = st.floats(allow_nan=False, allow_infinity=False)
longs = st.integers(-(2**63), 2**63 - 1)
values = st.none() | st.booleans() | longs | numbers | texts | moments
answers = st.none() | st.booleans() | longs | numbers | texts


@st.composite
def requests(draw: st.DrawFn) -> CapturedRequest:
    width, height = draw(st.integers(0, 4)), draw(st.integers(0, 3))

    def each(of: st.SearchStrategy[Any]) -> Any:
        return draw(st.lists(of, min_size=height, max_size=height))

    return CapturedRequest(
        request_id=draw(st.uuids().map(lambda id: id.hex)),
        version=draw(texts),
        received=draw(moments),
        status=draw(st.integers(100, 599)),
        latency_us=draw(st.integers(0, 2**40)),
        source=draw(st.none() | texts),
        device=draw(st.none() | texts),
        detail=draw(st.none() | texts),
        time=draw(moments),
        columns=draw(st.lists(texts, min_size=width, max_size=width, unique=True)),
        inputs=each(st.tuples(*[values] * width)),
        predictions=each(answers),
        probabilities=(draw(st.booleans()) and each(st.lists(numbers, max_size=4))) or None,
        keys=(draw(st.booleans()) and each(st.none() | texts)) or None,
        times=(draw(st.booleans()) and each(st.none() | moments)) or None,
    )


def captured(*rows: Row, status: int = 200, detail: str | None = None) -> CapturedRequest:
    names = list(rows[0][1]) if rows else []
    return CapturedRequest(
        request_id="0" * 32,
        version="1",
        received=NOON + timedelta(seconds=3),
        status=status,
        latency_us=1200,
        source="test",
        device="cpu",
        detail=detail,
        time=NOON,
        columns=names,
        inputs=[tuple(inputs.get(name) for name in names) for _, inputs in rows],
        predictions=[prediction for prediction, _ in rows],
        probabilities=[[0.25, 0.75]] * len(rows),
        keys=["k"] * len(rows),
    )


def asked(prediction: bool | int | str | float | None = "yes", **inputs: object) -> Row:
    return prediction, inputs


def contract(task: Task = Task.BINARY, **columns: ColumnType) -> Contract:
    listed = (Column(name=name, type=type_, required=False) for name, type_ in columns.items())
    return Contract(model="m", task=task, target="y", schema=Schema(columns=tuple(listed)))


@given(requests())
def test_decoding_gives_back_what_was_encoded(request: CapturedRequest) -> None:
    assert decode(encode(request)) == request


@given(requests())
def test_an_encoded_request_never_looks_like_a_frame(request: CapturedRequest) -> None:
    assert MAGIC[:2] not in encode(request)


@pytest.mark.parametrize("smuggled", [MAGIC, b"\x00" + MAGIC, b"\xff" + MAGIC, b"\xff\x00" + MAGIC])
def test_no_number_that_a_caller_sends_spells_the_mark_of_a_frame(smuggled: bytes) -> None:
    (number,) = struct.unpack(">d", smuggled.rjust(8, b"\x01")[-8:])
    request = captured(asked(temp=number))

    assert MAGIC not in encode(request)
    assert decode(encode(request)) == request


def test_a_table_of_numbers_is_read_as_the_rows_that_it_was() -> None:
    random = np.random.default_rng(0)
    inputs = list(map(tuple, (random.integers(-999, 999, (50, 8)) / 100).tolist()))
    written_out = CapturedRequest(
        request_id="0" * 32,
        version="1",
        received=NOON,
        status=200,
        latency_us=5,
        source=None,
        device="cpu",
        detail=None,
        time=NOON,
        columns=list("abcdefgh"),
        inputs=inputs,
        predictions=[0.5] * 50,
    )
    table = TableWriter(8).write(np.array(inputs))
    small = encode(structs.replace(written_out, inputs=(), table=table))

    assert len(small) < 0.6 * len(encode(written_out))
    assert MAGIC[:2] not in small
    assert decode(small) == decode(encode(written_out))
    assert from_line(as_line(small)) == decode(small)


def test_a_request_from_before_there_were_tables_is_read() -> None:
    request = captured(asked(temp=1.5))
    fields = msgspec.msgpack.decode(encode(request).replace(b"\xff\x00", b"\xff"))
    assert fields.pop() is None, "the last field is the table"
    old = msgspec.msgpack.encode(fields).replace(b"\xff", b"\xff\x00")

    assert decode(old) == request


@pytest.mark.parametrize("rows", [1, 3])
def test_a_table_of_other_rows_than_were_answered_is_refused(rows: int) -> None:
    two = captured(asked(temp=1.5), asked(temp=2.5))
    table = TableWriter(1).write(np.ones((rows, 1)))

    with pytest.raises(ValueError, match="no captured request"):
        decode(encode(structs.replace(two, inputs=(), table=table)))


@given(requests())
def test_people_can_read_a_request_as_one_line(request: CapturedRequest) -> None:
    line = as_line(encode(request))

    assert b"\n" not in line
    assert json.loads(line)["request_id"] == request.request_id


def test_the_moment_is_kept_whatever_the_zone() -> None:
    east = NOON.astimezone(timezone(timedelta(hours=9)))
    row = decode(encode(captured(asked(planned=east)))).rows[0]

    assert row.inputs["planned"] == NOON


def test_arrays_and_scalars_of_numpy_are_kept_as_numbers() -> None:
    careless: Any = np.float32(0.5)
    request = captured(
        asked(careless, temp=np.float64(1.5), seats=np.int32(7), night=np.bool_(True))
    )

    kept = decode(encode(request)).rows[0]
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


@pytest.mark.parametrize(
    "text", [b"", b"{}", b"[1]", b"\x91\x01", b"\xff", encode(captured(asked(x=1)))[:-1]]
)
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


def test_a_refusal_is_one_row_without_inputs() -> None:
    columns = contract(temp=ColumnType.DOUBLE)
    refusal = captured(status=422, detail="temp is missing")
    (row,) = log_table(columns, [refusal]).to_pylist()

    assert row["inputs"] is None
    assert row["prediction_id"] is None
    assert row["prediction"] is None
    assert (row["time"], row["received"]) == (refusal.time, refusal.received)
    assert (row["status"], row["detail"]) == (422, "temp is missing")


def test_a_refusal_in_a_replay_happens_at_the_time_of_the_replay() -> None:
    refusal = structs.replace(captured(status=422), time=NOON - timedelta(days=90))
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
