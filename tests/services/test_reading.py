"""The fast reader takes nothing that the strict description refuses, and gives the same values."""

import json
import random
import struct
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.records.contracts import Contract, Task
from trimtab.records.schema import Column, ColumnType, Schema
from trimtab_services.reading import Asked, Reader
from trimtab_services.refusals import BadRequestError
from trimtab_services.wire import Wire

TYPES = tuple(ColumnType)
COLUMNS = tuple(
    Column(name=f"{kind} {'must' if required else 'may'}", type=kind, required=required)
    for kind in TYPES
    for required in (True, False)
)


def contract(*columns: Column) -> Contract:
    return Contract(
        model="m",
        task=Task.BINARY,
        target="y",
        schema=Schema(columns=columns),
        classes=(False, True),
    )


WIRE = Wire(contract(*COLUMNS), 4)
READER = Reader(WIRE.contract, 4)
GOOD: dict[ColumnType, Any] = {
    ColumnType.BOOLEAN: True,
    ColumnType.INTEGER: -7,
    ColumnType.LONG: 2**53 + 1,
    ColumnType.FLOAT: 0.1,
    ColumnType.DOUBLE: -1.5e300,
    ColumnType.STRING: "é\U0001f600",
    ColumnType.DATETIME: "2013-04-01T14:00:00.25+02:00",
}


def a_row(**changes: Any) -> dict[str, Any]:
    return {column.name: GOOD[column.type] for column in COLUMNS} | changes


def judged(wire: Wire, text: bytes) -> Asked | None:
    try:
        return wire.judge(text)
    except BadRequestError:
        return None


def exactly(asked: Asked) -> Any:
    """Values with their types, to the last bit: -0.0 is not 0.0, and 1 is not True."""

    def bits(value: object) -> object:
        return struct.pack(">d", value) if isinstance(value, float) else (type(value), value)

    rows = [[bits(value) for value in row] for row in asked.rows.values]
    return list(asked.rows.names), rows, asked.keys, asked.times, asked.source


def assert_no_more_than_described(text: bytes, wire: Wire = WIRE, reader: Reader = READER) -> bool:
    taken = reader.read(text)
    if taken is None:
        return False
    wanted = judged(wire, text)
    assert wanted is not None, text
    assert exactly(taken) == exactly(wanted), text
    if taken.rows.numbers is not None:
        found = [struct.pack(f">{len(row)}d", *row) for row in taken.rows.numbers.tolist()]
        assert found == [struct.pack(f">{len(row)}d", *row) for row in taken.rows.values], text
    return True


NUMBERS = [
    "0", "-0", "0.0", "-0.0", "1", "1.0", "1e0", "1E+2", "7e-1", "01", "+1", "1.", ".5", "- 1",
    "1e", "9007199254740993", "9007199254740993.0", "2147483647", "2147483648", "-2147483649",
    "9223372036854775807", "9223372036854775808", "-9223372036854775808",
    "-9223372036854775809", "18446744073709551615", "18446744073709551616", "1" + "0" * 30,
    "1" + "0" * 310, "1" + "0" * 5000, "1e308", "1.7976931348623157e308",
    "1.7976931348623159e308", "1e309", "1e400", "-1e400", "1e-400", "5e-324",
    "2.4703282292062327e-324", "1e99999999999999999999", "0e99999", "0.1" + "0" * 400 + "1",
    "3.4028234663852886e38", "3.4028235e38", "3.4028236e38", "NaN", "Infinity", "-Infinity",
    "nan", "0x10", "1_000", "true", "false", "null", "True", '"1"', '"NaN"', "[]", "[1]", "{}",
    '{"a": 1}',
]  # fmt: skip
TEXTS = [
    '""', '"x"', '"\\u0000"', '"\x00"', '"\n"', '"\t"', '"\\ud800"', '"\\udc00\\ud800"',
    '"\\ud83d\\ude00"', '"\\x41"', '"\\/"', '"\\"', '"é"', '"' + "é" * 4096 + '"',
    '"' + "é" * 4097 + '"', '"' + "\\ud83d\\ude00" * 4096 + '"', '"' + "😀" * 4097 + '"', "'x'",
    '"2013-04-01"', '"2013-04-01T12"', '"20130401T120000Z"', '"2013-04-01 12:00:00"',
    '"2013-W14-1"', '"2013-04-01T24:00:00Z"', '"2013-04-01T12:00:60Z"', '"0001-01-01"',
    '"1677-12-31T23:59:59Z"', '"1678-01-01T00:00:00Z"', '"2261-12-31T23:59:59.999999Z"',
    '"2262-01-01T00:00:00Z"', '"9999-12-31T23:59:59-12:00"', '"2013-04-01T12:00:00+25:00"',
    '"2013-04-01T12:00:00.123456789Z"', '"1364817600"', '"١٩٩٩-01-01"',
]  # fmt: skip


