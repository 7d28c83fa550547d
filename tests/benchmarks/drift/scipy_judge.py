"""The textbook as a contender: Kolmogorov-Smirnov and chi-square, divided among the columns."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from .opinions import Judge, Kind, Opinion, Stream
from .subjects import Subject


def prepare(subject: Subject, budget: float) -> Judge:
    """Keep all training rows; alarm where a column's p-value is below its share of the budget."""
    reference = subject.frame

    def judge(streams: Sequence[Stream]) -> list[list[Opinion]]:
        return [[_say(reference, window.frame, budget) for window in stream] for stream in streams]

    return judge


def _say(reference: pd.DataFrame, window: pd.DataFrame, budget: float) -> Opinion:
    limit = budget / window.shape[1]
    names = [str(n) for n in window if p_value(reference[n], window[n]) < limit]
    return Opinion(kind=Kind.DRIFT if names else Kind.QUIET, columns=tuple(names))


def p_value(reference: "pd.Series[Any]", window: "pd.Series[Any]") -> float:
    """Compare one column; missing numbers are left out, missing categories are one more."""
    if reference.dtype.kind in "if":
        left, right = _numbers(reference), _numbers(window)
        if min(left.size, right.size) == 0:
            return 1.0 if left.size == right.size else 0.0
        return float(stats.ks_2samp(left, right, method="asymp").pvalue)
    counts = pd.DataFrame(
        {
            "reference": reference.astype(str).value_counts(),
            "window": window.astype(str).value_counts(),
        }
    ).fillna(0)
    return float(stats.chi2_contingency(counts.to_numpy()).pvalue) if len(counts) > 1 else 1.0


def _numbers(values: "pd.Series[Any]") -> np.ndarray:
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=float)
    return np.asarray(numbers[~np.isnan(numbers)])
