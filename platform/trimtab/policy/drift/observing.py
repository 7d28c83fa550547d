"""What windows show in each check: one figure and the rows that it rests on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from trimtab.policy.summaries import Counts, Floats
from trimtab.records.checks import Check, CheckKind

from .figures import Figures, Scoring, figures


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Observed:
    """Windows (down) in checks (across); NaN where a window lacks what a check asks for."""

    value: Floats
    """A mean in standard deviations, a misfit, or a number of rows: as the kind of check says."""
    rows: Floats
    """Rows that the value rests on."""
    usual: Floats
    """The share of missing values that is expected; 0 for other checks."""
    carried: Floats
    """What each window adds to the variance that the check has from row to row."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Counted:
    """Windows as they were counted."""

    columns: Mapping[str, Counts | Floats]
    """Of each column the rows in each bin (windows by bins)."""
    unseen: Mapping[str, Floats]
    """Of each column the rows with a value that the reference lacks."""
    mixes: Floats
    """The share of each season in each window (windows by seasons)."""
    products: Floats
    """Sums of the products of two columns' scores (windows by pairs)."""
    squares: Floats
    """Sums of their squares; only asked for where windows tell how checks vary."""
    rows: Floats


def observe(checks: Sequence[Check], scorings: Mapping[str, Scoring], counted: Counted) -> Observed:
    """Work out every check of every window; a column that was not counted gives NaN."""
    shape = (len(counted.rows), len(checks))
    value, rows, usual = np.full(shape, np.nan), np.zeros(shape), np.zeros(shape)
    carried = np.ones(shape)
    shown = {
        name: figures(scorings[name], counts, counted.mixes)
        for name, counts in counted.columns.items()
    }
    pair = 0
    for at, check in enumerate(checks):
        if check.kind is CheckKind.CORRELATION:
            if check.column in shown and check.other in shown:
                value[:, at] = counted.products[:, pair] / np.maximum(counted.rows, 1.0)
                rows[:, at] = counted.rows
                carried[:, at] = counted.squares[:, pair]
            pair += 1
        elif check.column in shown:
            of = shown[check.column]
            value[:, at], rows[:, at] = _one(check, scorings[check.column], of, counted.unseen)
            if check.kind is CheckKind.MISSING:
                usual[:, at] = of.usual
            if check.kind in scorings[check.column].linear:
                scores = scorings[check.column].scores[
                    scorings[check.column].linear.index(check.kind)
                ]
                carried[:, at] = counted.columns[check.column][:, :-1] @ scores**2
    return Observed(value=value, rows=rows, usual=usual, carried=carried)


def _one(
    check: Check, scoring: Scoring, of: Figures, unseen: Mapping[str, Floats]
) -> tuple[Floats, Floats]:
    match check.kind:
        case CheckKind.FIT:
            return of.misfit, of.present
        case CheckKind.MISSING:
            return of.missing, of.rows
        case CheckKind.UNSEEN:
            return unseen[check.column], of.present
        case _:
            return of.means[:, scoring.linear.index(check.kind)], of.present
