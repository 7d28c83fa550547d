"""Calibration: how much windows differ although nothing changed, and what is beyond that."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy import special, stats

from trimtab.policy.summaries import Floats
from trimtab.records.checks import Calibration, Check, CheckKind
from trimtab.records.reference import REGIONS

from .freedom import KNOWN, freedom_of, near, others
from .observing import Observed
from .p_values import Kinds, Norm, p_values, standard_scores

_BELIEVED = 3.0  # exceedances of the tail believed in, added to those that were seen
_LIGHTER = 0.75  # how much of a heavy tail is left in windows of twice the rows
_MOST_BELIEVED = 2.0  # times the windows: beyond that the tails are not known as well
_CAREFUL = 24  # so many windows leave the limit itself half unknown
_LONGEST = 0.95
_POOLED = 10.0  # windows that the autocorrelation of all checks counts for, in that of one


def calibrate(
    checks: Sequence[Check],
    observed: Observed,
    *,
    rows: int,
    trained: int,
    rate: float,
    shorter: Calibration | None = None,
) -> Calibration:
    """Calibrate the checks on windows of about `rows` rows, out of `trained` rows.

    Variances are moderated: each is drawn towards that of its kind, as far as those agree (Smyth,
    "Linear models and empirical Bayes methods", 2004), so that a dozen windows are enough where
    rows are independent. The limit is set by the windows themselves: each is judged by those that
    are not near it, and where more of them look unusual than should, the tail is taken to be
    heavier (by the mean excess of -log p, an exponential tail there: Hill, 1975). `shorter`
    windows, of which there are more, tell what tail to believe in before the few of this size are
    seen.
    """
    windows = len(observed.value)
    kinds = Kinds.of(checks)
    prior, belief = _priors(checks, _ratios(kinds, observed), windows)
    norm = _norm(kinds, observed, prior, belief, rows, trained, left_out=False)
    left_out = _norm(kinds, observed, prior, belief, rows, trained, left_out=True)
    found = p_values(kinds, _apart(kinds, observed), left_out)
    tail, limit = _limits(checks, found, rate * windows / (windows + _CAREFUL), shorter)
    return Calibration(
        rows=rows,
        windows=windows,
        freedom=_kept(norm.freedom),
        inflation=_kept(norm.inflation),
        centre=_kept(norm.centre),
        deviation=_kept(norm.deviation),
        tail=_kept(tail),
        limit=_kept(limit),
    )


def _limits(
    checks: Sequence[Check], found: Floats, rate: float, shorter: Calibration | None
) -> tuple[Floats, Floats]:
    """Find the tail and the limit of each kind of check from the p-values that windows had.

    Each kind, and the regions apart, keeps to its own part of the rate: pairs that are seldom tied
    have tails that would cost all others their power.
    """
    weights = np.array([check.weight for check in checks])
    believed = 1 + _LIGHTER * (np.array(shorter.tail) - 1) if shorter else np.ones(len(checks))
    tail, limit = np.ones(len(checks)), np.ones(len(checks))
    families = [(check.kind, check.column == REGIONS) for check in checks]
    for family in set(families):
        own = np.array([of == family for of in families])
        share = float(weights[own].sum())
        worst = (found[:, own] * share / weights[own]).min(axis=1)
        tail[own], farthest = _tail(worst, rate * share, float(believed[own][0]))
        limit[own] = farthest / share
    return tail, limit


def norm_of(calibration: Calibration, trained: int) -> Norm:
    """Give the norm of a calibration, for the p-values of live windows."""
    return Norm(
        rows=calibration.rows,
        windows=calibration.windows,
        freedom=np.array(calibration.freedom),
        inflation=np.array(calibration.inflation),
        centre=np.array(calibration.centre),
        deviation=np.array(calibration.deviation),
        trained=trained,
    )


def with_memory(
    checks: Sequence[Check], observed: Observed, calibration: Calibration, trained: int
) -> tuple[Check, ...]:
    """Measure how far each window resembles the one before it; `observed` are in their order."""
    kinds = Kinds.of(checks)
    found = p_values(kinds, observed, norm_of(calibration, trained))
    scores = standard_scores(kinds, observed, found)
    scores = scores - scores.mean(axis=0)
    squares = np.maximum((scores**2).sum(axis=0), 1e-9)
    raw = np.maximum(0.0, (scores[1:] * scores[:-1]).sum(axis=0) / squares)
    pooled = float(raw.mean())
    memory = (len(scores) * raw + _POOLED * pooled) / (len(scores) + _POOLED)
    return tuple(
        replace(check, memory=round(float(m), 4))
        for check, m in zip(checks, np.minimum(memory, _LONGEST), strict=True)
    )


def _apart(kinds: Kinds, observed: Observed) -> Observed:
    """Take means from the average of the windows that are not near."""
    value = observed.value.copy()
    linear = np.nan_to_num(value[:, kinds.linear])
    value[:, kinds.linear] += near(linear) / others(np.ones((len(value), 1)), left_out=True)
    return replace(observed, value=value)


def _ratios(kinds: Kinds, observed: Observed) -> Floats:
    """Give each figure's square over its variance in independent rows; 1 is what is expected."""
    ratios = np.ones_like(observed.value)
    rows, value = observed.rows, np.nan_to_num(observed.value)
    ratios[:, kinds.linear] = (value**2 * rows)[:, kinds.linear]
    ratios[:, kinds.fit] = (value * rows)[:, kinds.fit]
    due = observed.usual * rows
    spread = np.maximum(due * (1 - observed.usual), 1e-9)
    shares = np.where(due > 0, (value - due) ** 2 / spread, 1.0)
    ratios[:, kinds.missing] = shares[:, kinds.missing]
    return ratios


