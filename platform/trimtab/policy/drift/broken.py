"""Broken data told from drift: what no change of the world looks like."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from trimtab.policy.distance import distance_of_counts
from trimtab.policy.summaries import (
    Floats,
    Numbers,
    Readings,
    Texts,
    encode,
    reference_counts,
    size,
)
from trimtab.records.reference import OUTPUTS, ColumnSummary
from trimtab.records.schema import ColumnType
from trimtab.records.sums import ColumnSums

NULL_BURST = 0.2
"""More rows without a value than this, above the expected share, is broken data."""
_HALF = 0.5
_VARIED = 3  # values or bins that a column must have had to be called frozen
_UNLIKE = 0.3  # Jensen-Shannon distance from which on another unit is thought of
_ALIKE = 0.4  # of that distance, at most, is left when the unit is put right

UNITS: dict[str, tuple[float, float]] = {
    "a factor of 10": (10, 0),
    "a factor of 100, as cents for euros": (100, 0),
    "a factor of 1,000, as grams for kilograms": (1e3, 0),
    "a factor of 1,000,000": (1e6, 0),
    "a factor of 60, as minutes for hours": (60, 0),
    "a factor of 3,600, as seconds for hours": (3600, 0),
    "a factor of 24, as hours for days": (24, 0),
    "feet for metres": (3.28084, 0),
    "Fahrenheit for Celsius": (1.8, 32),
    "kelvin for Celsius": (1, 273.15),
    "the other sign": (-1, 0),
}
"""By name, what a value of training is multiplied by, and what is then added.

Not miles or pounds: a world in which all values are 1.6 times as large is not broken.
"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sample:
    """Some rows of a window, read; what sums cannot tell is looked for in them."""

    readings: Mapping[str, Readings]
    summaries: Mapping[str, ColumnSummary]


def what_is_broken(
    summary: ColumnSummary,
    sums: ColumnSums,
    type_: ColumnType,
    sample: Sample,
    *,
    moved: bool,
    usual: float,
) -> str:
    """Name what is broken in a column; empty when nothing is.

    All but unreadable values must also have `moved` by their p-value: a stretch without values,
    or with one value only, that the training rows had as well is how this column is. `usual` is
    the expected share of rows without a value.
    """
    if sums.share(sums.unreadable) > _HALF:
        return f"{sums.share(sums.unreadable):.0%} of its values are no {type_}"
    if not moved:
        return ""
    missing = sums.share(sums.missing)
    if missing == 1.0:
        return f"it has no values at all; in training {usual:.0%} were missing"
    if missing - usual > NULL_BURST:
        return f"{missing:.0%} of its values are missing; in training {usual:.0%} were"
    if summary.name in OUTPUTS:
        return ""
    if sums.is_constant and _varied(summary, sums):
        return "it is frozen: all values are one value"
    return _swapped(summary, sample) or _unit(summary, sample) or _strange(summary, sums, type_)


def _strange(summary: ColumnSummary, sums: ColumnSums, type_: ColumnType) -> str:
    present = sums.rows - sums.missing
    if sums.far > _HALF * present and summary.low is not None and summary.high is not None:
        what = "far from the row's own time" if type_ is ColumnType.DATETIME else "far outside"
        return f"most values are {what} ({summary.low:g} to {summary.high:g} in training)"
    if sums.unseen > _HALF * present and type_ is ColumnType.STRING:
        return "most values are categories that training has never seen: another spelling?"
    return ""


def _varied(summary: ColumnSummary, sums: ColumnSums) -> bool:
    """Tell whether the reference had other values, and more often than this one."""
    counts = reference_counts(summary)[:-1]
    here = int(np.argmax(sums.counts[:-1]))
    return bool(np.count_nonzero(counts) >= _VARIED and counts[here] < _HALF * counts.sum())


def _unit(summary: ColumnSummary, sample: Sample) -> str:
    """Look for a unit in which the values are what they were in training."""
    readings = sample.readings.get(summary.name)
    if not isinstance(readings, Numbers) or len(summary.edges) < _VARIED:
        return ""
    raw = _distance(summary, readings.values)
    if raw < _UNLIKE:
        return ""
    with np.errstate(over="ignore"):
        tried = {
            name: _distance(summary, as_trained)
            for unit, (factor, offset) in UNITS.items()
            for name, as_trained in (
                (unit, (readings.values - offset) / factor),
                (f"{unit}, the other way round", readings.values * factor + offset),
            )
        }
    best = min(tried, key=lambda name: tried[name])
    return f"another unit: {best}" if tried[best] <= _ALIKE * raw else ""


def _swapped(summary: ColumnSummary, sample: Sample) -> str:
    """Look for a column whose values stand here, while this one's stand there."""
    mine = sample.readings.get(summary.name)
    if mine is None or _own_distance(summary, mine) < _UNLIKE:
        return ""
    for name, other in sample.summaries.items():
        theirs = sample.readings.get(name)
        if name in (summary.name, *OUTPUTS) or theirs is None or type(theirs) is not type(mine):
            continue
        apart = _own_distance(other, theirs)
        fits = max(_own_distance(summary, theirs), _own_distance(other, mine))
        if apart >= _UNLIKE and fits <= _ALIKE * min(apart, _own_distance(summary, mine)):
            return f"its values stand in {name!r}, and that one's stand here"
    return ""


def _own_distance(summary: ColumnSummary, readings: Readings) -> float:
    if summary.is_numeric is isinstance(readings, Texts):
        return 1.0
    counts = np.bincount(encode(summary, readings), minlength=size(summary))
    return distance_of_counts(summary, counts)


def _distance(summary: ColumnSummary, values: Floats) -> float:
    return _own_distance(summary, Numbers(np.asarray(values, dtype=float)))
