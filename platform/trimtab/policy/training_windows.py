"""Which rows a training window holds, how much each counts, and which window is better."""

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
from scipy.stats import t as student

from trimtab.records.searches import SearchTrial
from trimtab.records.training_windows import TrainingWindow

_RECENT = 3
"""Without a length, a window of what is recent holds the newest third of the rows, ..."""
_HALVINGS = 4
"""... and weights halve so many times between the newest row and the oldest."""
_MOST_HALVINGS = 40
"""Still older rows count no less: a fit without the newest ones needs weights that are not 0."""
_CONFIDENCE = 0.95


def first_row(window: TrainingWindow, ages: np.ndarray) -> int:
    """Find the oldest row of a window; as many rows as there are where it holds none.

    `ages`, one a row and never rising, are seconds before the end of the window, or numbers of rows
    where there are no times.

    >>> first_row(TrainingWindow.parse("recent"), np.arange(9.0)[::-1])
    6
    """
    if window.kind != "recent":
        return 0
    if window.length is None:
        return len(ages) - -(-len(ages) // _RECENT)
    return int(np.count_nonzero(ages > window.length / timedelta(seconds=1)))


def weights(window: TrainingWindow, ages: np.ndarray) -> np.ndarray | None:
    """Give how much each row counts, 1 on average; None where all count the same.

    >>> weights(TrainingWindow.parse("weighted 1d"), np.array([86400.0, 0.0])).round(2).tolist()
    [0.67, 1.33]

    Exponential forgetting, as in Klinkenberg, "Learning drifting concepts: example selection vs.
    example weighting" (2004).
    """
    if window.kind != "weighted" or not len(ages):
        return None
    length = window.length
    half = length / timedelta(seconds=1) if length else float(ages[0] - ages[-1]) / _HALVINGS
    halvings = (ages - ages[-1]) / half if half > 0 else np.zeros(len(ages))
    found = np.exp2(-np.minimum(halvings, _MOST_HALVINGS))
    return np.asarray(found / found.mean())


def overall(blocks: Sequence[Sequence[float]], count: int) -> float:
    """Give the mean loss over blocks, the newest first; of `count` blocks the newest counts most.

    What will be asked next resembles the newest block most: they count 3, 2, 1.

    >>> overall([[1.0], [2.0]], 2)
    1.3333333333333333
    """
    counts = [count - place for place in range(len(blocks))]
    return float(np.average([np.mean(block) for block in blocks], weights=counts))


def is_clearly_better(trial: SearchTrial, than: SearchTrial, count: int) -> bool:
    """Tell whether a trial did better on the same pieces of time, beyond what chance explains.

    A paired test, one-sided, at 95 %, in which newer blocks count more. What is asked about fewer
    than two pieces proves nothing.
    """
    pairs = list(zip(trial.blocks, than.blocks, strict=False))
    gains = [np.subtract(before[: len(now)], now[: len(before)]) for now, before in pairs]
    if sum(map(len, gains)) < 2:
        return False
    counts = np.concatenate([np.full(len(g), count - n, float) for n, g in enumerate(gains)])
    values, shares = np.concatenate(gains), counts / counts.sum()
    mean = float(shares @ values)
    effective = 1 / float((shares**2).sum())
    spread = float(shares @ (values - mean) ** 2) * effective / (effective - 1)
    limit = float(student.ppf(_CONFIDENCE, effective - 1)) * np.sqrt(spread / effective)
    return bool(mean > limit)
