"""P-values of checks: how likely so large a figure is where nothing has changed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from trimtab.policy.summaries import Floats
from trimtab.records.checks import Check, CheckKind

from .observing import Observed

SMALLEST = 1e-300
"""P-values are told down to here."""
_FARTHEST = 8.0
"""Standard deviations that one window can count for at most, where evidence is added up."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Norm:
    """What is usual; arrays of one entry a check, or windows by checks."""

    rows: int
    """The number of rows for which `inflation` holds."""
    windows: int
    freedom: Floats
    inflation: Floats
    centre: Floats
    deviation: Floats
    trained: int
    """Rows of the reference."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Kinds:
    """Which checks are of which kind."""

    linear: Mask
    spread: Mask
    """Those of the linear ones whose tail is heavier above than below."""
    pairs: Mask
    """Those of the linear ones that are of two columns."""
    fit: Mask
    missing: Mask
    unseen: Mask

    @classmethod
    def of(cls, checks: Sequence[Check]) -> "Kinds":
        """Sort the checks."""
        kinds = np.array([check.kind for check in checks], dtype=object)
        fit, missing = kinds == CheckKind.FIT, kinds == CheckKind.MISSING
        unseen = kinds == CheckKind.UNSEEN
        spread = kinds == CheckKind.SPREAD
        return cls(
            linear=~(fit | missing | unseen),
            spread=spread,
            pairs=kinds == CheckKind.CORRELATION,
            fit=fit,
            missing=missing,
            unseen=unseen,
        )


def p_values(kinds: Kinds, observed: Observed, norm: Norm) -> Floats:
    """Give the p-value of each check (across) in each window (down); 1 where there is no figure."""
    shape = observed.value.shape
    inflation, freedom, centre, deviation = (
        np.broadcast_to(array, shape)
        for array in (norm.inflation, norm.freedom, norm.centre, norm.deviation)
    )
    found = np.ones(shape)
    growth = growth_of(norm, observed.rows)
    worth = 1 / (growth / np.maximum(observed.rows, 1.0) + variance_of_reference(norm))
    for mask, tail in ((kinds.linear, _mean), (kinds.fit, _fit)):
        found[:, mask] = tail(
            observed.value[:, mask],
            worth[:, mask],
            centre[:, mask],
            deviation[:, mask],
            freedom[:, mask],
        )
    found[:, kinds.spread] = np.maximum(
        found[:, kinds.spread],
        _wider(observed.value[:, kinds.spread], worth[:, kinds.spread]),
    )
    for mask, known, both in (
        (kinds.missing, observed.usual, True),
        (kinds.unseen, centre, False),
    ):
        found[:, mask] = _share(
            observed.value[:, mask],
            observed.rows[:, mask],
            known[:, mask],
            inflation[:, mask] if not both else np.maximum(growth, 1.0)[:, mask],
            norm.trained,
            both=both,
        )
    empty = ~np.isfinite(observed.value) | (observed.rows <= 0)
    return np.clip(np.where(empty, 1.0, found), SMALLEST, 1.0)


def growth_of(norm: Norm, rows: Floats) -> Floats:
    """Give the variance of figures of so many rows over that of independent ones.

    The design effect is that of the norm's windows, and no smaller a part of the variance in larger
    ones: what neighbours share does not average out.
    """
    return np.asarray(1 + (norm.inflation - 1) * rows / norm.rows)


def variance_of_reference(norm: Norm) -> Floats:
    """Give the variance of the reference's own figures: it is a mean of so many windows."""
    return np.asarray(norm.inflation / (norm.rows * norm.windows))


def _mean(value: Floats, rows: Floats, _: Floats, deviation: Floats, freedom: Floats) -> Floats:
    """Two-sided tail of a mean whose variance was estimated: Student's t."""
    with np.errstate(invalid="ignore"):
        t = np.abs(value) * np.sqrt(rows) / deviation
    return np.asarray(2 * stats.t.sf(t, freedom))


def _wider(value: Floats, rows: Floats) -> Floats:
    """Two-sided tail of a spread above what is usual: a variance of few rows is a chi-square.

    Few, where neighbours are alike: then its upper tail is far heavier than the normal one.
    """
    ratio = np.maximum(1 + np.sqrt(2) * np.nan_to_num(value), 0.0)
    return np.asarray(
        np.where(value > 0, 2 * stats.chi2.sf(rows * ratio, np.maximum(rows, 1.0)), 0.0)
    )


def _fit(value: Floats, rows: Floats, centre: Floats, deviation: Floats, freedom: Floats) -> Floats:
    """Upper tail of a chi-square by its logarithm, which errs towards no alarm."""
    with np.errstate(invalid="ignore"):
        t = (np.log(np.maximum(value * rows, 1e-6)) - centre) / deviation
    return np.asarray(stats.t.sf(t, freedom))


def _share(
    count: Floats, rows: Floats, usual: Floats, inflation: Floats, trained: int, *, both: bool
) -> Floats:
    """Tail of a number of rows beside that of the reference, given the sum of both.

    The conditional test of two rates (Przyborowski and Wilenski, "Homogeneity of results in
    testing samples from Poisson series", 1940); rows that go together count as one.
    """
    swapped = usual > 0.5  # the rarer of the two has the better approximation
    rarer = np.where(swapped, rows - count, count) / inflation
    there = np.where(swapped, 1 - usual, usual) * trained / inflation
    part = rows / np.maximum(rows + trained, 1.0)
    with np.errstate(invalid="ignore"):
        more = np.where(rarer > 0, special.betainc(np.maximum(rarer, 1e-9), there + 1, part), 1.0)
        fewer = 1 - special.betainc(rarer + 1, np.maximum(there, 1e-9), part)
    if not both:
        return np.asarray(more)
    fewer = np.where(there > 0, fewer, 1.0)
    return np.asarray(np.minimum(1.0, 2 * np.minimum(more, fewer)))


def standard_scores(kinds: Kinds, observed: Observed, found: Floats) -> Floats:
    """Turn p-values into standard normal scores; positive is more, or worse."""
    z = stats.norm.isf(np.clip(found, SMALLEST, 1 - 1e-12))
    two_sided = kinds.linear | kinds.missing
    signs = np.sign(observed.value)
    excess = observed.value - observed.usual * observed.rows
    signs[:, kinds.missing] = np.sign(excess[:, kinds.missing])
    halved = np.nan_to_num(signs * stats.norm.isf(np.clip(found / 2, SMALLEST, 0.5)))
    return np.asarray(np.clip(np.where(two_sided, halved, z), -_FARTHEST, _FARTHEST))