@pytest.mark.parametrize("literal", [*NUMBERS, *TEXTS])
def test_every_literal_means_the_same_in_every_column(literal: str) -> None:
    for column in COLUMNS:
        text = json.dumps({"rows": [a_row(**{column.name: "HERE"})]}, ensure_ascii=False)
        raw = text.replace('"HERE"', literal).encode("utf-8", "surrogatepass")
        assert_no_more_than_described(raw)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text() | st.datetimes().map(str),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
VALUES: dict[ColumnType, st.SearchStrategy[Any]] = {
    ColumnType.BOOLEAN: st.booleans(),
    ColumnType.INTEGER: st.integers(-(2**31), 2**31 - 1),
    ColumnType.LONG: st.integers(-(2**63), 2**63 - 1),
    ColumnType.FLOAT: st.floats(width=32, allow_nan=False, allow_infinity=False) | st.integers(),
    ColumnType.DOUBLE: st.floats(allow_nan=False, allow_infinity=False) | st.integers(),
    ColumnType.STRING: st.text(max_size=20),
    ColumnType.DATETIME: st.datetimes().map(datetime.isoformat),
}


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    """Requests that are mostly in order."""
    rows = draw(
        st.lists(
            st.fixed_dictionaries(
                {
                    column.name: VALUES[column.type]
                    if column.required
                    else st.none() | VALUES[column.type]
                    for column in COLUMNS
                }
            ),
            min_size=1,
            max_size=3,
        )
    )
    if draw(st.integers(0, 3)) == 0:
        rows[0][draw(st.sampled_from([*rows[0], "surplus"]))] = draw(JSON)
    asked: dict[str, Any] = {"rows": rows}
    if draw(st.booleans()):
        asked["keys"] = [draw(st.text(max_size=5)) for _ in rows]
    if draw(st.booleans()):
        asked["times"] = [draw(VALUES[ColumnType.DATETIME]) for _ in rows]
    if draw(st.integers(0, 5)) == 0:
        asked[draw(st.sampled_from(["rows", "keys", "times", "source", "columns", "more"]))] = draw(
            JSON
        )
    return asked


def columnar(asked: dict[str, Any], order: list[str]) -> dict[str, Any]:
    rest = {name: value for name, value in asked.items() if name != "rows"}
    return {"columns": order, "data": [[row[n] for n in order] for row in asked["rows"]], **rest}


@given(requests())
@settings(max_examples=300)
def test_the_reader_takes_no_more_than_the_description_allows(asked: dict[str, Any]) -> None:
    assert_no_more_than_described(json.dumps(asked).encode())


@given(requests(), st.randoms(use_true_random=False))
@settings(max_examples=200)
def test_columns_named_once_mean_what_named_rows_mean(
    asked: dict[str, Any], chance: random.Random
) -> None:
    rows = asked["rows"]
    names = WIRE.contract.schema.names
    if not isinstance(rows, list) or not all(
        isinstance(r, dict) and set(r) == set(names) for r in rows
    ):
        return
    order = list(names)
    if chance.random() < 0.7:
        chance.shuffle(order)
    named, once = json.dumps(asked).encode(), json.dumps(columnar(asked, order)).encode()
    assert_no_more_than_described(once)
    first, second = judged(WIRE, named), judged(WIRE, once)

    assert "columns" in asked or (first is None) == (second is None)
    if first is not None and second is not None:
        assert exactly(first) == exactly(second)


@given(st.data())
@settings(max_examples=300)
def test_a_changed_byte_is_taken_only_where_the_description_takes_it(data: st.DataObject) -> None:
    forms = ({"rows": [a_row()]}, columnar({"rows": [a_row()]}, [c.name for c in COLUMNS][::-1]))
    text = bytearray(json.dumps(data.draw(st.sampled_from(forms))).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text) - 1))
        match data.draw(st.integers(0, 2)):
            case 0:
                text[at] = data.draw(st.integers(0, 255))
            case 1:
                del text[at]
            case 2:
                text[at:at] = data.draw(st.sampled_from([b" ", b",", b"\\", b'"', b"\x00", b"0"]))
    assert_no_more_than_described(bytes(text))


@pytest.mark.parametrize(
    "text",
    [
        '{"rows": [R], "rows": [R, R]}',
        '{"rows": [{}], "rows": [R]}',
        '{"rows": [R], "rows": [{}]}',
        '{"rows": [R], "source": 1, "source": "x"}',
        '{"rows": [R], "source": "x", "source": 1}',
        '{"rows": [R], "columns": [], "data": []}',
        '{"rows": [R], "columns": C, "data": [V]}',
        '{"columns": C, "data": [V], "data": [[]]}',
        '{"columns": [], "columns": C, "data": [V]}',
        '{"columns": C, "data": [V]} x',
        '\ufeff{"rows": [R]}',
        '{"rows": [R],}',
        '{"rows": [R]} // x',
        '{"rows": [R], "keys": null}',
        '{"rows": [R], "keys": []}',
        '{"rows": [R], "keys": ["a", "b"]}',
        '{"rows": [R], "times": ["2013-04-01", 5]}',
        '{"rows": ' + "[" * 5000,
        '{"rows": [R], "more": ' + "[" * 5000 + "]" * 5000 + "}",
        "[R]",
        "R",
        "null",
        "",
    ],
)
def test_odd_requests_are_read_alike(text: str) -> None:
    order = [column.name for column in COLUMNS]
    text = text.replace("R", json.dumps(a_row())).replace("C", json.dumps(order))
    assert_no_more_than_described(text.replace("V", json.dumps(list(a_row().values()))).encode())


