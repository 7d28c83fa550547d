"""What became of the policies, put side by side on the rows that all of them answered."""

from collections.abc import Iterator, Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from trimtab.policy.choosing import prefer
from trimtab.records.replays import (
    Preference,
    Replay,
    ReplayedPolicy,
    Retraining,
    Stage,
)

from .answering import Answering
from .errors import ReplayError
from .history import History
from .simulation import Course, Pursued
from .workshop import Version, Workshop


def compare(
    history: History,
    courses: Sequence[Course],
    workshop: Workshop,
    answering: Answering,
    *,
    wall_seconds: float,
    cpu_seconds: float,
) -> Replay:
    """Put them side by side. Raises ReplayError where no row has a label."""
    found = np.array([course.losses for course in courses])
    common = np.isfinite(found).all(axis=0)
    if not common.any():
        raise ReplayError(
            f"No row from {history.since:%Y-%m-%d} to {history.until:%Y-%m-%d} has a label: there "
            "is nothing by which policies could be compared."
        )
    policies = tuple(_policy(history, course, common, workshop, answering) for course in courses)
    return Replay(
        model=history.model,
        metric=history.settings.metric,
        source=history.source,
        since=history.since,
        until=history.until,
        rows=len(history.numbers(history.since, history.until)),
        labelled=int(common.sum()),
        seed=history.settings.train.seed,
        policies=policies,
        preference=_preference(history, courses, policies, common),
        trainings=workshop.trainings,
        cpu_seconds=cpu_seconds,
        wall_seconds=wall_seconds,
    )


def _preference(
    history: History,
    courses: Sequence[Course],
    policies: Sequence[ReplayedPolicy],
    common: NDArray[np.bool_],
) -> Preference:
    """Choose by the losses of whole windows: rows share their luck within one."""
    windows = [history.numbers(*ends) for ends in _windows(history)]
    rows = np.array([common[numbers].sum() for numbers in windows], dtype=float)
    sums = {
        course.policy.name: np.array(
            [course.losses[numbers][common[numbers]].sum() for numbers in windows]
        )
        for course in courses
    }
    return prefer(
        sums,
        rows,
        {policy.name: float(policy.trained) for policy in policies},
        confidence=history.settings.gate.confidence,
        seed=history.settings.train.seed,
    )


def _windows(history: History) -> Iterator[tuple[datetime, datetime]]:
    for window in history.windows():
        yield max(window.start, history.since), min(window.end, history.until)


def _policy(
    history: History,
    course: Course,
    common: NDArray[np.bool_],
    workshop: Workshop,
    answering: Answering,
) -> ReplayedPolicy:
    retrainings = tuple(
        _retraining(history, course, one, workshop, answering) for one in course.pursued
    )
    return ReplayedPolicy(
        name=course.policy.name,
        rule=course.policy.rule,
        loss=float(course.losses[common].mean()),
        rows=int(common.sum()),
        stages=tuple(_stages(history, course, common)),
        retrainings=retrainings,
        incidents=dict(course.watching.opened),
        alerts=course.watching.alerts,
        cpu_seconds=sum(retraining.cpu_seconds for retraining in retrainings),
    )


def _stages(history: History, course: Course, common: NDArray[np.bool_]) -> Iterator[Stage]:
    ends = [reign.since for reign in course.reigns[1:]] + [history.until]
    for first, last in _windows(history):
        for reign, over in zip(course.reigns, ends, strict=True):
            start, end = max(first, reign.since), min(last, over)
            if start >= end:
                continue
            rows = history.numbers(start, end)
            rows = rows[common[rows]]
            yield Stage(
                start=start,
                end=end,
                version=reign.version.record.version,
                rows=len(rows),
                loss=float(course.losses[rows].sum()),
            )


def _retraining(
    history: History, course: Course, one: Pursued, workshop: Workshop, answering: Answering
) -> Retraining:
    request, made = one.request, one.made
    until, rows, gained = None, 0, None
    if made is not None and made.is_made:
        moves = (reign.since for reign in course.reigns if reign.since > request.asked_at)
        until = next(moves, history.until)
        before = [r.version for r in course.reigns if r.since < request.asked_at][-1]
        numbers = history.numbers(request.asked_at, until)
        gains = _gains(answering, before, workshop.load(made), numbers)
        rows, gained = len(gains), float(gains.mean()) if len(gains) else None
    return Retraining(
        asked_at=request.asked_at,
        trigger=request.trigger,
        state=request.state,
        reasons=request.reasons,
        obstacles=request.obstacles,
        version=request.version,
        candidate=made.candidate if made else None,
        cpu_seconds=made.cpu_seconds if made else 0.0,
        until=until,
        rows=rows,
        gained=gained,
    )


def _gains(
    answering: Answering, before: Version, after: Version, rows: NDArray[np.intp]
) -> NDArray[np.float64]:
    gains = answering.losses(before, rows) - answering.losses(after, rows)
    return gains[np.isfinite(gains)]
