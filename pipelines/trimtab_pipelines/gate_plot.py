"""The gate's picture: gains with their bounds, everywhere and by slice, and the gain over time."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from trimtab.policy.gate_words import percent
from trimtab.records.gate import Comparison, GateResult

from .judging import Match

_MOST_SLICES = 30
"""Of those that stand out most; more could not be read."""
_MOST_POINTS = 2000
_GOOD, _BAD, _OPEN = "#2a7f4f", "#b3372f", "#5b6470"


def draw(file: Path, result: GateResult, match: Match) -> None:
    """Draw it as a PNG file."""
    parts = _shown(result)
    figure = Figure(figsize=(9, 3.4 + 0.26 * len(parts)), dpi=100, layout="constrained")
    gains, time = figure.subplots(2, 1, height_ratios=[1 + 0.26 * len(parts), 2.2])
    _gains(gains, parts, result)
    _over_time(time, result, match)
    answer = "passed" if result.passed else "rejected"
    figure.suptitle(f"Gate: {answer}. Gain in {result.metric}: champion less challenger")
    figure.savefig(file)


def _shown(result: GateResult) -> list[Comparison]:
    """Give all rows first, then the slices, the worst last."""
    slices = sorted(result.slices, key=lambda part: part.gain)
    hidden = len(slices) - _MOST_SLICES
    if hidden > 0:  # the best and the worst say most
        slices = [*slices[: _MOST_SLICES // 2], *slices[-_MOST_SLICES // 2 :]]
    return [result.overall, *slices[::-1]]


def _gains(axes: Axes, parts: list[Comparison], result: GateResult) -> None:
    asked = result.asked.confidence if result.asked else result.confidence
    for at, part in enumerate(parts):
        limit = part.margin if at == 0 else -part.margin
        is_good, is_bad = (part.low > limit, part.is_worse or (at == 0 and part.low <= limit))
        colour = _BAD if is_bad else _GOOD if is_good else _OPEN
        axes.plot([part.low, part.high], [at, at], color=colour, linewidth=2)
        axes.plot([part.gain], [at], color=colour, marker="o", markersize=5)
        axes.plot([limit, limit], [at - 0.35, at + 0.35], color="black", linewidth=1)
    axes.axvline(0, color="grey", linewidth=0.8)
    axes.set_yticks(range(len(parts)), [_label(part) for part in parts], fontsize=8)
    axes.set_ylim(len(parts) - 0.4, -0.6)
    words = percent(asked)
    if len(parts) > 1:
        words = f"{words} on all rows, {percent(result.confidence)} on slices"
    axes.set_xlabel(
        f"gain; bounds at {words}; a black line is what is asked or allowed", fontsize=8
    )


def _label(part: Comparison) -> str:
    name = part.name.replace("$", r"\$")
    return f"{name[:40]} ({part.rows:,})"


def _over_time(axes: Axes, result: GateResult, match: Match) -> None:
    gains = match.champion.losses - match.challenger.losses
    known = np.isfinite(gains)
    if not known.any():
        return
    total = np.cumsum(gains[known]) / known.sum()
    step = max(1, len(total) // _MOST_POINTS)
    places = match.places[known]
    if match.settings.time is None:
        where: list[object] = list(places)
        axes.set_xlabel("row", fontsize=8)
    else:
        where = [datetime.fromtimestamp(place, UTC) for place in places]
    axes.plot(where[::step], total[::step], color=_OPEN, linewidth=1.5)  # type: ignore[arg-type] # times, too
    axes.axhline(0, color="grey", linewidth=0.8)
    axes.axhline(result.overall.margin, color="black", linewidth=1)
    axes.set_ylabel("gain, added up", fontsize=8)
    axes.tick_params(labelsize=8)
