"""The preview: what a training would gain, foretold by two cheap fits of the champion's recipe."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from trimtab.adapters.device import DeviceChoice
from trimtab.adapters.frames import FrameError, coerce
from trimtab.adapters.predictor import Predictor
from trimtab.policy.losses import class_indices, losses, numbers
from trimtab.policy.preview import predict_gain
from trimtab.policy.training_windows import first_row
from trimtab.records.contracts import Contract
from trimtab.records.previews import Preview
from trimtab.records.training_windows import TrainingWindow
from trimtab.settings import ModelSettings

from .contenders import Contender
from .facts import WINDOW_TAG, unseen
from .grouping import blocks_of
from .split import ages, split_by_time

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
    if strange := _strange(champion, rows.iloc[parts.newest][settings.target].dropna()):
        return Foretold(note=f"there is no preview of labels that are new: {strange}")
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


def _strange(champion: Contender, labels: "pd.Series[Any]") -> str:
    """Name labels that are no class of the champion, with their rows; empty where there is none."""
    counts = labels[np.isnan(_truth(champion.predictor.contract, labels))].value_counts()
    more = [f"{len(counts) - _SHOWN} more"] if len(counts) > _SHOWN else []
    named = [f"{label!s} ({n} rows)" for label, n in counts.head(_SHOWN).items()]
    return ", ".join([*named, *more])


def _parts(
    settings: ModelSettings, rows: pd.DataFrame, champion: Contender, now: datetime
) -> _Parts:
    split = split_by_time(rows, settings, now)
    known = len(rows) - len(unseen(settings, rows, champion.version))
    end = max(split.end, known)
    start, later = (_first(settings, rows, champion, stop) for stop in (known, split.end))
    stride = -(-max(split.end - later, known - start, 1) // _MOST_ROWS)
    return _Parts(
        before=_every(stride, start, known),
        after=_every(stride, later, split.end),
        judged=_every(-(-(len(rows) - end) // _MOST_ROWS), end, len(rows)),
        newest=slice(end, len(rows)),
    )


def _first(settings: ModelSettings, rows: pd.DataFrame, champion: Contender, end: int) -> int:
    """Find the first row of the champion's own window, were a version trained up to a row."""
    if not end:
        return 0
    window = TrainingWindow.parse(champion.version.tags.get(WINDOW_TAG, "all"))
    times = None
    if settings.time is not None:
        times = pd.to_datetime(rows[settings.time].iloc[:end], utc=True)
    until = champion.version.trained_until if times is None else times.iloc[-1].to_pydatetime()
    return min(first_row(window, ages(times, end, until)), end - 1)


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
