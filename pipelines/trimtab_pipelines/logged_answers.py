"""Rows of the inference log as two versions' answers: the one recorded, the other asked for now."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from trimtab.adapters.predictor import Answers, Predictor
from trimtab.policy.routing import caller, group_of
from trimtab.policy.said import Said
from trimtab.records.contracts import Contract
from trimtab.records.tallies import Plan

OTHER = "(other)"
MISSING = "(missing)"


def recorded(contract: Contract, rows: pd.DataFrame) -> Said:
    """Read the answers that callers got."""
    if not contract.task.is_classification:
        return Said(output=rows["prediction"].to_numpy(dtype=float).reshape(-1, 1))
    table = np.full((len(rows), len(contract.classes)), np.nan)
    for row, shares in enumerate(rows["probabilities"]):
        if shares is not None and len(shares) == len(contract.classes):
            table[row] = shares
    return Said(output=table)


def asked(predictor: Predictor, inputs: pd.DataFrame) -> Said:
    """Ask a version for answers; NaN for the rows that it cannot answer.

    Whatever it raises, halves are tried again, so that one bad row costs that row only.
    """
    width = max(1, len(predictor.contract.classes))
    if inputs.empty:
        return Said(output=np.empty((0, width)))
    try:
        return Said(output=as_output(predictor.predict(inputs)))
    except Exception:
        if len(inputs) == 1:
            return Said(output=np.full((1, width), np.nan))
    half = len(inputs) // 2
    parts = (asked(predictor, inputs.iloc[:half]), asked(predictor, inputs.iloc[half:]))
    return Said(output=np.concatenate([part.output for part in parts]))


def as_output(answers: Answers) -> np.ndarray:
    """Give answers as a table: probabilities of the classes, or numbers in one column."""
    if answers.probabilities is not None:
        return np.asarray(answers.probabilities, dtype=float)
    return np.asarray(answers.predictions, dtype=float).reshape(-1, 1)


def seconds_of(rows: pd.DataFrame) -> np.ndarray:
    """Give the event times, in seconds since 1970."""
    times = pd.to_datetime(rows["time"], utc=True).astype("datetime64[us, UTC]")
    return times.astype("int64").to_numpy() / 1e6


def masks_of(plan: Plan, inputs: pd.DataFrame) -> Mapping[str, np.ndarray]:
    """Give the rows of each slice that the plan looks at, by name: `origin=JFK`."""
    masks: dict[str, np.ndarray] = {}
    for column, values in plan.slices.items():
        spelled = spell(inputs[column])
        for value in values:
            masks[f"{column}={value}"] = (spelled == value).to_numpy(dtype=bool)
        masks[f"{column}={OTHER}"] = (~spelled.isin(values)).to_numpy(dtype=bool)
    return masks


def spell(values: "pd.Series[Any]") -> "pd.Series[Any]":
    """Write the values of a slice column as its slices are named."""
    return values.astype("string").fillna(MISSING)


def is_first_row(rows: pd.DataFrame) -> np.ndarray:
    """Tell which rows stand for their request: one each, in whatever batch it is read."""
    return rows["prediction_id"].str.endswith("-0").to_numpy(dtype=bool)


def callers_of(rows: pd.DataFrame, groups: int) -> np.ndarray:
    """Give the group of whoever asked for each row: a request goes by its first key."""
    first = rows["key"].replace("", None).groupby(rows["request_id"]).transform("first")
    keys = [key if isinstance(key, str) else None for key in first]
    known: dict[str, int] = {}
    found = []
    for key, request in zip(keys, rows["request_id"], strict=True):
        who = caller([key], request)
        found.append(known[who] if who in known else known.setdefault(who, group_of(who, groups)))
    return np.array(found, dtype=np.int64)
