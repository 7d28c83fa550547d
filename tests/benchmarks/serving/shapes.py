"""The two shapes of rows that are asked about, made of noise with a pattern in it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

TARGET, TIME = "target", "asked"
START = datetime(2024, 1, 1, tzinfo=UTC)
_DECIMALS = 4
"""Measured numbers are seldom known more exactly; each digit costs in JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A model's name, and how its rows are made: so many of them, by a seed."""

    model: str
    words: str
    rows: Callable[[int, int], pd.DataFrame]
    noise: float

    def training_rows(self, count: int, seed: int) -> pd.DataFrame:
        """Give labelled rows, one a minute."""
        frame = self.rows(count, seed)
        noise = np.random.default_rng(seed + 1).logistic(scale=self.noise, size=count)
        minutes = pd.to_timedelta(np.arange(count), unit="min")
        times = pd.Series(pd.Timestamp(START) + minutes).dt.tz_localize(None)
        frame[TARGET], frame[TIME] = _signal(frame) + noise > 0, times
        return frame


def floats(count: int, seed: int) -> pd.DataFrame:
    """Thirty columns of floats."""
    numbers = np.random.default_rng(seed).normal(size=(count, 30)).round(_DECIMALS)
    return pd.DataFrame(numbers, columns=[f"feature_{i}" for i in range(30)])


def mixed(count: int, seed: int) -> pd.DataFrame:
    """Twenty-two columns: floats, integers, words, flags and a time, with nulls in five of them."""
    random = np.random.default_rng(seed)
    columns: dict[str, Any] = {}
    for i in range(10):
        values = random.normal(size=count).round(_DECIMALS)
        is_missing = random.random(count) < (0.1 if i < 4 else 0.0)
        columns[f"number_{i}"] = np.where(is_missing, np.nan, values)
    for i in range(4):
        columns[f"count_{i}"] = random.integers(0, 10 ** (i + 1), count)
    for i, kinds in enumerate((4, 12, 40, 100)):
        words = np.array([f"kind-{k}" for k in range(kinds)], dtype=object)
        columns[f"word_{i}"] = random.choice(words, count)
    columns["word_4"] = random.choice(np.array(["yes", "no", None], dtype=object), count)
    columns["flag_0"], columns["flag_1"] = random.random(count) < 0.2, random.random(count) < 0.7
    hours = pd.to_timedelta(random.integers(0, 365 * 24, count), unit="h")
    columns["moment"] = pd.Timestamp(2024, 1, 1) + hours
    return pd.DataFrame(columns)


def _signal(frame: pd.DataFrame) -> "pd.Series[float]":
    """Mix numbers with each other and with the first category, so that trees have work to do."""
    numbers = frame.select_dtypes(float).fillna(0.0)
    a, b, c, d, e = (numbers.iloc[:, i] for i in range(5))
    signal: pd.Series[float] = a * b + np.sin(2 * c) + d.clip(lower=0) - 0.5 * e**2 + 0.5
    return signal + (frame["word_0"] == "kind-1") * 1.0 if "word_0" in frame else signal


FLOATS = Shape(model="floats", words="30 columns of floats", rows=floats, noise=0.4)
MIXED = Shape(
    model="mixed", words="22 mixed columns with categories and nulls", rows=mixed, noise=0.25
)
SHAPES = (FLOATS, MIXED)


def plain(frame: pd.DataFrame) -> list[list[Any]]:
    """Give the rows as JSON knows them: null for what is missing, ISO 8601 for a time."""
    columns = []
    for name in frame.columns:
        values = frame[name]
        if values.dtype.kind == "M":
            columns.append(values.dt.strftime("%Y-%m-%dT%H:%M:%S").tolist())
        else:
            columns.append([None if pd.isna(value) else value for value in values.tolist()])
    return [list(row) for row in zip(*columns, strict=True)]
