"""Which checks a version is given, and their calibration on its training rows."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import combinations

import numpy as np

from trimtab.policy.summaries import Floats
from trimtab.records.checks import Calibration, Check, CheckKind
from trimtab.records.reference import OUTPUTS, REGIONS, ColumnSummary

from .calibrating import calibrate, with_memory
from .figures import Scoring, scoring_of
from .observing import observe
from .stretches import Trained, by_rows, by_time, counted
from .weights import weighted

_MOST_TOGETHER = 25
"""Columns whose correlations are checked: the most important ones, and the output."""
_RAREST = 3.0
"""Scores further out are those of rare rows: of a column that has one value in nine of ten rows.
Rare rows come in clumps, and among so many pairs some clump is new in every window."""
AT_ONCE = 0.8
"""The part of the budget that one window alone may spend; the rest is for evidence over many."""


def together(columns: Sequence[ColumnSummary], importance: Mapping[str, float]) -> list[str]:
    """Choose the columns whose correlations are checked; they are those with a location score."""
    scored = [column.name for column in columns if _is_mixed(scoring_of(column).rank)]
    by_weight = sorted(scored, key=lambda name: (name not in OUTPUTS, -importance.get(name, 0.0)))
    chosen = set(by_weight[:_MOST_TOGETHER])
    return [name for name in scored if name in chosen]


def _is_mixed(rank: Floats) -> bool:
    return rank.size > 0 and float(np.abs(rank).max()) <= _RAREST


def ask(
    trained: Trained,
    seconds: Floats | None,
    importance: Mapping[str, float],
    *,
    window: timedelta,
    rate: float,
    min_rows: int,
) -> tuple[tuple[Check, ...], tuple[Calibration, ...]]:
    """Choose, weigh and calibrate the checks; the calibrations are for rising numbers of rows.

    `seconds` are the times of the rows, which are in their order; without them windows of a
    number of rows stand for those of a length of time.
    """
    scorings = {column.summary.name: scoring_of(column.summary) for column in trained.columns}
    checks = weighted([*_single(trained, scorings), *_pairs(trained)], importance)
    cuts = list(by_rows(trained.rows, min_rows))
    usual = by_time(seconds, window, min_rows) if seconds is not None else None
    if usual is not None:
        cuts = [cut for cut in cuts if cut[0] < usual[0]] + [usual]
    found: list[Calibration] = []
    for rows, blocks in cuts:
        observed = observe(checks, scorings, counted(trained, blocks, checks))
        found.append(
            calibrate(
                checks,
                observed,
                rows=rows,
                trained=trained.rows,
                rate=AT_ONCE * rate,
                shorter=found[-1] if found else None,
            )
        )
    checks = with_memory(checks, observed, found[-1], trained.rows)
    return checks, tuple(found)


def _single(trained: Trained, scorings: Mapping[str, Scoring]) -> list[Check]:
    found = []
    for column in trained.columns:
        if column.is_calendar:
            continue
        scoring = scorings[column.summary.name]
        kinds = [*scoring.linear, *([CheckKind.FIT] if scoring.has_fit else [])]
        if column.summary.name == REGIONS:
            found += [Check(column=REGIONS, kind=kind) for kind in kinds]
            continue
        if not column.summary.is_numeric or not kinds:
            kinds.append(CheckKind.UNSEEN)  # numbers out of range move the location and the spread
        for kind in (*kinds, CheckKind.MISSING):
            found.append(Check(column=column.summary.name, kind=kind))
    return found


def _pairs(trained: Trained) -> list[Check]:
    found = []
    for left, right in combinations(trained.scores, 2):
        product = trained.scores[left] * trained.scores[right]
        scale = float(product.std())
        if scale > 0:
            found.append(
                Check(
                    column=left,
                    other=right,
                    kind=CheckKind.CORRELATION,
                    expected=float(np.mean(product)),
                    scale=scale,
                )
            )
    return found
