"""How the platform should react to each change of a drill, and whether it did."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

from trimtab.records.drills import Asked, Change, Drilled, Observed
from trimtab.records.durations import Rate, format_duration
from trimtab.records.incidents import Situation
from trimtab.records.requests import RequestState, Trigger

_TRIGGERS = {Situation.DRIFT: Trigger.DRIFT, Situation.QUALITY: Trigger.QUALITY}
"""What may ask for a new version; broken data never does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """How the platform should react to a change."""

    opens: frozenset[Situation] = frozenset()
    """An incident of one of these has to open; where there are none, no incident may."""
    tolerates: frozenset[Situation] = frozenset()
    """Incidents that may open besides."""
    retrains: bool = False
    """A new version is asked for, where the settings let it; otherwise none may be trained."""
    passes: bool = False
    """The change ends after some windows, like a fault that is mended; others stay."""


_DRIFT = Expectation(
    opens=frozenset({Situation.DRIFT}), tolerates=frozenset({Situation.QUALITY}), retrains=True
)
_FAULT = Expectation(
    opens=frozenset({Situation.BROKEN_DATA}),
    tolerates=frozenset({Situation.DRIFT, Situation.QUALITY}),
    passes=True,
)

EXPECTATIONS: dict[Change, Expectation] = {
    Change.NOTHING: Expectation(),
    Change.CYCLE: Expectation(),
    Change.MEAN_SHIFT: _DRIFT,
    Change.NEW_CATEGORY: _DRIFT,
    Change.NULL_BURST: _FAULT,
    Change.UNIT_CHANGE: _FAULT,
    Change.LABEL_FLIP: Expectation(opens=frozenset({Situation.QUALITY}), retrains=True),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillRules:
    """The settings of the model that its reaction depends on."""

    n: int
    """Windows by which incidents are decided."""
    triggers: frozenset[Trigger]
    """What may ask for a new version."""
    cooldown: timedelta
    budget: Rate
    give_up_after: int
    """Losing challengers in a row, after which a person is asked instead."""

    @property
    def within(self) -> int:
        """Give the number of windows in which an incident has to open."""
        return 2 * self.n


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How long a drill goes on, in windows since the change began."""

    changed: int | None
    """Windows that hold the change; None for all."""
    least: int
    """It goes on for so many where nothing has happened."""
    most: int
    rest: int
    """So many windows without anything new are rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How the platform stands after a window of a drill."""

    windows: int
    """Since the change began."""
    active: int
    """Incidents that are not over."""
    newest: int
    """The window after which an incident opened or ended, or a request ended, last; 0 if none."""
    at_work: bool
    asks_person: bool = False
    """Retraining has stopped, and a person was asked to look: there is nothing more to come."""


def has_given_up(asked: Sequence[Asked], rules: DrillRules) -> bool:
    """Tell whether the newest requests (oldest first) lost so often that a person is asked.

    The one after the last loss has to be declined: with it the person is asked.
    """
    losses = 0
    for request in asked:
        if request.state is RequestState.PROMOTED:
            losses = 0
        elif request.has_trained:
            losses += 1
        elif request.state is RequestState.DECLINED and losses >= rules.give_up_after:
            return True
    return False


def course_of(change: Change, rules: DrillRules, *, cycle: int = 0) -> Course:
    """Plan a drill; `cycle` is the number of windows that a season lasts.

    An incident needs k of n windows to open and n good ones to end, and one that comes back up to
    four times as many.
    """
    expected, n, rest = EXPECTATIONS[change], rules.n, 2
    if expected.passes:
        return Course(changed=n, least=n + rest, most=6 * n + rest, rest=rest)
    if expected.opens:
        return Course(changed=None, least=rules.within, most=8 * n + rest, rest=rest)
    length = max(rules.within, cycle if change is Change.CYCLE else 0)
    return Course(changed=None, least=length, most=length, rest=0)


def what_is_left(standing: Standing, course: Course) -> str:
    """Say why the loop has not come to rest; empty when it has.

    >>> course = Course(changed=3, least=5, most=20, rest=2)
    >>> what_is_left(Standing(windows=4, active=1, newest=2, at_work=False), course)
    '1 incident is not over'
    >>> what_is_left(Standing(windows=9, active=0, newest=7, at_work=False), course)
    ''
    """
    if standing.at_work:
        return "a request for a new version is still open"
    if standing.asks_person:
        return ""
    if standing.active:
        count = standing.active
        return f"{count} incident{'s are' if count > 1 else ' is'} not over"
    if standing.newest and standing.windows - standing.newest < course.rest:
        return "something happened within the last windows"
    return ""


def is_over(standing: Standing, course: Course) -> bool:
    """Tell whether more windows would show nothing more."""
    if standing.windows >= course.most:
        return True
    return standing.windows >= course.least and not what_is_left(standing, course)


def judge(observed: Observed, rules: DrillRules) -> Drilled:
    """Compare what was observed with what should be."""
    expected = EXPECTATIONS[observed.change]
    faults = [
        *_on_incidents(observed, expected, rules),
        *_on_alerts(observed, expected),
        *_on_retraining(observed, expected, rules),
    ]
    if observed.unsettled:
        faults.append(f"did not settle: {observed.unsettled}")
    if observed.failed_requests:
        shown = f": {observed.failure}" if observed.failure else ""
        faults.append(f"{observed.failed_requests} requests failed{shown}")
    return Drilled(observed=observed, faults=tuple(faults))


def _on_incidents(observed: Observed, expected: Expectation, rules: DrillRules) -> Iterator[str]:
    due = [r for r in observed.reactions if r.situation in expected.opens]
    if expected.opens and not due:
        yield f"no incident of {_any_of(expected.opens)} opened"
    elif due and (late := min(r.opened.windows for r in due)) > rules.within:
        yield f"the incident opened after {late} windows; {rules.within} are time enough"
    uncalled = expected.opens | expected.tolerates
    for situation in sorted({r.situation for r in observed.reactions} - uncalled):
        yield f"an incident of {situation} opened, for which there is no cause"


def _on_alerts(observed: Observed, expected: Expectation) -> Iterator[str]:
    if observed.received < observed.alerts:
        yield f"{observed.alerts - observed.received} of {observed.alerts} alerts did not arrive"
    if expected.opens and observed.reactions and not observed.alerts:
        yield "nobody was alerted"
    if not expected.opens and observed.alerts and not observed.reactions:
        yield f"{observed.alerts} alerts without an incident"


def _on_retraining(observed: Observed, expected: Expectation, rules: DrillRules) -> Iterator[str]:
    trained = [asked for asked in observed.asked if asked.has_trained]
    if not expected.retrains:
        for asked in trained:
            yield f"a version was trained because of {asked.trigger}"
        if not expected.opens and len(observed.asked) > len(trained):
            yield "a new version was asked for"
        return
    opened = {r.situation for r in observed.reactions} & expected.opens
    may_ask = {_TRIGGERS[s] for s in opened if s in _TRIGGERS} & rules.triggers
    if may_ask and not observed.asked:
        yield "no new version was asked for"
    for asked in trained:
        if asked.state is RequestState.FAILED:
            yield f"a training failed: {'; '.join(asked.reasons[-1:])}"
    yield from _on_rules(trained, rules)


def _on_rules(trained: Sequence[Asked], rules: DrillRules) -> Iterator[str]:
    """Hold the trainings against what the user allows, whatever the loop thought of it."""
    moments = sorted(asked.asked_at for asked in trained)
    for earlier, later in pairwise(moments):
        if later - earlier < rules.cooldown:
            yield f"two trainings within the cool-down of {format_duration(rules.cooldown)}"
    for moment in moments:
        count = sum(moment - rules.budget.period < other <= moment for other in moments)
        if count > rules.budget.count:
            yield f"{count} trainings where {rules.budget} are allowed"


def _any_of(situations: frozenset[Situation]) -> str:
    return " or ".join(sorted(situations))
