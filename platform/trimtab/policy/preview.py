"""What a preview predicts: the losses of two cheap fits, compared row by row."""

import numpy as np

from trimtab.records.previews import Preview

from .resampling import bounds_of_mean

CONFIDENCE = 0.95


def predict_gain(
    before: np.ndarray,
    after: np.ndarray,
    *,
    blocks: np.ndarray,
    metric: str,
    fitted_before: int,
    fitted_after: int,
    seed: int,
) -> Preview | None:
    """Compare the losses of a fit without the newer rows with those of one with them.

    `blocks` numbers the stretches of time whose rows share their luck. Rows without a finite loss
    are left out; None where none is left.
    """
    known = np.isfinite(before) & np.isfinite(after)
    if not known.any():
        return None
    gains = before[known] - after[known]
    _, block = np.unique(blocks[known], return_inverse=True)
    sums = np.bincount(block, weights=gains).astype(np.float64)
    sizes = np.bincount(block).astype(np.float64)
    most = float(np.abs(gains).max())
    low, high = bounds_of_mean(sums, sizes, CONFIDENCE, seed) or (-most, most)
    return Preview(
        metric=metric,
        before=float(before[known].mean()),
        after=float(after[known].mean()),
        low=low,
        high=high,
        judged_on=int(known.sum()),
        fitted_before=fitted_before,
        fitted_after=fitted_after,
    )
