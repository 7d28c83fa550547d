"""How good the answers of a window were: measured as far as labels have come, and estimated."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trimtab.records.contracts import Contract
from trimtab.records.labels import Label
from trimtab.records.quality import Estimate, Quality, Slice
from trimtab.records.reference import Reference
from trimtab.records.slices import evenly

from . import measuring
from .estimating import Answered, estimate, estimated_losses
from .grading import grade
from .losses import losses, numbers
from .slicing import masks
from .summaries import Floats
from .time_order import seconds_of
from .watched import probabilities

COLUMNS = ("prediction_id", "key", "prediction", "probabilities")
"""What is needed of the log's rows, beside their times."""
ESTIMATED_ROWS = 50_000
"""Rows of a window that are estimated, evenly spaced: more would cost time and tell nothing."""


def keys_of(rows: pd.DataFrame) -> "pd.Series[str]":
    """Give what each row's label goes by: its key, or the prediction's id where it has none."""
    return rows["key"].fillna(rows["prediction_id"])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Known:
    """The rows of a window whose loss is known, as far as it has been looked at."""

    rows: int
    """All answered rows, those whose loss is not known included."""
    losses: Floats
    seconds: Floats
    """Event times since 1970."""
    waited: Floats
    """Seconds from there to the label."""
    parts: Mapping[Slice, NDArray[np.bool_]]


def measure(
    contract: Contract,
    reference: Reference,
    rows: pd.DataFrame,
    inputs: pd.DataFrame,
    labels: Mapping[str, Label],
    *,
    withheld: Mapping[str, str] = {},
) -> Quality | None:
    """Measure and estimate the mean loss of the answers; None when the version promised nothing.

    `rows` are the log's, `inputs` what was asked, in the same order; `withheld` names inputs that
    the log does not hold as they came. With fewer labels than a window needs rows there is no
    measured value: it would prove nothing.
    """
    if reference.quality is None:
        return None
    known = known_of(contract, reference, rows, inputs, labels, withheld=withheld)
    chosen = evenly(len(rows), ESTIMATED_ROWS)
    some = (rows.iloc[chosen], inputs.iloc[chosen])
    measured = measured_of(reference, [known])
    return measured and replace(
        measured, estimate=estimate_of(contract, reference, *some, labels, withheld=withheld)
    )


def known_of(
    contract: Contract,
    reference: Reference,
    rows: pd.DataFrame,
    inputs: pd.DataFrame,
    labels: Mapping[str, Label],
    *,
    withheld: Mapping[str, str] = {},
) -> Known:
    """Find the losses of rows that have labels; of the inputs only the slices' columns count.

    A label that is no truth gives no loss.
    """
    promise, seen = reference.quality, _seen(inputs, withheld)
    found = [labels.get(key) for key in keys_of(rows)]
    per_row = np.full(len(rows), np.nan)
    if promise is not None:
        per_row = _losses(contract, promise.metric, rows, _answered(contract, rows, seen), found)
    is_known, seconds = np.isfinite(per_row), seconds_of(rows["time"])
    known_at = [np.nan if label is None else label.known_at.timestamp() for label in found]
    slices = [part.rows_in for part in promise.slices] if promise else []
    return Known(
        rows=len(rows),
        losses=per_row[is_known],
        seconds=seconds[is_known],
        waited=(np.array(known_at) - seconds)[is_known],
        parts={s: mask[is_known] for s, mask in masks(slices, seen, contract.schema).items()},
    )


def nothing_known(
    contract: Contract, reference: Reference, *, withheld: Mapping[str, str]
) -> Known:
    """Give what is known where no label was told."""
    rows = pd.DataFrame({name: [] for name in COLUMNS}, dtype=object)
    inputs = pd.DataFrame(columns=contract.schema.names, dtype=object)
    times = pd.to_datetime(pd.Series([], dtype=object), utc=True)
    return known_of(contract, reference, rows.assign(time=times), inputs, {}, withheld=withheld)


def measured_of(reference: Reference, known: Sequence[Known]) -> Quality | None:
    """Measure what is labelled in batches of rows; None when the version promised nothing."""
    promise = reference.quality
    if promise is None:
        return None
    losses, seconds, waited = (
        np.concatenate([np.empty(0), *(getattr(batch, name) for batch in known)])
        for name in ("losses", "seconds", "waited")
    )
    parts = {
        s: np.concatenate([b.parts[s] for b in known]) for s in (known[0].parts if known else ())
    }
    rows, is_enough = sum(batch.rows for batch in known), losses.size >= reference.rows_needed
    low, high = (measuring.bounds(losses, seconds) if is_enough else None) or (None, None)
    return Quality(
        metric=promise.metric,
        value=float(losses.mean()) if is_enough else None,
        limit=measuring.limit_at(promise, losses.size),
        labelled=losses.size,
        completeness=losses.size / rows if rows else 0.0,
        low=low,
        high=high,
        lag=measuring.lag_of(waited),
        slices=measuring.measured_slices(promise.slices, losses, parts),
    )


def estimate_of(
    contract: Contract,
    reference: Reference,
    rows: pd.DataFrame,
    inputs: pd.DataFrame,
    labels: Mapping[str, Label],
    *,
    withheld: Mapping[str, str] = {},
) -> Estimate | None:
    """Estimate the mean loss by some rows of a window, evenly spaced.

    The grade is given on those of them with labels, once they are enough.
    """
    estimator, promise, needed = reference.estimator, reference.quality, reference.rows_needed
    if estimator is None or promise is None:
        return None
    answered = _answered(contract, rows, _seen(inputs, withheld))
    expected = estimated_losses(estimator, contract, answered)
    found = estimate(estimator, contract, answered, expected, rows_needed=needed)
    labelled = [labels.get(key) for key in keys_of(rows)]
    truth = _losses(contract, promise.metric, rows, answered, labelled)
    if found is None or np.isfinite(truth).sum() < needed:
        return found
    return replace(found, grade=grade(estimator, expected, truth))


def _seen(inputs: pd.DataFrame, withheld: Mapping[str, str]) -> pd.DataFrame:
    return inputs[[name for name in inputs.columns if name not in withheld]]


def _losses(
    contract: Contract,
    metric: str,
    rows: pd.DataFrame,
    answered: Answered,
    labels: Sequence[Label | None],
) -> Floats:
    known = np.flatnonzero([label is not None for label in labels])
    truth = [label.value for label in labels if label is not None]
    table = answered.probabilities
    found = np.full(len(rows), np.nan)
    found[known] = losses(
        metric,
        contract,
        None if table is None else table[known],
        rows["prediction"].iloc[known].tolist(),
        truth,
    )
    return np.where(np.isfinite(found), found, np.nan)


def _answered(contract: Contract, rows: pd.DataFrame, inputs: pd.DataFrame) -> Answered:
    if contract.task.is_classification:
        table = probabilities(rows, len(contract.classes))
        return Answered(inputs=inputs, predictions=np.full(len(rows), np.nan), probabilities=table)
    predicted = numbers(rows["prediction"].tolist())
    return Answered(inputs=inputs, predictions=predicted, probabilities=None)
