from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.adapters.frames import FrameError, coerce
from trimtab.records.schema import Column, ColumnType, Schema

TYPES = {
    ColumnType.BOOLEAN: "bool",
    ColumnType.INTEGER: "int32",
    ColumnType.LONG: "int64",
    ColumnType.FLOAT: "float32",
    ColumnType.DOUBLE: "float64",
    ColumnType.STRING: "object",
    ColumnType.DATETIME: "datetime64[ns]",
}
VALUES: dict[ColumnType, list[Any]] = {
    ColumnType.BOOLEAN: [True, False],
    ColumnType.INTEGER: [1, -2],
    ColumnType.LONG: [1, 2**40],
    ColumnType.FLOAT: [1.5, 2.0],
    ColumnType.DOUBLE: [1.5, 2.0],
    ColumnType.STRING: ["a", "b"],
    ColumnType.DATETIME: [datetime(2013, 1, 1, tzinfo=UTC), datetime(2013, 1, 2, tzinfo=UTC)],
}


def one(type_: ColumnType, *, required: bool = True) -> Schema:
    return Schema(columns=(Column(name="x", type=type_, required=required),))


def cast(values: object, type_: ColumnType, *, required: bool = True) -> "pd.Series[Any]":
    return coerce(pd.DataFrame({"x": values}), one(type_, required=required))["x"]


@pytest.mark.parametrize("type_", ColumnType)
def test_every_type_comes_out_as_it_was_trained(type_: ColumnType) -> None:
    assert str(cast(VALUES[type_], type_).dtype) == TYPES[type_]
    as_objects = pd.Series(VALUES[type_], dtype=object)
    assert str(cast(as_objects, type_).dtype) == TYPES[type_]


@pytest.mark.parametrize("type_", ColumnType)
def test_nulls_stay_nulls_in_every_type(type_: ColumnType) -> None:
    for required in (True, False):
        values = [VALUES[type_][0], None]

        assert cast(values, type_, required=required).isna().tolist() == [False, True]


@pytest.mark.parametrize("type_", ColumnType)
def test_only_nulls_and_no_rows_are_fine(type_: ColumnType) -> None:
    assert cast([None, None], type_, required=False).isna().all()
    assert len(cast([], type_)) == 0


@given(st.lists(st.one_of(st.none(), st.text()), min_size=1))
def test_coercing_twice_changes_nothing(texts: list[str | None]) -> None:
    frame, schema = pd.DataFrame({"x": texts}), one(ColumnType.STRING, required=False)
    once = coerce(frame, schema)

    pd.testing.assert_frame_equal(coerce(once, schema), once)


@pytest.mark.parametrize(
    ("values", "type_"),
    [
        (["1", "2"], ColumnType.DOUBLE),
        ([1, "x"], ColumnType.LONG),
        ([1, 2], ColumnType.STRING),
        (["a", 2], ColumnType.STRING),
        ([1, 2], ColumnType.DATETIME),
        (["soon"], ColumnType.DATETIME),
        (["yes"], ColumnType.BOOLEAN),
        ([datetime(2013, 1, 1)], ColumnType.DOUBLE),
        ([datetime(2013, 1, 1, tzinfo=UTC)], ColumnType.LONG),
    ],
)
def test_another_type_is_an_error_that_names_the_column(
    values: list[object], type_: ColumnType
) -> None:
    with pytest.raises(FrameError, match=f"Column 'x' should be {type_} and is not"):
        cast(values, type_)


@pytest.mark.parametrize("values", [[1.5, 2.0], [2.0**70, 1.0]])
def test_a_number_that_does_not_fit_is_never_cut(values: list[float]) -> None:
    for type_ in (ColumnType.INTEGER, ColumnType.LONG):
        assert cast(values, type_).tolist() == values


@pytest.mark.parametrize(
    ("values", "type_", "wanted"),
    [
        ([1, 2], ColumnType.DOUBLE, [1.0, 2.0]),
        ([1.0, 2.0], ColumnType.LONG, [1, 2]),
        ([Decimal("1.5")], ColumnType.DOUBLE, [1.5]),
        (pd.array([1, None], dtype="Int64"), ColumnType.DOUBLE, [1.0, np.nan]),
        (pd.Categorical(["a", None]), ColumnType.STRING, ["a", np.nan]),
        (["2013-01-01T02:00:00+02:00"], ColumnType.DATETIME, [pd.Timestamp(2013, 1, 1)]),
        ([date(2013, 1, 1)], ColumnType.DATETIME, [pd.Timestamp(2013, 1, 1)]),
        ([1, 0], ColumnType.BOOLEAN, [True, False]),
    ],
)
def test_what_means_the_same_is_taken(values: Any, type_: ColumnType, wanted: list[object]) -> None:
    np.testing.assert_equal(cast(values, type_, required=False).tolist(), wanted)


def test_the_order_is_the_schemas_and_the_index_is_kept() -> None:
    schema = Schema(
        columns=(
            Column(name="b", type=ColumnType.LONG, required=True),
            Column(name="a", type=ColumnType.LONG, required=True),
        )
    )
    found = coerce(pd.DataFrame({"a": [1], "c": [3], "b": [2]}, index=[7]), schema)

    assert found.columns.tolist() == ["b", "a"]
    assert found.index.tolist() == [7]
