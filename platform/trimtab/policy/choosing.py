"""Choosing among policies by the losses that each of them had on the same rows of the past."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from trimtab.records.replays import Preference, Rival

from .summaries import Floats

_RESAMPLES = 2000
_FEWEST = 4
"""Stretches of time, without which nothing is said of how sure a choice is."""


def prefer(
    losses: Mapping[str, Floats],
    rows: Floats,
    costs: Mapping[str, float],
    *,
    confidence: float,
    seed: int,
) -> Preference:
    """Take the policy with the lowest mean loss, the cheapest where several gave the same answers.

    `losses` are sums over stretches of time in their order, the same stretches for each policy,
    `rows` the rows in each. How sure the choice is comes from a circular block bootstrap of the
    paired differences: runs of neighbouring stretches are drawn, as bad weeks come together
    (Politis and Romano 1992, "A circular block-resampling procedure for stationary data"; runs as
    long as the cube root of how many stretches there are, after Kuensch 1989, Annals of Statistics
    17). Raises ValueError without policies or without rows.

    >>> found = prefer(
    ...     {"never": np.array([5.0, 6, 7, 8]), "monthly": np.array([4.0, 5, 6, 6])},
    ...     np.full(4, 10.0), {"never": 0.0, "monthly": 9.0}, confidence=0.95, seed=0,
    ... )
    >>> found.policy, found.rivals[0].name, round(found.rivals[0].gain, 3)
    ('monthly', 'never', 0.125)
    """
    if not losses or not rows.sum():
        raise ValueError("There is nothing to choose from.")
    order = sorted(losses, key=lambda name: (float(losses[name].sum()), costs[name]))
    best = order[0]
    alike = tuple(name for name in order[1:] if np.array_equal(losses[name], losses[best]))
    draws = _draws(len(rows), seed)
    rivals = tuple(
        _rival(name, losses[name] - losses[best], rows, draws, confidence)
        for name in order[1:]
        if name not in alike
    )
    cheaper = [
        rival.name
        for rival in rivals
        if costs[rival.name] < costs[best] and (rival.low is None or rival.low <= 0)
    ]
    return Preference(
        policy=best,
        alike=alike,
        confidence=confidence,
        rivals=rivals,
        cheaper=min(cheaper, key=lambda name: costs[name], default=None),
    )


def _rival(
    name: str, more: Floats, rows: Floats, draws: NDArray[np.int64] | None, confidence: float
) -> Rival:
    gain = float(more.sum() / rows.sum())
    if draws is None:
        return Rival(name=name, gain=gain, low=None, high=None, chance=None)
    drawn_rows = draws @ rows
    drawn = np.divide(draws @ more, drawn_rows, out=np.full(len(draws), gain), where=drawn_rows > 0)
    drawn = gain + (drawn - gain) * _correction(len(rows))
    low, high = np.quantile(drawn, [1 - confidence, confidence])
    chance = float((drawn > 0).mean() + (drawn == 0).mean() / 2)
    return Rival(name=name, gain=gain, low=float(low), high=float(high), chance=chance)


def _run(count: int) -> int:
    """Give how many neighbouring stretches are drawn together."""
    return max(1, round(float(np.cbrt(count))))


def _correction(count: int) -> float:
    """Few runs show too little spread; this is the usual correction of a variance."""
    runs = count / _run(count)
    return float(np.sqrt(runs / (runs - 1)))


def _draws(count: int, seed: int) -> NDArray[np.int64] | None:
    """Give how often each stretch is in each resampled past; None where there are too few."""
    run = _run(count)
    if count < _FEWEST:
        return None
    starts = np.random.default_rng(seed).integers(count, size=(_RESAMPLES, -(-count // run)))
    chosen = (starts[:, :, None] + np.arange(run)) % count
    chosen = chosen.reshape(_RESAMPLES, -1)[:, :count]
    cells = np.arange(_RESAMPLES)[:, None] * count + chosen
    table = np.bincount(cells.ravel(), minlength=_RESAMPLES * count)
    return np.asarray(table.reshape(_RESAMPLES, count))
