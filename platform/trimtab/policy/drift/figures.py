"""The figures of one column in one or many windows, all of them from counts alone."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trimtab.policy.summaries import Counts, Floats, reference_counts
from trimtab.records.checks import CheckKind
from trimtab.records.reference import REGIONS, ColumnSummary

from .scoring import coded, polynomials, ranks

_LINEAR = (CheckKind.LOCATION, CheckKind.SPREAD)
_GROUPS = 12
"""Groups of bins, at most, between which the whole distribution is compared."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scoring:
    """How the bins of one column are turned into figures; all of it follows from its summary."""

    scores: Floats
    """Orthonormal scores (linear checks by bins, the bin of missing values left out)."""
    rank: Floats
    """The score of each bin in a correlation, that of missing values last: 0, which is nothing."""
    groups: Floats
    """Which bins form a group (bins by groups, ones and zeros)."""
    expected: Floats
    """Shares of all bins, that of missing values last, in each season (seasons by bins); one row
    where the column follows none."""

    @property
    def linear(self) -> tuple[CheckKind, ...]:
        """The checks that are means of scores."""
        return _LINEAR[: len(self.scores)]

    @property
    def has_fit(self) -> bool:
        """Tell whether there are two groups to compare at least."""
        return len(self.groups.T) > 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Figures:
    """One column in windows; every array has one entry, or one row, a window."""

    present: Floats
    """Rows with a value."""
    rows: Floats
    means: Floats
    """Mean score beyond what is expected (windows by linear checks), in standard deviations."""
    misfit: Floats
    """Pearson's chi-square of the groups over its degrees of freedom and its rows."""
    missing: Floats
    """Rows without a value."""
    usual: Floats
    """The share of rows without a value that is expected, 0 to 1."""


def scoring_of(summary: ColumnSummary) -> Scoring:
    """Derive the scores, groups and expected shares of a column from its summary."""
    counts = reference_counts(summary).astype(float)
    masses = counts[:-1]
    if summary.is_numeric or np.count_nonzero(masses) <= 2:
        scores, rank = polynomials(masses), ranks(masses)
    else:
        means = np.array([np.nan if m is None else m for m in summary.output_means], dtype=float)
        scores = coded(masses, means) if len(means) else np.empty((0, len(masses)))
        rank = scores
    by_season = np.array(summary.by_season or (counts,), dtype=float)
    totals = by_season.sum(axis=1, keepdims=True)
    overall = counts / max(1.0, counts.sum())
    expected = np.where(totals > 0, by_season / np.maximum(totals, 1.0), overall)
    return Scoring(
        scores=scores,
        rank=np.append(rank[0], 0.0) if len(rank) else np.empty(0),
        groups=_groups(masses, ordered=summary.is_numeric, own=summary.name == REGIONS),
        expected=expected,
    )


def figures(scoring: Scoring, counts: Counts | Floats, mixes: Floats) -> Figures:
    """Compute the figures of windows.

    `counts` are rows in each bin (windows by bins), `mixes` the share of each season in a window
    (windows by seasons), from which follows what is expected of it.
    """
    rows = counts.sum(axis=1).astype(float)
    present = rows - counts[:, -1]
    seasonal = len(scoring.expected) > 1
    expected = mixes @ scoring.expected if seasonal else scoring.expected
    here = counts[:, :-1] / np.maximum(present, 1.0)[:, None]
    usual = expected[:, -1]
    there = expected[:, :-1] / np.maximum(1 - usual, 1e-12)[:, None]
    moved = here - there
    moved[present == 0] = 0.0
    by_group = there @ scoring.groups
    with np.errstate(divide="ignore", invalid="ignore"):
        squares = np.where(by_group > 0, (moved @ scoring.groups) ** 2 / by_group, 0.0)
    return Figures(
        present=present,
        rows=rows,
        means=moved @ scoring.scores.T,
        misfit=squares.sum(axis=1) / max(1, scoring.groups.shape[1] - 1),
        missing=rows - present,
        usual=np.broadcast_to(usual, rows.shape),
    )


def _groups(masses: Floats, *, ordered: bool, own: bool) -> Floats:
    """Put neighbouring bins, or rare categories, together until each group has some weight."""
    if masses.sum() == 0:
        return np.ones((len(masses), 1))
    shares = masses / masses.sum()
    order = np.arange(len(masses)) if ordered else np.argsort(-shares, kind="stable")
    below = np.cumsum(shares[order]) - shares[order] / 2
    group = np.minimum((below * _GROUPS).astype(int), _GROUPS - 1)
    group = group[_nearest(shares > 0)]  # a bin without training rows goes with its neighbour
    if not ordered:  # the frequent ones keep their own
        group = np.minimum(np.arange(len(order)), len(order) if own else _GROUPS - 1)
    _, of = np.unique(group, return_inverse=True)
    table = np.zeros((len(masses), int(of.max()) + 1))
    table[order, of] = 1.0
    return table[:, shares @ table > 0] if not ordered else table


def _nearest(known: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Give for each bin the last one before it that is known, or the first that is."""
    first = int(np.argmax(known))
    return np.maximum(np.maximum.accumulate(np.where(known, np.arange(len(known)), 0)), first)
