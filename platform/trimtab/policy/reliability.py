"""Calibration at the gate: how far two models' probabilities are from what happens, compared."""

import numpy as np

from trimtab.records.gate import GateCheck

from .gate_words import percent
from .resampling import Floats, spread_of_mean

_BINS = 10


def row_errors(said: Floats, happened: Floats) -> Floats:
    """Give each row's part in the expected calibration error, which is their mean.

    Rows are put into ten bins of equal numbers by what was said; a bin is off by the difference
    of the mean of what was said and the share of what happened (Naeini, Cooper and Hauskrecht
    2015, "Obtaining well calibrated probabilities using Bayesian binning", AAAI; equal numbers:
    Nixon et al. 2019, "Measuring calibration in deep learning"). A row's part is its own
    difference, with the sign of its bin: the first derivative, whose spread over blocks is that
    of the error. By chance alone a bin of few rows is a little off; both models are so alike, and
    it is their difference that is judged.
    """
    edges = np.unique(np.quantile(said, np.linspace(0, 1, _BINS + 1)[1:-1]))
    of = np.searchsorted(edges, said, side="left")
    off = np.bincount(of, weights=said - happened)
    return np.asarray(np.sign(off)[of] * (said - happened))


def calibration_check(
    champion: tuple[Floats, Floats],
    challenger: tuple[Floats, Floats],
    *,
    blocks: np.ndarray,
    margin: float,
    confidence: float,
    min_rows: int,
    seed: int,
) -> GateCheck:
    """Tell whether the challenger's probabilities are proven further off, by more than the margin.

    A side is what each row's answer was said to be worth, 0 to 1, and whether it happened (1 or
    0), of the same rows; rows with a NaN are left out.
    """
    known = np.isfinite(np.array([*champion, *challenger])).all(axis=0)
    if known.sum() < min_rows:
        return GateCheck(name="calibration", passed=None, unit="share", limit=margin)
    sides = [row_errors(said[known], happened[known]) for said, happened in (champion, challenger)]
    _, block = np.unique(blocks[known], return_inverse=True)
    sums = np.bincount(block, weights=sides[0] - sides[1]).astype(np.float64)
    spread = spread_of_mean(sums, np.bincount(block).astype(np.float64), seed)
    before, now = (float(side.mean()) for side in sides)
    best = -spread.bounds(confidence)[1] if spread else -1.0
    return GateCheck(
        name="calibration",
        passed=best <= margin,
        champion=before,
        challenger=now,
        limit=margin,
        unit="share",
        why=f"Worse calibrated: its probabilities are off by {now:.4f} on average, the champion's "
        f"by {before:.4f}; with {percent(confidence)} confidence the difference is at least "
        f"{best:.4f}, and {margin:g} is allowed (gate.calibration_margin).",
    )
