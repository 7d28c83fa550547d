from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from trimtab.adapters.frames import coerce
from trimtab.records.schema import ColumnType
from trimtab_pipelines.columns import infer_schema
from trimtab_pipelines.errors import ColumnError


@pytest.mark.parametrize(
    ("values", "type_", "required"),
    [
        ([True, False], ColumnType.BOOLEAN, True),
        ([True, None], ColumnType.BOOLEAN, False),
        (np.array([1, 2], dtype="int8"), ColumnType.INTEGER, True),
        (np.array([1, 2], dtype="uint32"), ColumnType.INTEGER, True),
        (np.array([1, 2**32 - 1], dtype="uint32"), ColumnType.LONG, True),
        (np.array([1, 2], dtype="uint64"), ColumnType.LONG, True),
        ([1, 2], ColumnType.LONG, True),
        (pd.array([1, None], dtype="Int64"), ColumnType.DOUBLE, False),
        (pd.array([1, 2], dtype="Int32"), ColumnType.INTEGER, True),
        (pd.Series([1, 2], dtype=object), ColumnType.LONG, True),
        (pd.Series([1, None], dtype=object), ColumnType.DOUBLE, False),
        (np.array([1, 2], dtype="float32"), ColumnType.FLOAT, True),
        ([1.5, None], ColumnType.DOUBLE, False),
        ([Decimal("1.5"), Decimal("2")], ColumnType.DOUBLE, True),
        (["a", None], ColumnType.STRING, False),
        (pd.array(["a", "b"], dtype="string"), ColumnType.STRING, True),
        (pd.Categorical(["a", None]), ColumnType.STRING, False),
        (pd.Categorical([1, 2]), ColumnType.LONG, True),
        (pd.Categorical([1, None]), ColumnType.DOUBLE, False),
        ([datetime(2013, 1, 1, tzinfo=UTC)] * 2, ColumnType.DATETIME, True),
        ([date(2013, 1, 1), None], ColumnType.DATETIME, False),
    ],
)
def test_types_are_found_and_kept(values: Any, type_: ColumnType, required: bool) -> None:
    frame = pd.DataFrame({"x": values})

    schema = infer_schema(frame)

    assert (schema.columns[0].type, schema.columns[0].required) == (type_, required)
    assert infer_schema(coerce(frame, schema)) == schema


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ([1, "a"], r"mixes types \(int, str\)"),
        ([[1], [2]], r"mixes types \(list\)"),
        ([{"a": 1}, {"a": 2}], r"mixes types \(dict\)"),
        ([np.zeros(3)] * 2, r"mixes types \(ndarray\)"),
        ([b"a", b"b"], "holds bytes, which is not served"),
        ([timedelta(1)] * 2, "holds timedelta"),
        ([1 + 2j] * 2, "holds complex"),
        (np.array([1, 2**63], dtype="uint64"), "holds integers above 64 bits"),
    ],
)
def test_what_cannot_be_served_is_refused_by_name(values: Any, why: str) -> None:
    with pytest.raises(ColumnError, match=f"Column 'x' {why}"):
        infer_schema(pd.DataFrame({"x": values}))


@pytest.mark.parametrize("name", [3, "", " ", "(output)", "(label)"])
def test_names_that_cannot_be_served_are_refused(name: object) -> None:
    with pytest.raises(ColumnError):
        infer_schema(pd.DataFrame({name: [1, 2]}))
