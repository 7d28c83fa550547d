"""Scores of a column's bins: figures whose mean over a window tells how the column has moved."""

import numpy as np
from scipy import stats

from trimtab.policy.summaries import Floats

DEGREES = 2
"""Location and spread; the shape beyond these is left to the fit of the whole distribution."""
_SMALLEST = 1e-6  # of a polynomial that the lower ones explain


def polynomials(masses: Floats, degrees: int = DEGREES) -> Floats:
    """Give orthonormal polynomials of the normal score: one row a degree, one column a bin.

    Over rows with these masses each has mean 0 and variance 1, and no two are correlated, so the
    mean of each over n independent rows is about normal with variance 1/n. The first moves with
    the location, the second with the spread: the components of Neyman's smooth test (Neyman,
    "Smooth test for goodness of fit", 1937; Rayner and Best, "Smooth Tests of Goodness of Fit",
    1989), on the normal quantiles of the ranks (van der Waerden 1952, Klotz 1962) rather than on
    values, so that one giant does not outweigh all rows.
    """
    shares = masses / max(1.0, float(masses.sum()))
    middles = np.clip(np.cumsum(shares) - shares / 2, 2e-3, 1 - 2e-3)
    ranks = stats.norm.ppf(middles)
    most = min(degrees, int(np.count_nonzero(shares)) - 1)
    if most < 1:
        return np.empty((0, len(masses)))
    powers = np.vander(ranks, most + 1, increasing=True)
    _, triangle = np.linalg.qr(powers * np.sqrt(shares)[:, None])
    usable = int(np.argmin([*(np.abs(np.diag(triangle)) > _SMALLEST), False]))
    scores = np.linalg.solve(triangle[:usable, :usable].T, powers[:, :usable].T)
    signs = np.sign(np.diag(triangle)[:usable])
    return np.asarray((scores * signs[:, None])[1:])


def ranks(masses: Floats) -> Floats:
    """Score bins by their mean rank, standardised: one row, or none for a column of one value.

    Products of two such scores are bounded, so that their mean over a window has a light tail;
    it is Spearman's rank correlation.
    """
    shares = masses / max(1.0, float(masses.sum()))
    centred = np.cumsum(shares) - shares / 2 - 0.5
    spread = float(np.sqrt(shares @ centred**2))
    return np.asarray(centred / spread)[None, :] if spread > _SMALLEST else np.empty((0, 0))


def coded(masses: Floats, means: Floats) -> Floats:
    """Score categories by the mean output of their rows, standardised: one row, or none.

    A shift towards categories that the model answers otherwise is seen in one figure, whatever
    their number (target encoding, as Micci-Barreca described it in 2001). `means` are NaN for
    categories without rows, and score as the average does.
    """
    shares = masses / max(1.0, float(masses.sum()))
    known = np.where(np.isfinite(means), means, 0.0)
    centred = np.where(np.isfinite(means), known - shares @ known, 0.0)
    spread = float(np.sqrt(shares @ centred**2))
    if spread < _SMALLEST:
        return np.empty((0, len(masses)))
    return np.asarray(centred / spread)[None, :]
