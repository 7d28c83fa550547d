"""Grading estimates by the labels that came later, and when an estimate may speak alone."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from trimtab.records.estimates import Estimator
from trimtab.records.quality import Grade, Quality, TrackRecord

from .summaries import Floats

_LAST = 10
"""Windows with labels, the newest, that a record is made of."""
_FEWEST = 5
"""Fewer graded windows say nothing of an estimator."""
_HELD = 0.8
"""Share of intervals that must have held; nine of ten should, one more may miss by chance."""


def grade(estimator: Estimator, estimated: Floats, measured: Floats) -> Grade | None:
    """Compare estimate and measurement on the rows that have both; None when there are none.

    The same rows, because labels that come early may be of other rows than those that come late.
    """
    both = np.isfinite(estimated) & np.isfinite(measured)
    rows = int(both.sum())
    if rows == 0:
        return None
    error = float(estimated[both].mean() - measured[both].mean())
    margin = estimator.margin * estimator.widened(rows)
    return Grade(error=error, held=abs(error) <= margin)


def with_record(quality: Quality, earlier: Sequence[Quality], estimator: Estimator) -> Quality:
    """Put how the estimator has done beside a window's estimate; `earlier` are newest first."""
    estimate = quality.estimate
    if estimate is None:
        return quality
    grades = [q.estimate.grade for q in (quality, *earlier) if q.estimate is not None]
    record = _record([grade for grade in grades if grade is not None][:_LAST])
    warns = estimate.is_worse and is_trusted(record, estimate.value - estimator.expected)
    return replace(quality, estimate=replace(estimate, record=record, warns=warns))


def is_trusted(record: TrackRecord | None, rise: float) -> bool:
    """Tell whether an estimator has been right often enough to be believed where labels lack.

    Of the last ten windows with labels there must be five at least; four of five intervals must
    have held the measured loss; and the `rise` of the loss that it now tells of must be larger
    than what its estimates missed by on average. Else a warning would say more of the estimator
    than of the model.
    """
    if record is None or record.windows < _FEWEST:
        return False
    return record.held >= _HELD * record.windows and record.error < rise


def is_refuted(record: TrackRecord) -> bool:
    """Tell whether an estimator has been wrong so often that it must not be believed."""
    return record.windows >= _FEWEST and record.held < _HELD * record.windows


def _record(grades: Sequence[Grade]) -> TrackRecord | None:
    if not grades:
        return None
    return TrackRecord(
        windows=len(grades),
        held=sum(grade.held for grade in grades),
        error=float(np.mean([abs(grade.error) for grade in grades])),
    )
