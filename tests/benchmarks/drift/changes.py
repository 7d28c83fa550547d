"""Changes of known size, made to independent rows; pure functions."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .opinions import Kind
from .rows import Rows, with_columns
from .subjects import Subject

Floats = NDArray[np.float64]
_CORRELATED = 0.3
"""Between columns that correlate less there is nothing to flip."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pool:
    """Rows to draw windows from, and the columns that are changed."""

    rows: Rows
    spread: Mapping[str, float]
    """Standard deviation of each number, in training."""
    mean: Mapping[str, float]
    most: str
    """The number that the model needs most."""
    second: str | None
    """The number that it needs most after that."""
    least: str
    """The number that it needs least."""
    category: str | None
    """The category that it needs most; None where all columns are numbers."""
    any_most: str
    """What the model needs most, of any kind."""
    tied: str | None
    """The number that is tied closest to another one."""


Drawn = tuple[pd.DataFrame, "pd.Series[Any]"]
Draw = Callable[[Pool, int, np.random.Generator], Drawn | None]
"""Draws a changed window; None where the data has nothing to change in this way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change, and what a monitor should call it."""

    words: str
    draw: Draw
    right: tuple[Kind, ...]


def pool(subject: Subject, rows: Rows) -> Pool | None:
    """Choose the columns to change; None where no column is a number that varies."""
    inputs = subject.inputs
    numbers = [str(n) for n in inputs if inputs[n].dtype.kind in "if"]
    spread = {n: float(inputs[n].std()) for n in numbers}
    numbers = [n for n in numbers if spread[n] > 0 and inputs[n].nunique() > 2]
    if not numbers:
        return None
    by_use = sorted(numbers, key=lambda n: -subject.importance[n])
    categories = [str(n) for n in inputs if inputs[n].dtype == object]
    return Pool(
        rows=rows,
        spread=spread,
        mean={n: float(inputs[n].mean()) for n in numbers},
        most=by_use[0],
        second=by_use[1] if len(by_use) > 1 else None,
        least=by_use[-1],
        category=max(categories, key=lambda n: subject.importance[n], default=None),
        any_most=max(subject.importance, key=lambda n: subject.importance[n]),
        tied=_tied(inputs[numbers]),
    )


def _tied(numbers: pd.DataFrame) -> str | None:
    if numbers.shape[1] < 2:
        return None
    some = numbers.sample(min(len(numbers), 5000), random_state=0)
    ties = some.corr(method="spearman").abs().to_numpy(copy=True)
    np.fill_diagonal(ties, 0)
    strongest = np.nan_to_num(ties).max(axis=0)
    best = int(np.argmax(strongest))
    return str(numbers.columns[best]) if strongest[best] >= _CORRELATED else None


def plain(pool: Pool, rows: int, rng: np.random.Generator) -> Drawn:
    """Draw a window in which nothing is changed."""
    order = rng.choice(len(pool.rows.inputs), rows, replace=False)
    inputs = pool.rows.inputs.iloc[order].reset_index(drop=True)
    return inputs, pool.rows.target.iloc[order].reset_index(drop=True)


def on_grid(values: Floats, known: Floats, rng: np.random.Generator) -> Floats:
    """Round to the steps in which a column is measured, up or down by chance.

    Else a whole number that is now 3.1 would give away any shift, however small.
    """
    step = grid(known)
    if step is None:
        return values
    low = np.nanmin(known)
    stepped = low + step * np.floor((values - low) / step + rng.random(len(values)))
    return _as_written(np.asarray(stepped), known, step / 100)


def _as_written(values: Floats, known: Floats, tolerance: float) -> Floats:
    """Give values as training had them, to the last digit: 0.1 + 0.2 is not 0.3."""
    distinct = np.unique(known[np.isfinite(known)])
    after = np.clip(np.searchsorted(distinct, values), 1, len(distinct) - 1)
    left, right = distinct[after - 1], distinct[after]
    nearest = np.where(values - left < right - values, left, right)
    return np.where(np.abs(values - nearest) < tolerance, nearest, values)


def grid(known: Floats) -> float | None:
    """Find the step of which all values are multiples.

    >>> grid(np.array([1.0, 3.0, 7.0]))
    2.0
    >>> grid(np.array([0.1, 0.25, 0.7112])) is None
    True
    """
    distinct = np.unique(known[np.isfinite(known)])
    if len(distinct) < 2:
        return None
    step = float(np.diff(distinct).min())
    steps = (distinct - distinct[0]) / step
    return step if np.allclose(steps, steps.round(), atol=0.01, rtol=0) else None


def replaced(column: str, change: Callable[[Floats, Pool, np.random.Generator], Floats]) -> Draw:
    """Change the values of a column: `most` or `least`, as the pool names it."""

    def draw(pool: Pool, rows: int, rng: np.random.Generator) -> Drawn | None:
        name = getattr(pool, column)
        if name is None:
            return None
        inputs, target = plain(pool, rows, rng)
        values = change(inputs[name].to_numpy(dtype=float), pool, rng)
        kept = inputs[name].dtype.kind == "i" and np.array_equal(values, np.floor(values))
        column_ = pd.Series(values, dtype="int64" if kept else "float64")
        return with_columns(inputs, {name: column_}), target

    return draw


def shifted(column: str, deviations: float) -> Draw:
    """Add a multiple of the standard deviation to a column."""

    def change(values: Floats, pool: Pool, rng: np.random.Generator) -> Floats:
        name = getattr(pool, column)
        moved = values + deviations * pool.spread[name]
        return on_grid(moved, pool.rows.inputs[name].to_numpy(dtype=float), rng)

    return replaced(column, change)


