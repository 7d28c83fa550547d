"""What a monitor is given: the rows that a model was trained on, and windows of its traffic."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd

from trimtab.records.reference import OUTPUT
from trimtab.records.schema import Schema

from .learner import Floats, Model, fit, hold_out, taken
from .protocol import Half, Halves, mean_apart, windows
from .rows import Rows


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Traffic:
    """One window of what a model was asked and answered."""

    frame: pd.DataFrame
    """The inputs and `(output)`."""
    times: "pd.Series[pd.Timestamp]"
    target: "pd.Series[Any]"
    """What turned out to be true; no monitor here may use it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Subject:
    """A model with all that is known of it when it is trained."""

    name: str
    model: Model
    inputs: pd.DataFrame
    output: Floats
    """On the training rows, by models that had not seen them."""
    target: "pd.Series[Any]"
    times: "pd.Series[pd.Timestamp]"
    schema: Schema
    importance: dict[str, float]
    window: timedelta
    """How long a window usually takes."""
    window_rows: int

    @property
    def frame(self) -> pd.DataFrame:
        """The training rows as windows are: the inputs and `(output)`."""
        return self.inputs.assign(**{OUTPUT: self.output})

    def asked(
        self, inputs: pd.DataFrame, target: "pd.Series[Any]", times: "pd.Series[pd.Timestamp]"
    ) -> Traffic:
        """Ask the model."""
        frame = inputs.assign(**{OUTPUT: self.model.predict(inputs)})
        return Traffic(frame=frame, times=times, target=target)


def trained(rows: Rows, half: Half, window_rows: int, rng: np.random.Generator) -> Subject:
    """Train on one half, for windows of a number of rows."""
    own = taken(rows, half.order)
    held_out = hold_out(own, rng)
    return Subject(
        name=rows.name,
        model=fit(own),
        inputs=own.inputs,
        output=held_out.output,
        target=own.target,
        times=moments(half.seconds),
        schema=rows.schema,
        importance=held_out.importance,
        window=timedelta(seconds=window_rows * mean_apart(half.seconds)),
        window_rows=window_rows,
    )


def undisturbed(
    rows: Rows, halves: Halves, subject: Subject, most: int | None = None
) -> Iterator[Traffic]:
    """Ask what follows the training rows, window by window."""
    half = halves.watched
    for piece in windows(len(half.order), subject.window_rows, most):
        some = taken(rows, half.order[piece])
        yield subject.asked(some.inputs, some.target, moments(half.seconds[piece]))


def seconds_of(times: "pd.Series[pd.Timestamp]") -> Floats:
    """Give times as seconds since 1970."""
    return np.asarray(times.astype("datetime64[ns, UTC]").astype("int64")) / 1e9


def moments(seconds: Floats) -> "pd.Series[pd.Timestamp]":
    """Give times that are seconds since 1970."""
    return pd.Series(pd.to_datetime((seconds * 1e9).astype("int64"), utc=True))
