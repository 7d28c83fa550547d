"""Evidence over windows: what is too little in one of them adds up."""

from collections.abc import Sequence

import numpy as np
from scipy import stats

from trimtab.policy.summaries import Floats
from trimtab.records.checks import Calibration, Check, CheckKind
from trimtab.records.evidence import Evidence

SHIFTS = (0.5, 1.0, 2.0)
"""The lasting shifts that are looked for, in standard deviations of a window's figure."""
_SIGNED = np.array([sign * shift for shift in SHIFTS for sign in (1, -1)])
_WAYS = len(_SIGNED)
_ONE_SIDED = (CheckKind.FIT, CheckKind.UNSEEN)
_TOLD = 0.5
_SURE = 0.05  # how seldom the variance of windows is larger than it is taken to be
_UNSURE = 3.0  # standard errors of the reference; it has hundreds of figures


def add_up(
    before: Floats,
    scores: Floats,
    checks: Sequence[Check],
    calibration: Calibration,
    *,
    unsure: Floats,
    limits: Floats,
) -> Floats:
    """Carry the sums of one window to the next (checks by ways; `scores` one a check).

    Cumulative sums of log likelihood ratios against a shift up or down of each size (Page,
    "Continuous inspection schemes", 1954). Scores shrink where windows resemble the one before or
    tails are heavy, so that the ratio stays one; and by what the reference itself is unsure of,
    because that is the same in every window and would add up for ever: `unsure` is the part of each
    score's standard deviation that is the reference's. Sums go no higher than is
    enough for an alarm at the `limits` of the checks, and are halved by the first window after one
    that speaks against it: what is over must not go on alarming.
    """
    memory = np.array([check.memory for check in checks])
    stretch = (1 + memory) / (1 - memory)
    given = _UNSURE * unsure * np.sqrt(stretch)
    certain = np.sign(scores) * np.maximum(0.0, np.abs(scores) - given)
    freedom = np.array(calibration.freedom)
    at_most = freedom / stats.chi2.ppf(_SURE, freedom)  # the variance, with this confidence
    shrunk = certain / np.sqrt(stretch * np.array(calibration.tail) * at_most)
    ratios = shrunk[:, None] * _SIGNED - _SIGNED**2 / 2
    upwards_only = np.array([check.kind in _ONE_SIDED for check in checks])
    ratios[np.ix_(upwards_only, _SIGNED < 0)] = -np.inf
    enough = np.log(_WAYS / limits)[:, None]
    over = (before >= enough * (1 - 1e-3)) & (ratios < 0)
    return np.asarray(np.clip(np.where(over, before / 2, before) + ratios, 0.0, enough))


def p_values_of(sums: Floats) -> Floats:
    """Bound how likely so much evidence is in any one window, if nothing ever changed.

    A sum exceeds x with probability e^-x at most (Lundberg's inequality, for the maximum of a
    random walk that falls; Siegmund, "Sequential Analysis", 1985), and there are several.
    """
    return np.asarray(np.minimum(1.0, _WAYS * np.exp(-sums.max(axis=1)) * (1 - 1e-9)))


def carried(before: Evidence, checks: Sequence[Check]) -> Floats:
    """Give the sums of the windows before (checks by ways)."""
    sums = np.zeros((len(checks), _WAYS))
    for check, known in before.sums.items():
        if check < len(checks) and len(known) == _WAYS:
            sums[check] = known
    return sums


def kept(windows: int, sums: Floats) -> Evidence:
    """Make the record of sums; those near nothing are left out."""
    told = np.flatnonzero(sums.max(axis=1) >= _TOLD)
    return Evidence(
        windows=windows,
        sums={int(i): tuple(float(f"{value:.8g}") for value in sums[i]) for i in told},
    )