def wider(variance: float) -> Draw:
    """Multiply the variance of the most important number."""

    def change(values: Floats, pool: Pool, rng: np.random.Generator) -> Floats:
        middle = pool.mean[pool.most]
        moved = middle + np.sqrt(variance) * (values - middle)
        return on_grid(moved, pool.rows.inputs[pool.most].to_numpy(dtype=float), rng)

    return replaced("most", change)


def measured_in(change: Callable[[Floats], Floats]) -> Draw:
    """Give the most important number in another unit."""
    return replaced("most", lambda values, pool, rng: change(values))


def frozen() -> Draw:
    """Let the most important number stand still."""

    def change(values: Floats, pool: Pool, rng: np.random.Generator) -> Floats:
        return np.full(len(values), values[~np.isnan(values)][0])

    return replaced("most", change)


def flipped() -> Draw:
    """Turn the ranks of a column round: its own values stay, its correlations change sign."""

    def change(values: Floats, pool: Pool, rng: np.random.Generator) -> Floats:
        present = np.flatnonzero(~np.isnan(values))
        order = present[np.argsort(values[present] + 1e-9 * rng.random(len(present)))]
        turned = values.copy()
        turned[order] = values[order[::-1]]
        return turned

    return replaced("tied", change)


def new_category(pool: Pool, rows: int, rng: np.random.Generator) -> Drawn | None:
    """Give 5% of the rows a category that training never saw."""
    if pool.category is None:
        return None
    inputs, target = plain(pool, rows, rng)
    chosen = rng.choice(rows, rows // 20, replace=False)
    values = inputs[pool.category].copy()
    values.iloc[chosen] = "never seen"
    return with_columns(inputs, {pool.category: values}), target


def lost(share: float) -> Draw:
    """Lose some values of the most important column."""

    def draw(pool: Pool, rows: int, rng: np.random.Generator) -> Drawn | None:
        inputs, target = plain(pool, rows, rng)
        chosen = rng.choice(rows, round(share * rows), replace=False)
        values = inputs[pool.any_most]
        if values.dtype != object:
            values = values.astype("float64")
        values = values.copy()
        values.iloc[chosen] = None if values.dtype == object else np.nan
        return with_columns(inputs, {pool.any_most: values}), target

    return draw


def swapped(pool: Pool, rows: int, rng: np.random.Generator) -> Drawn | None:
    """Confuse the two most important numbers."""
    if pool.second is None:
        return None
    inputs, target = plain(pool, rows, rng)
    pair = {pool.most: inputs[pool.second], pool.second: inputs[pool.most]}
    return with_columns(inputs, pair), target


def repeated(times: int) -> Draw:
    """Send every row several times."""

    def draw(pool: Pool, rows: int, rng: np.random.Generator) -> Drawn | None:
        inputs, target = plain(pool, max(1, rows // times), rng)
        order = np.resize(np.arange(len(inputs)), rows)
        return (
            inputs.iloc[order].reset_index(drop=True),
            target.iloc[order].reset_index(drop=True),
        )

    return draw


def more_often(share: float) -> Draw:
    """Let so many more of the rows be true; or, of numbers, be above their median."""

    def draw(pool: Pool, rows: int, rng: np.random.Generator) -> Drawn | None:
        target = pool.rows.target
        high = target if target.dtype == bool else target > target.median()
        ups, downs = np.flatnonzero(high), np.flatnonzero(~high)
        wanted = round(min(1.0, len(ups) / len(target) + share) * rows)
        if wanted > len(ups):
            return None
        order = rng.permutation(
            np.r_[
                rng.choice(ups, wanted, replace=False),
                rng.choice(downs, rows - wanted, replace=False),
            ]
        )
        inputs = pool.rows.inputs.iloc[order].reset_index(drop=True)
        return inputs, target.iloc[order].reset_index(drop=True)

    return draw


_MOVED = (Kind.DRIFT,)
_BROKEN = (Kind.BROKEN,)
_EITHER = (Kind.DRIFT, Kind.BROKEN)

CHANGES = (
    Change(words="none", draw=plain, right=(Kind.QUIET,)),
    Change(words="mean +0.1 sd, most important", draw=shifted("most", 0.1), right=_MOVED),
    Change(words="mean +0.25 sd, most important", draw=shifted("most", 0.25), right=_MOVED),
    Change(words="mean +0.1 sd, least important", draw=shifted("least", 0.1), right=_MOVED),
    Change(words="mean +0.25 sd, least important", draw=shifted("least", 0.25), right=_MOVED),
    Change(words="variance x1.5", draw=wider(1.5), right=_MOVED),
    Change(words="new category, 5%", draw=new_category, right=_EITHER),
    Change(words="10% missing", draw=lost(0.1), right=_EITHER),
    Change(words="label +0.15", draw=more_often(0.15), right=_MOVED),
    Change(words="correlation flipped", draw=flipped(), right=_MOVED),
    Change(words="unit x1000", draw=measured_in(lambda v: v * 1000), right=_BROKEN),
    Change(words="unit C to F", draw=measured_in(lambda v: v * 1.8 + 32), right=_BROKEN),
    Change(words="unit cents to euros", draw=measured_in(lambda v: v / 100), right=_BROKEN),
    Change(words="half missing", draw=lost(0.5), right=_BROKEN),
    Change(words="column frozen", draw=frozen(), right=_BROKEN),
    Change(words="columns swapped", draw=swapped, right=_BROKEN),
    Change(words="every row ten times", draw=repeated(10), right=_BROKEN),
)