def _priors(checks: Sequence[Check], ratios: Floats, windows: int) -> tuple[Floats, Floats]:
    """Find for each check the variance that its kind has, and the windows that this counts for."""
    prior, belief = np.ones(len(checks)), np.zeros(len(checks))
    means = ratios.sum(axis=0) / (windows - 1)
    for kind in CheckKind:
        of_kind = np.array([check.kind is kind for check in checks])
        if of_kind.sum() > 1 and kind not in (CheckKind.FIT, CheckKind.UNSEEN):
            prior[of_kind], belief[of_kind] = _moderation(means[of_kind], windows - 1)
    return prior, np.minimum(belief, _MOST_BELIEVED * windows)


def _moderation(variances: Floats, freedom: int) -> tuple[float, float]:
    """Estimate a scaled inverse chi-square prior by the moments of the logarithms."""
    logs = np.log(np.maximum(variances, 1e-6))
    spare = np.var(logs, ddof=1) - special.polygamma(1, freedom / 2)
    centred = logs - special.digamma(freedom / 2) + np.log(freedom / 2)
    if spare <= 1e-3:
        return float(np.exp(centred.mean())), KNOWN
    belief = 2 * _inverse_trigamma(float(spare))
    level = centred.mean() + special.digamma(belief / 2) - np.log(belief / 2)
    return float(np.exp(level)), belief


def _inverse_trigamma(value: float) -> float:
    """Solve trigamma(x) = value by Newton's method."""
    x = 0.5 + 1 / value
    for _ in range(50):
        known = float(special.polygamma(1, x))
        step = known * (1 - known / value) / float(special.polygamma(2, x))
        x += step
        if abs(step) < 1e-8 * x:
            break
    return x


def _norm(
    kinds: Kinds,
    observed: Observed,
    prior: Floats,
    belief: Floats,
    rows: int,
    trained: int,
    *,
    left_out: bool,
) -> Norm:
    """Estimate what is usual from all windows, or for each of them from the others."""
    ratios = _ratios(kinds, observed)
    windows = others(np.ones((len(ratios), 1)), left_out=left_out)
    freedom = np.minimum(belief + windows - 1, KNOWN)
    freedom = np.where(kinds.pairs, windows - 1, freedom)
    inflation = (belief * prior + others(ratios, left_out=left_out)) / (belief + windows - 1)
    inflation = np.maximum(inflation, 1.0)
    unsure = freedom / stats.chi2.ppf(0.2, freedom)  # shares have no t distribution to say it
    most = freedom_of(kinds, observed, ratios, inflation, rows, left_out=left_out)
    freedom = np.minimum(freedom, most)
    inflation = np.where(kinds.missing, np.maximum(inflation * unsure, 1.0), inflation)
    centre, deviation = np.zeros_like(inflation), np.ones_like(inflation)
    if kinds.fit.any():
        centre[..., kinds.fit], deviation[..., kinds.fit] = _fits(
            kinds, observed, inflation, left_out=left_out
        )
        freedom = np.where(kinds.fit, windows - 1, freedom)
    if kinds.unseen.any():
        centre[..., kinds.unseen], clumps = _unseen(kinds, observed, trained, left_out=left_out)
        inflation[..., kinds.unseen] = clumps
    return Norm(
        rows=rows,
        windows=len(ratios) - left_out,
        freedom=np.broadcast_to(freedom, inflation.shape),
        inflation=inflation,
        centre=centre,
        deviation=deviation,
        trained=trained,
    )


def _fits(
    kinds: Kinds, observed: Observed, inflation: Floats, *, left_out: bool
) -> tuple[Floats, Floats]:
    logs = np.log(
        np.maximum((observed.value * observed.rows)[:, kinds.fit], 1e-6) / inflation[..., kinds.fit]
    )
    logs = np.nan_to_num(logs)
    total, squares = (others(array, left_out=left_out) for array in (logs, logs**2))
    count = others(np.ones((len(logs), 1)), left_out=left_out)
    centre = total / count
    deviation = np.sqrt(np.maximum(squares / count - centre**2, 0.0) * count / (count - 1))
    return centre, np.maximum(deviation, 0.1)


def _unseen(
    kinds: Kinds, observed: Observed, trained: int, *, left_out: bool
) -> tuple[Floats, Floats]:
    """Estimate how often a value is new, and how many rows bring the same new one.

    The rows of values that one window has alone estimate it (Good, "The population frequencies of
    species and the estimation of population parameters", 1953).
    """
    alone = np.nan_to_num(observed.value[:, kinds.unseen])
    clumps = np.maximum(1.0, (alone**2).sum(axis=0) / np.maximum(alone.sum(axis=0), 1e-9))
    known = others(alone, left_out=left_out)
    return (known + clumps) / trained, clumps


def _tail(worst: Floats, rate: float, believed: float) -> tuple[float, float]:
    """Find how heavy the tail of the smallest p-values is, and the limit that keeps to a rate."""
    far = np.sort(-np.log(worst))[::-1]
    count = len(far)
    beyond = max(4, count // 10)
    start = float(far[min(beyond, count - 1)])
    excess = float((far[:beyond] - start).sum())
    tail = max(1.0, (excess + _BELIEVED * believed) / (beyond + _BELIEVED))
    reached = (beyond + 1) / (count + 1)
    at = start + tail * np.log(reached / rate) if rate < reached else _quantile(far, rate)
    return tail, float(np.exp(-max(at, -np.log(rate))))


def _quantile(far: Floats, rate: float) -> float:
    return float(far[max(0, int(np.floor((len(far) + 1) * rate)) - 1)])


def _kept(array: Floats) -> tuple[float, ...]:
    return tuple(float(f"{value:.6g}") for value in array)
