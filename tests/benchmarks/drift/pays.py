"""Does an alarm pay? Real rows in their real order, and a new model whenever a monitor says so."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property

import numpy as np

from trimtab.records.reference import OUTPUT

from .data import DataSet
from .learner import Floats, HeldOut, Model, fit, hold_out, losses, taken
from .opinions import Contender, Kind, Stream
from .protocol import mean_apart
from .rows import Rows, Use
from .subjects import Subject, Traffic, moments, seconds_of

_MOST_ROWS = 60_000
_WINDOWS = 50
_FEWEST_IN_WINDOW = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """What retraining on one contender's alarms brought."""

    contender: str
    data: str
    use: Use
    budget: float | None
    """None where the contender has none to set."""
    windows: int
    window_rows: int
    retrained: int
    gain: float
    """Share of the way from never (0) to every window (1), in mean loss."""
    evenly: float
    """What as many trainings at even distances gain."""
    always: float
    """By how much of its loss a model that is trained every window betters one that never is."""


def paid(
    sets: Sequence[DataSet], contenders: Sequence[Contender], *, budgets: Sequence[float]
) -> Iterator[Paid]:
    """Train on the first quarter, then go through the rest window by window.

    Every training knows all rows up to then, the labels of the last window included. Broken data
    starts no training.
    """
    for data in sets:
        past = Past(rows=_first(data.rows(), _MOST_ROWS))
        never = past.loss([0] * past.windows)
        always = past.loss(list(range(past.windows)))
        for contender in contenders:
            for budget in budgets if contender.has_budget else [None]:
                used = past.used(contender, budget or budgets[0])
                count = len(set(used)) - 1
                yield Paid(
                    contender=contender.name,
                    data=data.name,
                    use=data.use,
                    budget=budget,
                    windows=past.windows,
                    window_rows=past.window_rows,
                    retrained=count,
                    gain=(never - past.loss(used)) / (never - always),
                    evenly=(never - past.loss(evenly(past.windows, count))) / (never - always),
                    always=(never - always) / never,
                )


def evenly(windows: int, count: int) -> list[int]:
    """Say by which model each window is answered; model n knows all before window n.

    >>> evenly(6, 2)
    [0, 0, 2, 2, 4, 4]
    """
    starts = [round(n * windows / (count + 1)) for n in range(count + 1)]
    return [max(start for start in starts if start <= window) for window in range(windows)]


@dataclass(frozen=True, kw_only=True, eq=False)
class Past:
    """Rows in their order, and the models that were trained on the way: each once."""

    rows: Rows
    models: dict[int, Model] = field(default_factory=dict)
    held_out: dict[int, HeldOut] = field(default_factory=dict)
    said: dict[int, Floats] = field(default_factory=dict)

    @cached_property
    def window_rows(self) -> int:
        """Rows of a window: so many that there are about fifty."""
        return max(_FEWEST_IN_WINDOW, 3 * len(self.rows.inputs) // (4 * _WINDOWS))

    @cached_property
    def windows(self) -> int:
        """Windows after the first quarter."""
        return (len(self.rows.inputs) - self.first) // self.window_rows

    @cached_property
    def first(self) -> int:
        """Rows that the first model knows."""
        return len(self.rows.inputs) // 4

    @cached_property
    def seconds(self) -> Floats:
        """The times of the rows."""
        if self.rows.times is None:
            raise ValueError(f"{self.rows.name} has no times")
        return seconds_of(self.rows.times)

    def start(self, window: int) -> int:
        """Give the first row of a window."""
        return self.first + window * self.window_rows

    def loss(self, used: Sequence[int]) -> float:
        """Give the mean loss when each window is answered by the model trained before `used`."""
        return float(np.mean([self._loss(model, window) for window, model in enumerate(used)]))

    def used(self, contender: Contender, budget: float) -> list[int]:
        """Let alarms start trainings, and tell which model answers each window."""
        used: list[int] = []
        while len(used) < self.windows:
            model = len(used)
            quiet = self._quiet(contender, budget, model)
            used += [model] * min(quiet + 1, self.windows - model)
        return used

    def _quiet(self, contender: Contender, budget: float, model: int) -> int:
        """Count the windows before the one that alarms, from the one after the training."""
        judge = contender.prepare(self._subject(model), budget)
        left, length = self.windows - model, 1
        while True:
            (said,) = judge([self._stream(model, min(length, left))])
            alarms = [n for n, opinion in enumerate(said) if opinion.kind is Kind.DRIFT]
            if alarms or length >= left:
                return alarms[0] if alarms else left
            length *= 4  # to look at everything that follows would be slow where alarms are many

    def _stream(self, model: int, length: int) -> Stream:
        return [self._traffic(model, window) for window in range(model, model + length)]

    def _traffic(self, model: int, window: int) -> Traffic:
        piece = slice(self.start(window), self.start(window + 1))
        inputs = self.rows.inputs[piece].reset_index(drop=True)
        output = self._output(model)[piece.start - self.start(model) :][: self.window_rows]
        return Traffic(
            frame=inputs.assign(**{OUTPUT: output}),
            times=moments(self.seconds[piece]),
            target=self.rows.target[piece].reset_index(drop=True),
        )

    def _loss(self, model: int, window: int) -> float:
        traffic = self._traffic(model, window)
        return float(losses(traffic.frame[OUTPUT].to_numpy(), traffic.target).mean())

    def _subject(self, model: int) -> Subject:
        known = taken(self.rows, np.arange(self.start(model)))
        if model not in self.held_out:
            self.held_out[model] = hold_out(known, np.random.default_rng(model))
        seconds = self.seconds[: self.start(model)]
        return Subject(
            name=self.rows.name,
            model=self._model(model),
            inputs=known.inputs,
            output=self.held_out[model].output,
            target=known.target,
            times=moments(seconds),
            schema=self.rows.schema,
            importance=self.held_out[model].importance,
            window=timedelta(seconds=self.window_rows * mean_apart(seconds)),
            window_rows=self.window_rows,
        )

    def _model(self, model: int) -> Model:
        if model not in self.models:
            self.models[model] = fit(taken(self.rows, np.arange(self.start(model))))
        return self.models[model]

    def _output(self, model: int) -> Floats:
        """Answer everything that follows the training."""
        if model not in self.said:
            rest = self.rows.inputs[self.start(model) :]
            self.said[model] = self._model(model).predict(rest)
        return self.said[model]


def _first(rows: Rows, most: int) -> Rows:
    times = rows.times if rows.times is None else rows.times[:most]
    return replace(rows, inputs=rows.inputs[:most], target=rows.target[:most], times=times)