def test_a_key_that_comes_twice_is_read_alike() -> None:
    row = json.dumps(a_row())[:-1]
    for column in COLUMNS:
        for literal in (json.dumps(GOOD[column.type]), "null", '{"x": 1}'):
            for text in (
                f'{row}, "{column.name}": {literal}}}',
                f'{{"{column.name}": {literal}, {row[1:]}}}',
            ):
                assert_no_more_than_described(f'{{"rows": [{text}]}}'.encode())


@pytest.mark.parametrize("form", ["rows", "columns", "other order"])
def test_what_is_plainly_in_order_is_read_fast(form: str) -> None:
    asked: dict[str, Any] = {"rows": [a_row(), a_row()], "keys": ["a", "b"], "source": "me"}
    order = WIRE.contract.schema.names
    if form != "rows":
        asked = columnar(asked, order if form == "columns" else order[::-1])

    assert assert_no_more_than_described(json.dumps(asked).encode())


@pytest.mark.parametrize("name", ['say "x"', "back\\slash", "new\nline", ""])
def test_columns_may_be_called_anything(name: str) -> None:
    wire = Wire(contract(replace(COLUMNS[8], name=name)), 3)
    asked = wire.read(json.dumps({"rows": [{name: 1.5}]}).encode())

    assert list(asked.rows) == [{name: 1.5}]


def refused(text: object) -> BadRequestError:
    with pytest.raises(BadRequestError) as caught:
        WIRE.read(json.dumps(text).encode())
    return caught.value


def test_a_wrong_value_in_unnamed_rows_is_refused_by_the_name_of_its_column() -> None:
    order = [column.name for column in COLUMNS][::-1]
    asked = columnar({"rows": [a_row(), a_row(**{"long must": "secret"})]}, order)

    assert [name for name, _ in refused(asked).fields] == ["data.1.long must"]
    assert "secret" not in refused(asked).detail


def test_wrong_columns_are_named() -> None:
    order = [column.name for column in COLUMNS]
    asked = {"columns": [*order[2:], "surplus", order[2]], "data": [[]]}

    assert refused(asked).fields == (
        ("columns.integer must", "is named more than once"),
        ("columns.surplus", "is no input of this model"),
        ("columns.boolean must", "is missing"),
        ("columns.boolean may", "is missing"),
    )


def test_a_row_with_too_few_values_is_named() -> None:
    order = [column.name for column in COLUMNS]
    values = list(a_row().values())

    assert refused({"columns": order, "data": [values, values[:-1]]}).fields == (
        ("data.1", "has 13 values for 14 columns"),
    )
    assert refused({"columns": order, "data": [values] * 5}).fields[0][0] == "data"
    assert refused({"columns": order}).fields == (("data", "is missing"),)
    assert refused({"data": [values]}).fields == (("columns", "is missing"),)


FLOATS = Wire(
    contract(
        Column(name="a", type=ColumnType.DOUBLE, required=True),
        Column(name="b", type=ColumnType.FLOAT, required=False),
        Column(name="c", type=ColumnType.DOUBLE, required=True),
    ),
    20,
)
FLOATS_READER = Reader(FLOATS.contract, 20)


@given(
    st.lists(st.tuples(*[VALUES[ColumnType.FLOAT]] * 3), min_size=1, max_size=20),
    st.permutations("abc"),
    st.booleans(),
)
def test_numbers_are_a_matrix_too_in_whatever_form_they_came(
    values: list[tuple[Any, ...]], order: list[str], is_named: bool
) -> None:
    rows = [dict(zip(order, row, strict=True)) for row in values]
    asked = {"rows": rows} if is_named else {"columns": order, "data": values}
    text = json.dumps(asked).encode()

    if assert_no_more_than_described(text, FLOATS, FLOATS_READER):
        taken = FLOATS_READER.read(text)
        assert taken is not None
        assert taken.rows.numbers is not None


def test_rows_with_a_null_are_no_matrix() -> None:
    text = b'{"rows": [{"a": 1, "b": null, "c": 2}]}'

    assert assert_no_more_than_described(text, FLOATS, FLOATS_READER)
    taken = FLOATS_READER.read(text)
    assert taken is not None
    assert taken.rows.numbers is None
