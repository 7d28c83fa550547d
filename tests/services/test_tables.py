"""Rows of floats become matrices and tables, and come back to the last bit."""

import struct

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab_services.doubles import matrix
from trimtab_services.tables import Table, TableWriter, read_table

anything = st.floats(allow_nan=False, allow_infinity=False)
measured = st.integers(-(10**6), 10**6).flatmap(
    lambda whole: st.sampled_from([whole / 10**digits for digits in range(12)])
)
odd = st.sampled_from([0.0, -0.0, 5e-324, 2.0**31, -(2.0**31), 2147483647.0, 1e300, 0.1 + 0.2])
numbers = anything | measured | odd


@st.composite
def rows(draw: st.DrawFn) -> list[tuple[float, ...]]:
    width = draw(st.integers(1, 17))
    row = st.tuples(*[draw(st.sampled_from([anything, measured, odd, numbers]))] * width)
    return draw(st.lists(row, min_size=1, max_size=17))


def bits(given: list[tuple[float, ...]]) -> list[list[bytes]]:
    return [[struct.pack(">d", value) for value in row] for row in given]


@settings(max_examples=40)
@given(rows())
def test_rows_of_floats_are_a_matrix_of_the_same_bits(given: list[tuple[float, ...]]) -> None:
    made = matrix(given, len(given[0]))

    assert made is not None
    assert bits(list(map(tuple, made.tolist()))) == bits(given)
    assert made.flags.c_contiguous
    assert made.flags.writeable


@pytest.mark.parametrize(
    ("height", "width"), [(1, 1), (15, 15), (16, 16), (2, 70_000), (70_000, 2)]
)
def test_a_matrix_may_have_any_size(height: int, width: int) -> None:
    wanted = np.arange(height * width, dtype=float).reshape(height, width) / 7

    made = matrix(list(map(tuple, wanted.tolist())), width)

    np.testing.assert_array_equal(made, wanted)


@settings(max_examples=40)
@given(rows(), st.data())
def test_rows_with_a_gap_are_no_matrix(given: list[tuple[float, ...]], data: st.DataObject) -> None:
    row, column = (data.draw(st.integers(0, n - 1)) for n in (len(given), len(given[0])))
    holed = [list[float | None](each) for each in given]
    holed[row][column] = None

    assert matrix([tuple(each) for each in holed], len(given[0])) is None


def test_nothing_is_no_matrix() -> None:
    assert matrix([], 3) is None
    assert matrix([(), ()], 0) is None


@settings(max_examples=60, deadline=None)
@given(st.lists(rows(), min_size=1, max_size=4))
def test_a_table_gives_back_every_bit_whatever_was_written_before(
    requests: list[list[tuple[float, ...]]],
) -> None:
    width = min(len(request[0]) for request in requests)
    writer = TableWriter(width)
    for request in requests:
        narrow = [row[:width] for row in request]
        table = writer.write(np.array(narrow))
        sent = msgspec.msgpack.decode(msgspec.msgpack.encode(table), type=Table)

        assert bits(read_table(sent)) == bits(narrow)


def test_few_digits_take_half_the_bytes() -> None:
    random = np.random.default_rng(0)
    few, many = random.normal(size=(100, 30)).round(4), random.normal(size=(100, 30))
    writer = TableWriter(30)

    assert len(msgspec.msgpack.encode(writer.write(few))) < 4.2 * few.size
    assert len(msgspec.msgpack.encode(writer.write(many))) < 8.2 * many.size


def test_a_column_of_long_numbers_leaves_the_others_short() -> None:
    random = np.random.default_rng(0)
    mixed = random.normal(size=(100, 30)).round(2)
    mixed[:, 7] = random.normal(size=100)
    table = TableWriter(30).write(mixed)

    assert list(table.digits) == [-1 if i == 7 else 2 for i in range(30)]
    assert (len(table.whole), len(table.plain)) == (4 * 2900, 8 * 100)


def test_a_rounded_minus_is_no_long_number() -> None:
    table = TableWriter(1).write(np.array([[-0.001], [0.5], [0.0]]).round(1))

    assert list(table.digits) == [1]
    assert str(read_table(table)) == "[(-0.0,), (0.5,), (0.0,)]"


def test_a_stray_number_does_not_change_how_a_column_is_kept() -> None:
    writer, stray = TableWriter(2), np.full((20, 2), 0.25)
    stray[3, 1] = 0.1 + 0.2
    usual = np.round(stray, 2)

    assert list(writer.write(usual).digits) == [2, 2]
    assert list(writer.write(stray).digits) == [2, -1]
    assert list(writer.write(usual).digits) == [2, 2]
    for _ in range(5):
        writer.write(stray)
    assert list(writer.write(usual).digits) == [2, -1], "but many strays do"


@pytest.mark.parametrize(
    "table",
    [
        Table(1, [], b"", b""),
        Table(-1, [0], b"", b""),
        Table(2, [0], b"1234", b""),
        Table(1, [0], b"123", b""),
        Table(1, [-1], b"", b"1234"),
        Table(1, [10], b"1234", b""),
        Table(1, [-2], b"1234", b""),
        Table(2**40, [0, -1], b"1234", b""),
    ],
)
def test_what_is_no_table_is_refused(table: Table) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_table(table)
