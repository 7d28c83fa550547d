"""How far the tails of checks can be believed in: degrees of freedom, from windows of training."""

import numpy as np

from trimtab.policy.summaries import Floats

from .observing import Observed
from .p_values import Kinds

KNOWN = 1e6
"""Degrees of freedom that stand for a variance that is known."""
_NEAR = 16  # a part of all windows so large, on either side of one, is near it
_FEWEST_CLUMPS = 3.0
_SURELY = 2.0


def others(values: Floats, *, left_out: bool) -> Floats:
    """Sum over all windows, or for each of them over those that are not near it."""
    total = values.sum(axis=0)
    return np.asarray(total - near(values) if left_out else total)


def near(values: Floats) -> Floats:
    """Sum over each window and its neighbours: what comes in clumps is in them as well."""
    reach = max(1, len(values) // _NEAR)
    sums = np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values, axis=0)])
    at = np.arange(len(values))
    return np.asarray(
        sums[np.minimum(at + reach + 1, len(values))] - sums[np.maximum(at - reach, 0)]
    )


def freedom_of(
    kinds: Kinds,
    observed: Observed,
    ratios: Floats,
    inflation: Floats,
    rows: int,
    *,
    left_out: bool,
) -> Floats:
    """Give the most degrees of freedom that a figure's tail can have: Student's t then has it.

    `ratios` are squares of figures over their variance in independent rows.
    """
    windows = others(np.ones((len(ratios), 1)), left_out=left_out)
    heavy = _heavy(ratios, windows, left_out=left_out)
    carrying = _carrying(observed.carried, windows, left_out=left_out)
    return np.minimum(np.minimum(heavy, carrying), _clumps(kinds, inflation, rows))


def _heavy(ratios: Floats, windows: Floats, *, left_out: bool) -> Floats:
    """Find the degrees of freedom of Student's t with as heavy tails as the windows have.

    By the fourth moment: its excess is 6 / (freedom - 4).
    """
    squares = np.maximum(others(ratios, left_out=left_out), 1e-12)
    fourths = others(ratios**2, left_out=left_out)
    chance = _SURELY * np.sqrt(24 / windows)  # standard errors of a normal kurtosis
    excess = windows * fourths / squares**2 - 3 - chance
    return np.where(excess > 0, 4 + 6 / np.maximum(excess, 1e-9), KNOWN)


def _clumps(kinds: Kinds, inflation: Floats, rows: int) -> Floats:
    """Take rows that resemble each other for one: a mean of few clumps has no normal tails.

    Products of two columns have heavier ones: a clump in both of them is a rare thing.
    """
    power = np.where(kinds.pairs, 2, 1)
    return np.asarray(np.maximum(rows / inflation**power, _FEWEST_CLUMPS))


def _carrying(carried: Floats, windows: Floats, *, left_out: bool) -> Floats:
    """Find how many windows carry a check's variance, as degrees of freedom."""
    squares = np.maximum(others(carried**2, left_out=left_out), 1e-12)
    carrying = others(carried, left_out=left_out) ** 2 / squares
    return np.maximum(carrying, 1.0) / np.maximum(1 - carrying / windows, 1 / KNOWN)
