"""How many dimensions an embedding has: as few as hold most of what differs between rows."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline

from trimtab.settings.learning import TrainSettings

from .errors import NoCandidateError

_HELD = 0.9
"""Share of the variance that is enough."""


def fit_dimensions(learner: PCA, rows: Any, train: TrainSettings) -> None:
    """Fit to prepared rows; one dimension less than there are columns at most.

    With as many nothing would be lost of any row, and so nothing be told from it. Raises
    NoCandidateError where that leaves none.
    """
    columns = rows.shape[1]
    wanted: float | int = _HELD if train.dimensions == "auto" else train.dimensions
    if columns < 2 or wanted >= columns:
        raise NoCandidateError(
            f"The inputs, prepared, are {columns} columns; an embedding has fewer dimensions than "
            f"that, and train.dimensions is {train.dimensions}."
        )
    with np.errstate(invalid="ignore"):
        learner.set_params(n_components=wanted).fit(rows)
    if not np.isfinite(learner.explained_variance_ratio_).all():
        raise NoCandidateError("All rows are alike: no dimension tells them apart.")
    if learner.n_components_ == columns:
        learner.set_params(n_components=columns - 1).fit(rows)


def refit_dimensions(earlier: Pipeline, fresh: Pipeline, inputs: pd.DataFrame) -> Pipeline:
    """Fit anew, with as many dimensions as before. Raises NoCandidateError for too few columns."""
    rows = fresh[:-1].fit_transform(inputs)
    count = int(earlier[-1].n_components_)
    if count >= rows.shape[1]:
        raise NoCandidateError(
            f"{count} dimensions were found, and without a fifth of the rows the inputs are "
            f"{rows.shape[1]} columns: some category occurs in too few stretches of time."
        )
    fresh[-1].set_params(n_components=count).fit(rows)
    return fresh
