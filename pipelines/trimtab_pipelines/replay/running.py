"""Running several policies on one past, side by side, each training made once."""

import os
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

from trimtab.records.replays import Replay
from trimtab_pipelines.judging import judge

from .answering import Answering
from .errors import ReplayError
from .history import History
from .making import usable
from .policies import DRIFT, EVENLY, Policy, evenly, policy_of, require_known
from .results import compare
from .simulation import Course, Simulation
from .workshop import Version, Workshop, open_workshop


class _StoppedError(Exception):
    """Another policy failed, or the user does not want to wait."""


@dataclass(kw_only=True)
class Progress:
    """Who is told how far the work is."""

    said: Callable[[str], None] = lambda words: None
    """Told what is going on."""
    reached: Callable[[str, float], None] = lambda policy, share: None
    """Told which share of the past a policy has behind it, 0 to 1."""
    _is_stopped: threading.Event = field(default_factory=threading.Event)

    def stop(self) -> None:
        """Have every policy end at its next moment."""
        self._is_stopped.set()

    def tick(self, history: History, policy: str, now: datetime) -> None:
        """Note that a policy has reached a moment."""
        if self._is_stopped.is_set():
            raise _StoppedError
        self.reached(policy, (now - history.since) / (history.until - history.since))


def replay(
    history: History, names: Sequence[str], *, processes: int, progress: Progress | None = None
) -> Replay:
    """Run the policies on a past; the same past and the same seed give the same, but for times.

    With more than one process, versions are made in as many of them, and policies go on side by
    side. Raises SettingsError for an unknown policy, ReplayError where the first version is not
    worth serving, and whatever a decision raises.
    """
    told, own = progress or Progress(), history.settings.retrain
    require_known(names, own)
    began, cpu = time.monotonic(), _cpu_seconds()
    answering = Answering(history=history)
    with tempfile.TemporaryDirectory(prefix="trimtab-replay-") as folder:
        with open_workshop(history, Path(folder), processes) as workshop:
            told.said(f"the first version learns what was known {history.since:%Y-%m-%d %H:%M}")
            first = _first(history, workshop)
            run = partial(_run, history, workshop, answering, first, told)
            courses = _side_by_side(history, names, run, told, is_parallel=processes > 1)
        return compare(
            history,
            courses,
            workshop,
            answering,
            wall_seconds=time.monotonic() - began,
            cpu_seconds=_cpu_seconds() - cpu,
        )


def _first(history: History, workshop: Workshop) -> Version:
    """Make the version that all policies begin with. Raises ReplayError where there is none."""
    made = workshop.make(history.since)
    if not made.is_made:
        raise ReplayError(f"There is no first version at {made.name}: {made.why}")
    version = workshop.load(made)
    rows = usable(history, history.since)
    result = judge(history.settings, rows, version.contender, None)
    if not result.passed:
        raise ReplayError(
            f"The first version, of {made.name}, is no better than a model that knows only how "
            f"often each answer occurs: {' '.join(result.reasons)} Begin later: --from"
        )
    return version


def _run(
    history: History,
    workshop: Workshop,
    answering: Answering,
    first: Version,
    told: Progress,
    policy: Policy,
) -> Course:
    simulation = Simulation(
        history=history,
        policy=policy,
        workshop=workshop,
        answering=answering,
        first=first,
        tick=partial(told.tick, history, policy.name),
        say=told.said,
    )
    course = simulation.run()
    told.reached(policy.name, 1.0)
    told.said(f"{policy.name}: {course.trained} trainings, {len(course.reigns) - 1} promotions")
    return course


def _side_by_side(
    history: History,
    names: Sequence[str],
    run: Callable[[Policy], Course],
    told: Progress,
    *,
    is_parallel: bool,
) -> list[Course]:
    """Give the courses in the order of the names; `evenly` waits for the count of drift."""
    own = history.settings.retrain
    first = sorted((n for n in names if n != EVENLY), key=lambda name: name != DRIFT)
    courses: dict[str, Future[Course]] = {}
    with ThreadPoolExecutor(len(names) if is_parallel else 1) as threads:
        try:
            for name in first:
                courses[name] = threads.submit(run, policy_of(name, own))
            if EVENLY in names:
                count = courses[DRIFT].result().trained
                even = evenly(own, history.until - history.since, count)
                courses[EVENLY] = threads.submit(run, even)
            for waiting in as_completed(courses.values()):
                waiting.result()
        except BaseException:
            told.stop()
            raise
    return [courses[name].result() for name in names]


def _cpu_seconds() -> float:
    """Give the processor time of this process and of those that have ended under it."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system
