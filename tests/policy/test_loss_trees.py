"""Trees of plain numbers: what they make of values, gaps and categories nobody has seen."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.policy.loss_trees import expected_losses, features_of, matrix
from trimtab.records.estimates import Feature, LossTrees, Tree
from trimtab.records.schema import Column, ColumnType, Schema

SCHEMA = Schema(
    columns=(
        Column(name="wind", type=ColumnType.DOUBLE, required=False),
        Column(name="carrier", type=ColumnType.STRING, required=False),
    )
)
SPLIT = Tree(
    feature=(0, -1, -1),
    threshold=(10.0, 0.0, 0.0),
    below=(1, 0, 0),
    above=(2, 0, 0),
    missing=(2, 0, 0),
    value=(0.0, -1.0, 1.0),
)


def trees(*found: Tree) -> LossTrees:
    return LossTrees(features=(), base=2.0, trees=found, low=0.0, high=2.5)


def test_trees_add_to_the_mean_and_stay_within_what_was_seen() -> None:
    values = np.array([[9.9, 0], [10.0, 0], [np.nan, 0], [1.0, np.nan]], dtype=np.float32)

    found = expected_losses(trees(SPLIT), values)

    assert found[:3].tolist() == [1.0, 2.5, 2.5]
    assert np.isnan(found[3])  # an answer that is no number has no loss to expect
    assert expected_losses(trees(SPLIT, SPLIT, SPLIT), values)[0] == 0.0


def test_trees_that_lead_in_a_circle_end() -> None:
    circle = Tree(
        feature=(0,), threshold=(0.0,), below=(0,), above=(0,), missing=(0,), value=(1.0,)
    )

    assert np.isfinite(expected_losses(trees(circle), np.zeros((3, 2), dtype=np.float32))).all()


def test_categories_count_as_the_mean_loss_of_their_rows() -> None:
    inputs = pd.DataFrame({"wind": np.zeros(2000), "carrier": ["AA", "B6"] * 1000})
    losses = np.where(inputs["carrier"] == "AA", 1.0, 3.0)

    wind, carrier = features_of(inputs, losses, SCHEMA)

    assert wind == Feature(column="wind")
    assert carrier.levels == pytest.approx({"AA": 1.0, "B6": 3.0}, abs=0.05)
    assert carrier.otherwise == 2.0
    asked = pd.DataFrame({"carrier": ["B6", "ZZ", None]})  # and no wind at all
    values = matrix((wind, carrier), asked, np.array([0.5, 1e300, 0.5]), SCHEMA)
    assert np.isnan(values[:, 0]).all()
    assert values[:2, 1].tolist() == pytest.approx([3.0, 2.0], abs=0.05)
    assert np.isnan(values[2, 1])
    assert np.isnan(values[1, 2])
    assert features_of(inputs.drop(columns="carrier"), losses, SCHEMA) == (wind,)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.one_of(st.floats(), st.integers(), st.text(max_size=3), st.none(), st.booleans()),
        min_size=1,
        max_size=20,
    )
)
def test_no_value_however_odd_keeps_the_others_from_an_estimate(odd: list[object]) -> None:
    inputs = pd.DataFrame({"wind": pd.Series(odd, dtype=object), "carrier": ["AA"] * len(odd)})
    features = (Feature(column="wind"), Feature(column="carrier", levels={"AA": 1.0}))

    values = matrix(features, inputs, np.ones(len(odd)), SCHEMA)

    assert np.isfinite(expected_losses(trees(SPLIT), values)).all()
