"""Expected losses from inputs and prediction, by small trees that are kept as plain numbers.

Direct loss estimation, as NannyML named it: a regression of each row's loss, learned on rows that
the model had not seen. What is kept are the nodes of the trees, so the monitor needs no learner,
and nothing is executed that a file holds.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trimtab.records.estimates import Feature, LossTrees, Tree
from trimtab.records.schema import ColumnType, Schema

from .summaries import Floats, Numbers, Readings, read

_LEVELS = 50
"""Categories, the most frequent, that are told apart; all others count as the average."""
_SHRINKAGE = 20.0
"""So many rows of the average are added to a category's own, lest few rows say much."""

Matrix = NDArray[np.float32]


def features_of(inputs: pd.DataFrame, losses: Floats, schema: Schema) -> tuple[Feature, ...]:
    """Turn every input that is there into one number: categories into their rows' mean loss.

    (Micci-Barreca, "A Preprocessing Scheme for High-Cardinality Categorical Attributes", 2001.)
    """
    return tuple(
        _feature(column.name, read(inputs[column.name], column.type), losses)
        for column in schema.columns
        if column.name in inputs
    )


def matrix(
    features: Sequence[Feature], inputs: pd.DataFrame, predictions: Floats, schema: Schema
) -> Matrix:
    """Put the features and the prediction beside one another; NaN where there is no value.

    A column that the inputs lack has no values, and neither has a number too large for 32 bits.
    """
    types = {column.name: column.type for column in schema.columns}
    columns = [_numbers(feature, inputs, types[feature.column]) for feature in features]
    with np.errstate(over="ignore"):
        found = np.column_stack([*columns, predictions]).astype(np.float32)
    found[~np.isfinite(found)] = np.nan
    return found


def expected_losses(trees: LossTrees, values: Matrix) -> Floats:
    """Give each row's expected loss; NaN where the prediction is no number."""
    found = np.full(len(values), trees.base)
    for tree in trees.trees:
        found += _leaf_values(tree, values)
    bounded = np.clip(found, trees.low, trees.high)
    return np.where(np.isfinite(values[:, -1]), bounded, np.nan)


def _feature(name: str, readings: Readings, losses: Floats) -> Feature:
    if isinstance(readings, Numbers):
        return Feature(column=name)
    mean = float(losses.mean())
    used = readings.codes >= 0
    rows = np.bincount(readings.codes[used], minlength=len(readings.names))
    sums = np.bincount(readings.codes[used], losses[used], minlength=len(readings.names))
    shrunk = (sums + _SHRINKAGE * mean) / (rows + _SHRINKAGE)
    frequent = np.argsort(-rows, kind="stable")[:_LEVELS]
    levels = {readings.names[i]: float(shrunk[i]) for i in frequent}
    return Feature(column=name, levels=levels, otherwise=mean)


def _numbers(feature: Feature, inputs: pd.DataFrame, type_: ColumnType) -> Floats:
    if feature.column not in inputs:
        return np.full(len(inputs), np.nan)
    readings = read(inputs[feature.column], type_)
    if isinstance(readings, Numbers):
        return readings.values
    levels = feature.levels or {}
    coded = [levels.get(name, feature.otherwise) for name in readings.names]
    return np.array([*coded, np.nan])[readings.codes]  # code -1 is the last


def _leaf_values(tree: Tree, values: Matrix) -> Floats:
    feature, threshold = np.array(tree.feature), np.array(tree.threshold, dtype=np.float32)
    below, above, missing = (np.array(n) for n in (tree.below, tree.above, tree.missing))
    node = np.zeros(len(values), dtype=np.intp)
    rows = np.arange(len(values))
    for _ in range(len(feature)):  # never deeper; a file with a circle must not hang us
        asked = feature[node]
        if (asked < 0).all():
            break
        value = values[rows, np.maximum(asked, 0)]
        following = np.where(value < threshold[node], below[node], above[node])
        following = np.where(np.isnan(value), missing[node], following)
        node = np.where(asked < 0, node, following)
    return np.asarray(np.array(tree.value)[node])
