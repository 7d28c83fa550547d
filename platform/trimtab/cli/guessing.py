"""Guessing a model's settings from a look at its data; every guess is said and can be changed."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from pandas.api import types

from trimtab.records.contracts import Task

_TARGETS = ("target", "label", "y", "class", "outcome", "response")
_KEYS = ("id", "key", "uuid")
_TIMES = ("time", "date", "timestamp", "when", "_at")
_MANY_CLASSES = 20
_PARSED_ENOUGH = 0.99


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """What the data looks like."""

    target: str
    task: Task
    time: str | None
    key: str | None
    exclude: tuple[str, ...]
    """Text that differs in nearly every row teaches a model nothing."""
    inputs: tuple[str, ...]


def guess(
    frame: pd.DataFrame,
    *,
    target: str | None = None,
    time: str | None = None,
    key: str | None = None,
) -> Guess:
    """Look at a table; what is given is taken, the rest guessed."""
    columns = [str(column) for column in frame.columns]
    time = time or next((c for c in columns if c != target and _is_time(frame[c])), None)
    free = [c for c in columns if c not in (time, target)]
    key = key or next((c for c in free if _is_key(frame[c])), None)
    target = target or _target([c for c in free if c != key])
    rest = [c for c in columns if c not in (time, key, target)]
    exclude = tuple(c for c in rest if _is_name(frame[c]) or frame[c].nunique() < 1)
    return Guess(
        target=target,
        task=_task(frame[target]),
        time=time,
        key=key,
        exclude=exclude,
        inputs=tuple(c for c in rest if c not in exclude),
    )


def _target(columns: Sequence[str]) -> str:
    named = [c for c in columns if c.lower() in _TARGETS or c.lower().startswith("is_")]
    return named[0] if named else columns[-1]


def _task(values: pd.Series) -> Task:
    classes = values.nunique()
    if classes == 2:
        return Task.BINARY
    numeric = types.is_numeric_dtype(values) and not types.is_bool_dtype(values)
    if numeric and (classes > _MANY_CLASSES or types.is_float_dtype(values)):
        return Task.REGRESSION
    return Task.MULTICLASS


def _is_time(values: pd.Series) -> bool:
    if types.is_datetime64_any_dtype(values):
        return True
    hinted = any(hint in _plain(values.name) for hint in _TIMES)
    if not hinted or types.is_numeric_dtype(values):
        return False
    parsed = pd.to_datetime(values.dropna().head(1000), errors="coerce", utc=True, format="ISO8601")
    return len(parsed) > 0 and bool(parsed.notna().mean() >= _PARSED_ENOUGH)


def _is_key(values: pd.Series) -> bool:
    name = _plain(values.name)
    hinted = name in _KEYS or name.endswith(tuple(f"_{key}" for key in _KEYS))
    return hinted and values.is_unique and bool(values.notna().all())


def _plain(name: object) -> str:
    """Write `Order ID` and `order.id` as `order_id`."""
    return re.sub(r"[\W_]+", "_", str(name).lower())


def _is_name(values: pd.Series) -> bool:
    text = not types.is_numeric_dtype(values) and not types.is_datetime64_any_dtype(values)
    return text and values.nunique() > max(_MANY_CLASSES, len(values) // 2)
