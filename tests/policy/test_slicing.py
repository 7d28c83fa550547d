"""Slices: which there are, and that every row is where it belongs."""

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.policy.slicing import find_slices, masks
from trimtab.records.quality import Slice
from trimtab.records.schema import Column, ColumnType, Schema

SCHEMA = Schema(
    columns=(
        Column(name="wind", type=ColumnType.DOUBLE, required=False),
        Column(name="carrier", type=ColumnType.STRING, required=False),
        Column(name="holiday", type=ColumnType.BOOLEAN, required=False),
    )
)


def frame(rows: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "wind": rng.gamma(4.0, size=rows),
            "carrier": rng.choice(["AA", "B6", None], size=rows),  # type: ignore[arg-type]
            "holiday": rng.choice(np.array([True, False, None], dtype=object), size=rows),
        }
    )


def test_values_have_a_slice_each_and_numbers_are_cut_into_quarters() -> None:
    found = find_slices(frame(), SCHEMA, ["carrier", "holiday", "wind", "not an input"])

    assert {str(part) for part in found if part.column == "carrier"} == {
        "carrier=AA",
        "carrier=B6",
        "carrier=(missing)",
    }
    assert {part.value for part in found if part.column == "holiday"} == {
        "true",
        "false",
        "(missing)",
    }
    sizes = [mask.sum() for part, mask in masks(found, frame(), SCHEMA).items()
             if part.column == "wind"]  # fmt: skip
    assert sizes == [100, 100, 100, 100]


def test_slices_are_named_as_people_write_them() -> None:
    names = [
        str(Slice(column="wind", up_to=3.0)),
        str(Slice(column="wind", above=3.0, up_to=4.5)),
        str(Slice(column="wind", above=4.5)),
        str(Slice(column="origin", value="JFK")),
    ]

    assert names == ["wind <= 3", "3 < wind <= 4.5", "4.5 < wind", "origin=JFK"]


def test_slices_are_bounded_in_number() -> None:
    texts = [f"c{i % 60}" for i in range(600)] + ["c0"] * 9
    schema = Schema(
        columns=tuple(Column(name=f"x{i}", type=ColumnType.STRING, required=True) for i in range(9))
    )
    inputs = pd.DataFrame({column.name: texts for column in schema.columns})

    found = find_slices(inputs, schema, schema.names)

    assert len(found) == 100
    assert found[0] == Slice(column="x0", value="c0")
    assert sum(part.column == "x0" for part in found) == 25


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.one_of(st.floats(), st.none()), min_size=1, max_size=60),
    st.lists(st.one_of(st.text(max_size=2), st.none(), st.floats()), min_size=1, max_size=60),
)
def test_every_row_is_in_one_slice_of_a_column_at_most(
    numbers: list[float | None], texts: list[object]
) -> None:
    rows = min(len(numbers), len(texts))
    inputs = pd.DataFrame(
        {
            "wind": pd.Series(numbers[:rows], dtype=object),
            "carrier": pd.Series(texts[:rows], dtype=object),
        }
    )

    found = masks(find_slices(inputs, SCHEMA, ["wind", "carrier"]), inputs, SCHEMA)

    for column in ("wind", "carrier"):
        of_column = [mask for part, mask in found.items() if part.column == column]
        if of_column:
            assert np.sum(of_column, axis=0).max() <= 1
    finite = np.isfinite(inputs["wind"].astype(float))
    of_wind = [mask for part, mask in found.items() if part.column == "wind"]
    assert sum(mask.sum() for mask in of_wind) == finite.sum()


def test_a_column_that_the_log_lacks_is_left_out() -> None:
    found = find_slices(frame(), SCHEMA, ["carrier", "wind"])

    kept = masks(found, frame().drop(columns="carrier"), SCHEMA)

    assert {part.column for part in kept} == {"wind"}
    assert find_slices(frame().drop(columns="carrier"), SCHEMA, ["carrier"]) == []
