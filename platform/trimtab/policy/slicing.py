"""Slices of rows: which there are among the training rows, and which rows belong to them."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trimtab.records.quality import Slice
from trimtab.records.schema import Schema

from .summaries import Numbers, Readings, Texts, read

MISSING = "(missing)"
_MOST_VALUES = 25
"""Values of one column that are looked at, the most frequent ones."""
_MOST = 100
"""Slices of one version, of all its columns together."""
_QUARTERS = (0.25, 0.5, 0.75)


def find_slices(inputs: pd.DataFrame, schema: Schema, columns: Iterable[str]) -> list[Slice]:
    """Cut rows by the values of columns, numbers and times into quarters.

    A column that is no input of the model, or is not there, is left out.
    """
    types = {column.name: column.type for column in schema.columns if column.name in inputs}
    found = []
    for name in columns:
        if name in types:
            found += _slices(name, read(inputs[name], types[name]))
    return found[:_MOST]


def masks(
    slices: Sequence[Slice], inputs: pd.DataFrame, schema: Schema
) -> dict[Slice, NDArray[np.bool_]]:
    """Tell which rows are in which slice; a slice whose column is not there is left out.

    Nothing raises, however odd the values are.
    """
    types = {column.name: column.type for column in schema.columns}
    wanted = {part.column for part in slices} & types.keys() & set(inputs.columns)
    readings = {name: read(inputs[name], types[name]) for name in wanted}
    return {part: _mask(part, readings[part.column]) for part in slices if part.column in readings}


def _slices(name: str, readings: Readings) -> list[Slice]:
    if isinstance(readings, Texts):
        names = [*readings.names, MISSING]
        rows = np.bincount(readings.codes % len(names), minlength=len(names))
        frequent = np.argsort(-rows, kind="stable")[:_MOST_VALUES]
        return [Slice(column=name, value=names[i]) for i in frequent if rows[i]]
    finite = readings.values[np.isfinite(readings.values)]
    if finite.size == 0:
        return []
    cuts = np.unique(np.quantile(finite, _QUARTERS, method="inverted_cdf"))
    inner = [float(cut) for cut in cuts if cut < finite.max()]
    return [Slice(column=name, above=a, up_to=b) for a, b in pairwise([None, *inner, None])]


def _mask(part: Slice, readings: Readings) -> NDArray[np.bool_]:
    if isinstance(readings, Numbers):
        values = readings.values
        found = np.isfinite(values)
        if part.above is not None:
            found = found & (values > part.above)
        if part.up_to is not None:
            found = found & (values <= part.up_to)
        return found
    position = {name: i for i, name in enumerate(readings.names)} | {MISSING: -1}
    return np.asarray(readings.codes == position.get(part.value or "", -2))
