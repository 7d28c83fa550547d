"""All checks of one window: how far, how likely by chance, and which of them says most."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from trimtab.policy.summaries import Floats
from trimtab.records.checks import Check, CheckKind
from trimtab.records.evidence import Evidence
from trimtab.records.reference import TOGETHER, Reference
from trimtab.records.sums import WindowSums
from trimtab.records.verdicts import Finding

from .adding import pairs_of
from .asking import AT_ONCE
from .calibrating import norm_of
from .evidence import add_up, carried, kept, p_values_of
from .figures import Scoring, scoring_of
from .observing import Counted, Observed, observe
from .p_values import (
    Kinds,
    Norm,
    growth_of,
    p_values,
    standard_scores,
    variance_of_reference,
)

_NEGLIGIBLE = {
    CheckKind.LOCATION: 0.05,
    CheckKind.SPREAD: 0.05,
    CheckKind.CORRELATION: 0.05,
    CheckKind.FIT: 0.03,
    CheckKind.MISSING: 0.005,
    CheckKind.UNSEEN: 0.01,
}
"""Effects that are of no consequence, however sure they are: huge windows show the smallest."""
_NEGLIGIBLE_LASTING = 0.02  # standard deviations


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Measured:
    """All checks of one window; arrays have one entry a check."""

    checks: tuple[Check, ...]
    rows: Floats
    """Rows that each check rests on."""
    found: Floats
    """P-values of this window alone."""
    limits: Floats
    lasting: Floats
    """P-values of the evidence over all windows so far."""
    lasting_limits: Floats
    effects: Floats
    """In the unit of the kind of check; that of a fit comes with its column's distance."""
    usual: Mapping[str, float]
    """Of each column the share of missing values that is expected."""


def measure(
    reference: Reference, sums: WindowSums, before: Evidence, sensitivity: Mapping[str, float]
) -> tuple[Measured, Evidence]:
    """Work out every check of a window, and the evidence that it adds to."""
    checks = reference.checks
    scorings = {summary.name: scoring_of(summary) for summary in reference.summaries}
    counted = _as_counted(checks, sums)
    observed = observe(checks, scorings, counted)
    calibration = reference.calibration_at(sums.rows)
    kinds, norm = Kinds.of(checks), norm_of(calibration, reference.rows)
    found = p_values(kinds, observed, norm)
    clear = _without_the_negligible(kinds, observed)
    scores = standard_scores(kinds, clear, p_values(kinds, clear, norm))[0]
    shares = np.array([c.weight * _sensitivity(c, sensitivity) for c in checks])
    lasting_limits = (1 - AT_ONCE) * reference.false_alarms * shares
    carried_on = add_up(
        carried(before, checks),
        scores,
        checks,
        calibration,
        unsure=_unsure(norm, observed.rows[0]),
        limits=lasting_limits,
    )
    measured = Measured(
        checks=checks,
        rows=observed.rows[0],
        found=found[0],
        limits=np.array(calibration.limit) * shares,
        lasting=p_values_of(carried_on),
        lasting_limits=lasting_limits,
        effects=_effects(kinds, observed, checks),
        usual={n: _usual(s, counted.mixes) for n, s in scorings.items()},
    )
    return measured, kept(before.windows + 1, carried_on)


def _unsure(norm: Norm, rows: Floats) -> Floats:
    """Give the part of each figure's standard deviation that is the reference's, 0 to 1."""
    own, reference = growth_of(norm, rows) / np.maximum(rows, 1.0), variance_of_reference(norm)
    return np.asarray(np.sqrt(reference / (own + reference)))


def _usual(scoring: Scoring, mixes: Floats) -> float:
    seasonal = len(scoring.expected) > 1
    return float((mixes @ scoring.expected if seasonal else scoring.expected)[0, -1])


def _sensitivity(check: Check, known: Mapping[str, float]) -> float:
    names = (check.column, check.other, TOGETHER) if check.other else (check.column,)
    return min([1.0, *(known.get(name, 1.0) for name in names)])


def _as_counted(checks: tuple[Check, ...], sums: WindowSums) -> Counted:
    pairs = pairs_of(checks)
    expected = np.array([check.expected for check in pairs])
    scale = np.array([check.scale for check in pairs])
    products = (np.array(sums.products) - sums.rows * expected) / scale
    seasons = np.array([sums.seasons], dtype=float)
    return Counted(
        columns={name: np.array([column.counts]) for name, column in sums.columns.items()},
        unseen={name: np.array([float(c.unseen)]) for name, c in sums.columns.items()},
        mixes=seasons / max(1, sums.rows),
        products=products[None, :],
        squares=np.zeros((1, len(pairs))),
        rows=np.array([float(sums.rows)]),
    )


def _without_the_negligible(kinds: Kinds, observed: Observed) -> Observed:
    value = observed.value.copy()
    linear = value[:, kinds.linear]
    value[:, kinds.linear] = np.sign(linear) * np.maximum(0, np.abs(linear) - _NEGLIGIBLE_LASTING)
    return replace(observed, value=value)


def _effects(kinds: Kinds, observed: Observed, checks: tuple[Check, ...]) -> Floats:
    """Express what each check shows in its own unit; a fit by its distance, which comes later."""
    value, rows = observed.value[0], np.maximum(observed.rows[0], 1.0)
    effects = np.where(kinds.missing | kinds.unseen, value / rows - observed.usual[0], value)
    scale = np.array([c.scale if c.kind is CheckKind.CORRELATION else 1.0 for c in checks])
    return np.asarray(np.nan_to_num(effects * scale))


def clearest(
    finding: Finding, at: Sequence[int], measured: Measured, distance: float
) -> tuple[Finding, bool]:
    """Put the check that says most into a finding, and tell whether it is beyond its limit.

    A check with a negligible effect says less than any other, and is never beyond its limit.
    """
    best, ratio = None, -1.0
    for i in at:
        kind = measured.checks[i].kind
        effect = distance if kind is CheckKind.FIT else float(measured.effects[i])
        over = float(measured.limits[i] / measured.found[i])
        if abs(effect) < _NEGLIGIBLE[kind]:
            over = min(over, 1e-3)
        over = max(over, float(measured.lasting_limits[i] / measured.lasting[i]))
        if over > ratio:
            best, ratio = (i, effect), over
    if best is None:
        return finding, False
    i, effect = best
    shown = replace(
        finding,
        check=measured.checks[i].kind,
        effect=effect,
        p_value=float(measured.found[i]),
        limit=float(measured.limits[i]),
        lasting=float(measured.lasting[i]),
        lasting_limit=float(measured.lasting_limits[i]),
        exceeds=ratio,
    )
    return shown, ratio > 1
