"""Budgets at the gate: how long an answer may take, and how large a version may be."""

import numpy as np
from scipy import stats

from trimtab.records.amounts import format_seconds, format_size
from trimtab.records.gate import GateCheck

from .gate_words import percent
from .resampling import Floats


def latency_check(
    champion: Floats | None,
    challenger: Floats,
    *,
    most: float | None,
    most_slowdown: float | None,
    confidence: float,
) -> GateCheck:
    """Tell whether the usual time for an answer to one row is proven to be over its budget.

    Both give the seconds that each of the same rows took, at best of several tries. Judged is the
    median, which a machine that is busy with other things hardly moves; the slowdown is that of
    each row against the same row. The bounds are order statistics (Thompson 1936, "On confidence
    ranges for the median", Annals of Mathematical Statistics 7).
    """
    usual = float(np.median(challenger)) if len(challenger) else float("nan")
    before = float(np.median(champion)) if champion is not None and len(champion) else None
    why, limits = [], [] if most is None else [most]
    if not np.isfinite(usual):
        why.append("No row was answered one by one, so its latency is unknown.")
    elif most is not None and (least := median_floor(challenger, confidence)) > most:
        why.append(
            f"Too slow: it takes {format_seconds(usual)} for one row, with {percent(confidence)} "
            f"confidence {format_seconds(least)} at least, and gate.max_latency is "
            f"{format_seconds(most)}."
        )
    if champion is not None and before is not None and most_slowdown is not None:
        limits.append(before * most_slowdown)
        if (least := median_floor(challenger / champion, confidence)) > most_slowdown:
            why.append(
                f"Too slow: it takes {format_seconds(usual)} for one row, the champion "
                f"{format_seconds(before)}; with {percent(confidence)} confidence {least:.2g} "
                f"times as long at least, and gate.max_slowdown is {most_slowdown:g}."
            )
    return GateCheck(
        name="latency",
        passed=not why if limits else None,
        champion=before,
        challenger=usual if np.isfinite(usual) else None,
        limit=min(limits, default=None),
        unit="s",
        why="\n".join(why),
    )


def median_floor(values: Floats, confidence: float) -> float:
    """Bound a median from below; with too few values for that confidence, by nothing (0).

    >>> median_floor(np.arange(1.0, 41.0), 0.95)
    15.0
    """
    rank = int(stats.binom.ppf(1 - confidence, len(values), 0.5))
    return float(np.sort(values)[rank - 1]) if rank >= 1 else 0.0


def size_check(champion: int | None, challenger: int, *, most: int | None) -> GateCheck:
    """Tell whether a version's files, in bytes, are within their budget."""
    return GateCheck(
        name="size",
        passed=None if most is None else challenger <= most,
        champion=champion,
        challenger=challenger,
        limit=most,
        unit="bytes",
        why=""
        if most is None
        else f"Too large: {format_size(challenger)}, and gate.max_size is {format_size(most)}.",
    )
