"""The trial: challenger and champion score the same newest rows, which neither was trained on."""

from typing import Any

import numpy as np
import pandas as pd

from trimtab.errors import SettingsError
from trimtab.policy.gate import compare
from trimtab.records.gate import GateResult
from trimtab.settings import ModelSettings

from .contenders import Contender
from .errors import NoTrialRowsError
from .facts import unseen

_MOST_SLICES = 25
"""Values of one slice column that are looked at, the most frequent ones."""
_FEW_BLOCKS = 12
"""With fewer days than this, shorter stretches are the blocks; at last, runs of rows."""
_STRETCHES = ("D", "6h", "h")


def judge(
    settings: ModelSettings,
    rows: pd.DataFrame,
    challenger: Contender,
    champion: Contender | None,
) -> GateResult:
    """Compare a challenger with the champion, or with the baseline where there is none.

    `rows` are all that are known, in time order. Raises SettingsError when a slice is no column,
    FrameError when the rows lack an input, NoTrialRowsError when none is new to both.
    """
    versions = [c.version for c in (challenger, champion) if c is not None]
    trial = unseen(settings, rows, *versions)
    if settings.target is not None:
        trial = trial[trial[settings.target].notna()]
    if trial.empty:
        raise NoTrialRowsError(version.version for version in versions)
    labels = _labels(settings, trial)
    defender = champion or challenger.baseline
    return compare(
        defender.losses(settings.metric, trial, labels),
        challenger.losses(settings.metric, trial, labels),
        blocks=blocks_of(settings, trial),
        slices=slices_of(settings, trial),
        metric=settings.metric,
        confidence=settings.gate.confidence,
        min_rows=settings.gate.min_rows,
        seed=settings.train.seed,
        margin=settings.gate.margin,
        slice_margin=settings.gate.slice_margin,
    )


def _labels(settings: ModelSettings, rows: pd.DataFrame) -> "pd.Series[Any]":
    if settings.target is None:
        return pd.Series(np.nan, index=rows.index)
    return rows[settings.target]


def blocks_of(settings: ModelSettings, rows: pd.DataFrame) -> np.ndarray:
    """Number the stretches of time within which rows may share their luck.

    A storm makes all flights of a day late: they are one observation more than they are many.
    """
    if settings.time is not None:
        times = pd.to_datetime(rows[settings.time], utc=True)
        for length in _STRETCHES:
            blocks, found = pd.factorize(times.dt.floor(length))
            if len(found) >= _FEW_BLOCKS:
                return np.asarray(blocks)
    stretch = max(1, round(np.sqrt(len(rows))))
    return np.asarray(np.arange(len(rows)) // stretch)


def slices_of(settings: ModelSettings, rows: pd.DataFrame) -> dict[str, np.ndarray]:
    """Give the rows of each value of the slice columns, as masks by name: `origin=JFK`."""
    masks: dict[str, np.ndarray] = {}
    for column in settings.gate.slices:
        if column not in rows.columns:
            raise SettingsError(f"gate.slices: the data has no column {column!r}")
        values: pd.Series[Any] = rows[column].astype("string").fillna("(missing)")
        for value in values.value_counts().index[:_MOST_SLICES]:
            masks[f"{column}={value}"] = (values == value).to_numpy(dtype=bool)
    return masks
