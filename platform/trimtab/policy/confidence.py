"""Expected losses from a model's own probabilities, once those are calibrated.

Confidence-based performance estimation (Bialek, Kuberski, Perrakis and Bifet, "Estimating Model
Performance Under Covariate Shift Without Labels", 2024; first in NannyML).
"""

from collections.abc import Sequence

import numpy as np

from trimtab.records.estimates import Curve

from .calibration import calibrated
from .losses import losses_by_class
from .summaries import Floats


def expected_losses(metric: str, curves: Sequence[Curve], probabilities: Floats) -> Floats:
    """Give each row's expected loss: over the classes, the loss it would be, by how likely.

    NaN where the probabilities are no numbers.
    """
    if len(probabilities) == 0:
        return np.empty(0)
    by_class = losses_by_class(metric, probabilities)
    return np.asarray((calibrated(curves, probabilities) * by_class).sum(axis=1))


def expected_confusion(curves: Sequence[Curve], probabilities: Floats) -> Floats:
    """Give the expected rows by true class (down) and most likely class (across)."""
    known = probabilities[np.isfinite(probabilities).all(axis=1)]
    classes = probabilities.shape[1]
    answered = np.eye(classes)[known.argmax(axis=1)] if len(known) else np.empty((0, classes))
    return np.asarray(calibrated(curves, known).T @ answered)
