"""Evidently's default preset as two contenders: an alarm by any column, or by half of them."""

import warnings
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from evidently.legacy.calculations.data_drift import get_one_column_drift
from evidently.legacy.core import ColumnType
from evidently.legacy.options.data_drift import DataDriftOptions
from evidently.legacy.utils.data_operations import DatasetColumns, DatasetUtilityColumns

from .opinions import Judge, Kind, Opinion, Prepare, Stream
from .subjects import Subject

Verdict = Callable[[Sequence[str], int], bool]
"""Tells from the drifted columns and the number of all whether the data set has drifted."""


def any_column(drifted: Sequence[str], columns: int) -> bool:
    """Alarm where one column drifted, as its test suite does."""
    return bool(drifted)


def half_of_columns(drifted: Sequence[str], columns: int) -> bool:
    """Alarm where half of the columns drifted, as its report does."""
    return len(drifted) >= 0.5 * columns


def preparing(verdict: Verdict) -> Prepare:
    """Give a contender."""

    def prepare(subject: Subject, budget: float) -> Judge:
        reference = subject.frame

        def judge(streams: Sequence[Stream]) -> list[list[Opinion]]:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                return [[_say(reference, w.frame, verdict) for w in stream] for stream in streams]

        return judge

    return prepare


def _say(reference: pd.DataFrame, window: pd.DataFrame, verdict: Verdict) -> Opinion:
    try:
        drifted = drifted_columns(reference, window)
    except (ValueError, TypeError, ZeroDivisionError, KeyError, IndexError):
        return Opinion(kind=Kind.UNJUDGED)  # one odd column costs the whole report
    alarm = verdict(drifted, window.shape[1])
    return Opinion(kind=Kind.DRIFT if alarm else Kind.QUIET, columns=tuple(drifted))


def drifted_columns(reference: pd.DataFrame, window: pd.DataFrame) -> list[str]:
    """Name the columns that `DataDriftPreset()` calls drifted, by the very function it calls."""
    found = []
    for name in map(str, window):
        is_number = reference[name].dtype.kind in "if"
        result = get_one_column_drift(
            current_data=window[[name]],
            reference_data=reference[[name]],
            column_name=name,
            options=DataDriftOptions(),
            dataset_columns=_only(name, is_number),
            column_type=ColumnType.Numerical if is_number else ColumnType.Categorical,
            agg_data=True,
        )
        if result.drift_detected:
            found.append(name)
    return found


def _only(name: str, is_number: bool) -> DatasetColumns:
    return DatasetColumns(
        utility_columns=DatasetUtilityColumns(date=None, id=None, target=None, prediction=None),
        target_type=None,
        task=None,
        num_feature_names=[name] if is_number else [],
        cat_feature_names=[] if is_number else [name],
        text_feature_names=[],
        datetime_feature_names=[],
        target_names=None,
    )
