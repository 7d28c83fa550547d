"""Which changes can be made to a model's traffic, and to which of its columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import pandas as pd

from trimtab.records.drills import Change
from trimtab.records.schema import Column, ColumnType, Schema
from trimtab.settings import ModelSettings

from .errors import NoSuchColumnError, UnfitError
from .injecting import SHARES, USUAL_SIZES, Injection

_SEASONS = (timedelta(days=7), timedelta(days=1))
_CYCLE_WINDOWS = 4
_CYCLES = 4  # that the training rows must cover: what they have not seen repeat is no season
_VARIED = 10  # values that a number must have for its mean and unit to be told by


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the user wants: changes, and by change a size and a column of their own."""

    changes: tuple[Change, ...] = ()
    """Empty for all that fit the model."""
    sizes: Mapping[Change, float]
    columns: Mapping[Change, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What is drilled, and what is not."""

    injections: tuple[Injection, ...]
    left_out: Mapping[Change, str]
    """Why, by change."""


def check_sizes(wishes: Wishes) -> None:
    """Refuse sizes and columns that mean nothing. Raises UnfitError."""
    for change, size in wishes.sizes.items():
        if change not in USUAL_SIZES:
            raise UnfitError(change, "has no size")
        if change in SHARES and not 0 < size <= 1:
            raise UnfitError(change, f"{size:g} is no share of the rows; write one up to 1")
        if size == 0 or abs(size) == float("inf") or size != size:
            raise UnfitError(change, f"{size:g} would change nothing that can be judged")
        if change is Change.UNIT_CHANGE and (size < 0 or size == 1):
            raise UnfitError(change, f"{size:g} is no factor between two units")
    for change in wishes.columns:
        if change in (Change.NOTHING, Change.LABEL_FLIP):
            raise UnfitError(change, "changes no input, so it has no column")
    for change in {*wishes.sizes, *wishes.columns}:
        if wishes.changes and change not in wishes.changes:
            raise UnfitError(change, f"it is not drilled; add --change {change}")


def choose(
    wishes: Wishes,
    schema: Schema,
    importance: Mapping[str, float],
    training: pd.DataFrame,
    settings: ModelSettings,
) -> Chosen:
    """Choose a column for each change: by default the one that the model goes by most.

    What cannot be made is left out where the user did not name it. Raises UnfitError where they
    did.
    """
    injections, left_out = [], {}
    for change in wishes.changes or tuple(Change):
        try:
            injections.append(_injection(change, wishes, schema, importance, training, settings))
        except UnfitError as error:
            if change in {*wishes.changes, *wishes.columns, *wishes.sizes}:
                raise
            left_out[change] = error.why
    return Chosen(injections=tuple(injections), left_out=left_out)


def cycle_of(window: timedelta, trained: timedelta) -> timedelta:
    """Choose how long a season lasts: a week, a day, or four windows.

    It is longer than a window, which would average it out otherwise, and `trained`, the time that
    the training rows cover, holds it several times.
    """
    for season in _SEASONS:
        if window < season and _CYCLES * season <= trained:
            return season
    return _CYCLE_WINDOWS * window


def _injection(
    change: Change,
    wishes: Wishes,
    schema: Schema,
    importance: Mapping[str, float],
    training: pd.DataFrame,
    settings: ModelSettings,
) -> Injection:
    if change is Change.NOTHING:
        return Injection(change=change)
    size = wishes.sizes.get(change, USUAL_SIZES[change])
    if change is Change.LABEL_FLIP:
        if settings.target is None:
            raise UnfitError(change, f"{settings.task} has no labels")
        return Injection(change=change, column=settings.target, size=size)
    columns = [c for c in schema.columns if not settings.capture.redacts([c.name])]
    column = _column(change, columns, wishes.columns.get(change), importance, training)
    values, times = training[column.name], training[settings.time or ""]
    trained = (times.iloc[-1] - times.iloc[0]).to_pytimedelta()
    is_cycle = change is Change.CYCLE
    return Injection(
        change=change,
        column=column.name,
        size=size,
        deviation=float(values.std()) if column.type.is_numeric else 0.0,
        period=cycle_of(settings.monitor.window, trained) if is_cycle else timedelta(0),
    )


def _column(
    change: Change,
    columns: Sequence[Column],
    wanted: str | None,
    importance: Mapping[str, float],
    training: pd.DataFrame,
) -> Column:
    if wanted is not None:
        found = next((c for c in columns if c.name == wanted), None)
        if found is None:
            raise NoSuchColumnError(change, wanted, [c.name for c in columns])
        if why := _unfit(change, found, training):
            raise UnfitError(change, why)
        return found
    fitting = [c for c in columns if not _unfit(change, c, training)]
    if not fitting:
        raise UnfitError(change, _NEEDS[change])
    return max(fitting, key=lambda column: importance.get(column.name, 0.0))


_NEEDS = {
    Change.CYCLE: "no input is a number of many values",
    Change.MEAN_SHIFT: "no input is a number of many values",
    Change.UNIT_CHANGE: "no input is a number of many values",
    Change.NEW_CATEGORY: "no input is text",
    Change.NULL_BURST: "every input is required; the endpoint turns rows without one away",
}


def _unfit(change: Change, column: Column, training: pd.DataFrame) -> str:
    """Say why a change cannot be made to a column; empty when it can."""
    name = column.name
    match change:
        case Change.NULL_BURST if column.required:
            return f"{name!r} is required; the endpoint turns rows without it away"
        case Change.NEW_CATEGORY if column.type is not ColumnType.STRING:
            return f"{name!r} is no text but {column.type}"
        case Change.CYCLE | Change.MEAN_SHIFT | Change.UNIT_CHANGE:
            if not column.type.is_numeric or column.type is ColumnType.DATETIME:
                return f"{name!r} is no number but {column.type}"
            if training[name].nunique() < _VARIED:
                return f"{name!r} has fewer than {_VARIED} values"
    return ""
