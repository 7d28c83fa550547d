"""How long versions take for one row, in turns, so that a busy machine slows all alike."""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from trimtab.adapters.frames import coerce, rows_of
from trimtab.adapters.lowering import CannotLowerError
from trimtab.adapters.predictor import Predictor, UnanswerableError

_ROWS = 24
_FEWEST_TRIES = 3
_SECONDS = 0.2
"""So long each row is tried again and again; slow models get the fewest tries all the same."""


def time_rows(predictors: Sequence[Predictor], rows: pd.DataFrame) -> list[np.ndarray]:
    """Give the seconds that each row took, at best, for each version.

    Each is asked as its endpoint asks it, by the fast path where there is one. Rows that one of
    them cannot answer are left out.
    """
    sample = rows.iloc[:: max(1, len(rows) // _ROWS)].head(_ROWS)
    asked = [(_fast(predictor), _requests(predictor, sample)) for predictor in predictors]
    best = np.full((len(predictors), len(sample)), np.inf)
    began, tries = time.perf_counter(), 0
    while tries < _FEWEST_TRIES or time.perf_counter() - began < _SECONDS:
        for row in range(len(sample)):
            for at in range(len(asked)) if tries % 2 else reversed(range(len(asked))):
                predictor, requests = asked[at]
                best[at, row] = min(best[at, row], _time(predictor, requests[row]))
        tries += 1
    known = np.isfinite(best).all(axis=0)
    return [side[known] for side in best]


def _fast(predictor: Predictor) -> Predictor:
    try:
        return predictor.lowered()
    except CannotLowerError:
        return predictor


def _requests(predictor: Predictor, rows: pd.DataFrame) -> list[dict[str, Any]]:
    schema = predictor.contract.schema
    return rows_of(coerce(rows, schema), schema)


def _time(predictor: Predictor, request: dict[str, Any]) -> float:
    began = time.perf_counter()
    try:
        predictor.answer([request])
    except UnanswerableError:
        return np.inf
    return time.perf_counter() - began
