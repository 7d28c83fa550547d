"""The steps of our monitor whose cost is measured, one by one."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import xgboost

from trimtab.records.evidence import Evidence
from trimtab.records.reference import OUTPUT

from .learner import Model
from .rows import schema_of
from .subjects import Subject, moments
from .trimtab_judge import Summed, watch


def steps(reference: pd.DataFrame, window: pd.DataFrame) -> dict[str, Callable[[], Any]]:
    """Give what happens once a training, what with the traffic, and what once a window."""
    made = watch(_subject(reference), 0.01)
    traffic = window.assign(**{OUTPUT: np.linspace(0, 1, len(window))})
    times = moments(np.arange(len(window), dtype=np.float64))
    kept: dict[str, Summed] = {}

    def update() -> None:
        kept["all"] = made.update(traffic, times)

    return {
        "prepare": lambda: watch(_subject(reference), 0.01),
        "update": update,
        "check": lambda: made.check(kept["all"], Evidence()),
    }


def _subject(reference: pd.DataFrame) -> Subject:
    rows = len(reference)
    return Subject(
        name="made up",
        model=Model(trees=xgboost.Booster(), categories={}, is_binary=True),
        inputs=reference,
        output=np.random.default_rng(3).random(rows),
        target=pd.Series(np.zeros(rows, dtype=bool)),
        times=moments(np.arange(rows, dtype=np.float64)),
        schema=schema_of(reference),
        importance={str(name): 1 / reference.shape[1] for name in reference},
        window=timedelta(seconds=rows / 20),
        window_rows=max(200, rows // 20),
    )
