"""The preview: what a training would gain, foretold by two cheap fits of the champion's recipe."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from trimtab.adapters.device import DeviceChoice
from trimtab.adapters.frames import FrameError, coerce
from trimtab.adapters.predictor import Predictor
from trimtab.policy.losses import class_indices, losses, numbers
from trimtab.policy.preview import predict_gain
from trimtab.records.contracts import Contract
from trimtab.records.previews import Preview
from trimtab.settings import ModelSettings

from .contenders import Contender
from .facts import unseen
from .grouping import blocks_of
from .split import split_by_time

_MOST_ROWS = 20_000
"""That a fit is made on, and that it is judged on."""
_MOST_TREES = 100
_MOST_CATEGORIES = 200
_FEWEST = 100
_SHOWN = 3
_HERE = DeviceChoice(device="cpu", note="CPU: a preview is cheap")


@dataclass(frozen=True, slots=True, kw_only=True)
class Foretold:
    """What a preview says, or why there is none."""

    preview: Preview | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """Positions of rows: to fit without and with the newer ones, and to judge on."""

    before: np.ndarray
    after: np.ndarray
    judged: np.ndarray
    newest: slice
    """All rows that nobody has seen."""

    @property
    def are_enough(self) -> bool:
        """Tell whether there is anything to compare, and newer rows to learn from."""
        fewest = min(len(self.before), len(self.after), len(self.judged))
        return fewest >= _FEWEST and bool(self.after[-1] > self.before[-1])


def preview(
    settings: ModelSettings, rows: pd.DataFrame, champion: Contender, now: datetime
) -> Foretold:
    """Fit the champion's recipe with and without the rows that it has not seen, and compare both.

    Both are judged on the rows that the gate will keep, which nobody has seen. The rows of the
    first fit are among those of the second, so that the newer rows are all that differs. It costs
    two fits on at most 20,000 rows and 100 trees, and the same rows give the same answer. Raises
    DataRefusedError where rows cannot be split.
    """
    if settings.target is None:
        return Foretold(note="there is no preview without labels")
    parts = _parts(settings, rows, champion, now)
    if not parts.are_enough:
        return Foretold(note="there are too few rows for a preview")
    try:
        found = [
            _losses(settings, rows, champion.predictor, fitted, parts.judged)
            for fitted in (parts.before, parts.after)
        ]
    except (FrameError, ValueError) as error:  # the full training finds out what it means
        return Foretold(note=f"a preview could not be made: {error}")
    result = predict_gain(
        found[0],
        found[1],
        blocks=blocks_of(settings, rows.iloc[parts.judged]),
        metric=settings.metric,
        fitted_before=len(parts.before),
        fitted_after=len(parts.after),
        seed=settings.train.seed,
    )
    return Foretold(preview=result, note="" if result else "no row of the preview has a loss")


def unknown_classes(
    settings: ModelSettings, rows: pd.DataFrame, champion: Contender, now: datetime
) -> tuple[str, ...]:
    """Name the labels of the gate's rows on which the champion can have no loss, with their count.

    The gate lets nothing through while there is one.
    """
    if settings.target is None:
        return ()
    judged = rows.iloc[_parts(settings, rows, champion, now).newest]
    labels = judged[settings.target]
    strange = labels[np.isnan(_truth(champion.predictor.contract, labels))]
    counts = strange.astype(str).value_counts()
    more = [f"{len(counts) - _SHOWN} more"] if len(counts) > _SHOWN else []
    return (*(f"{label!r} ({n} rows)" for label, n in counts.head(_SHOWN).items()), *more)


def _parts(
    settings: ModelSettings, rows: pd.DataFrame, champion: Contender, now: datetime
) -> _Parts:
    split = split_by_time(rows, settings, now)
    known = len(rows) - len(unseen(settings, rows, champion.version))
    start = 0
    if isinstance(settings.train.window, timedelta) and settings.time is not None:
        since = pd.Timestamp(champion.version.trained_until) - settings.train.window
        start = int(pd.to_datetime(rows[settings.time], utc=True).searchsorted(since))
    end = max(split.end, known)
    stride = -(-max(split.end - split.start, known - start, 1) // _MOST_ROWS)
    return _Parts(
        before=_every(stride, start, known),
        after=_every(stride, split.start, split.end),
        judged=_every(-(-(len(rows) - end) // _MOST_ROWS), end, len(rows)),
        newest=slice(end, len(rows)),
    )


def _every(stride: int, start: int, end: int) -> np.ndarray:
    """Give the positions that the stride divides: those of a stretch are in any longer one."""
    stride = max(1, stride)
    return np.arange(-(-start // stride) * stride, end, stride)


def _losses(
    settings: ModelSettings,
    rows: pd.DataFrame,
    champion: Predictor,
    fitted: np.ndarray,
    judged: np.ndarray,
) -> np.ndarray:
    contract, target = champion.contract, str(settings.target)
    known = rows.iloc[fitted]
    truth = _truth(contract, known[target])
    usable = np.isfinite(truth)
    inputs = coerce(known[usable], contract.schema)
    y = truth[usable].astype(int) if contract.task.is_classification else truth[usable]
    if contract.task.is_classification and len(np.unique(y)) < len(contract.classes):
        raise ValueError("its rows lack a class")
    pipeline = _recipe(champion).fit(inputs, y)
    asked = rows.iloc[judged]
    answers = Predictor(contract, pipeline, _HERE).predict(asked)
    labels = asked[target].to_numpy(dtype=object)
    return losses(settings.metric, contract, answers.probabilities, answers.predictions, labels)


def _truth(contract: Contract, labels: "pd.Series[Any]") -> np.ndarray:
    values = labels.to_numpy(dtype=object)
    return class_indices(contract, values) if contract.task.is_classification else numbers(values)


def _recipe(champion: Predictor) -> Any:
    """Copy the champion's settings without what it has learned, few trees, and new categories."""
    pipeline = clone(champion.pipeline)
    changed: dict[str, object] = {}
    for name, value in pipeline.get_params().items():
        if name.endswith("__n_estimators") and isinstance(value, int):
            changed[name] = min(value, _MOST_TREES)
            # Threads that wait for a busy processor cost more than they save.
            changed[name.replace("__n_estimators", "__n_jobs")] = 1
        elif name.endswith("__device"):
            changed[name] = "cpu"
        elif name.endswith("__early_stopping_rounds"):
            changed[name] = None
        elif name.endswith("__categories"):
            changed[name] = "auto"  # the champion's would hide what is new
            changed[name.replace("__categories", "__max_categories")] = _MOST_CATEGORIES
    return pipeline.set_params(**changed)
