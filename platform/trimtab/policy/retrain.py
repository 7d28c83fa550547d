"""Whether a request for a new version may start a training: a pure function of what is known."""

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from trimtab.records.durations import Rate, format_duration
from trimtab.records.requests import RequestState, RetrainRequest, Trigger

_UNHURRIED = (Trigger.FIRST, Trigger.MANUAL)
"""These need not wait: a missing champion and a person always have a reason now."""
_TRAINED = (
    RequestState.WAITING,
    RequestState.PROMOTED,
    RequestState.REJECTED,
    RequestState.FAILED,
)
_LOST = (RequestState.REJECTED, RequestState.FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrainRules:
    """What the user allows; the fields are those of `[models.NAME.retrain]`."""

    triggers: frozenset[Trigger]
    cooldown: timedelta
    budget: Rate
    min_new_rows: int
    give_up_after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrainFacts:
    """What is known about a model when somebody asks for a new version."""

    trigger: Trigger
    now: datetime
    new_rows: int | None
    """Labelled rows that the champion has not seen; None where they were not counted yet, which
    is enough for a no."""
    trainings: tuple[datetime, ...] = ()
    """When the trainings so far were asked for."""
    losses_in_row: int = 0
    """Challengers that lost, or trainings that failed, since the champion was promoted."""
    in_flight: int = 0
    """Other requests for the same model that are still open."""
    broken_data: tuple[str, ...] = ()
    """Evidence of an unresolved incident of broken data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Go or not, with every reason that applies."""

    go: bool
    reasons: tuple[str, ...]
    is_given_up: bool = False
    """The tries in a row are used up: nothing is trained until a person has looked."""


def decide(facts: RetrainFacts, rules: RetrainRules) -> Decision:
    """Decide whether to train; a no names every obstacle, a yes names everything it rests on.

    >>> rules = RetrainRules(
    ...     triggers=frozenset(Trigger),
    ...     cooldown=timedelta(days=3),
    ...     budget=Rate.parse("4 per month"),
    ...     min_new_rows=500,
    ...     give_up_after=5,
    ... )
    >>> noon = datetime(2013, 5, 3, 12)
    >>> drift = RetrainFacts(
    ...     trigger=Trigger.DRIFT, now=noon, new_rows=90, trainings=(noon - timedelta(days=1),)
    ... )
    >>> for reason in decide(drift, rules).reasons:
    ...     print(reason)
    the last training was 1 d ago; the cool-down is 3d
    90 new labelled rows; at least 500 are needed

    A person need not wait, and it is written down that they did not:

    >>> by_hand = RetrainFacts(
    ...     trigger=Trigger.MANUAL, now=noon, new_rows=900, trainings=(noon - timedelta(days=1),)
    ... )
    >>> decide(by_hand, rules).go
    True
    >>> decide(by_hand, rules).reasons[2]
    'the last training was 1 d ago; a request by hand need not wait for the cool-down of 3d'

    Broken data never trains, whoever asks:

    >>> decide(RetrainFacts(
    ...     trigger=Trigger.MANUAL, now=noon, new_rows=900, broken_data=("temp is null",)
    ... ), rules).reasons
    ('the data is broken: temp is null',)
    """
    findings = list(_findings(facts, rules))
    obstacles = tuple(text for stands_in_the_way, text in findings if stands_in_the_way)
    return Decision(
        go=not obstacles,
        reasons=obstacles or tuple(text for _, text in findings if text),
        is_given_up=facts.losses_in_row >= rules.give_up_after
        and facts.trigger is not Trigger.MANUAL,
    )


def trainings_of(requests: Sequence[RetrainRequest]) -> tuple[datetime, ...]:
    """Give when the requests were asked that led, or tried to lead, to a training."""
    return tuple(r.asked_at for r in requests if r.state in _TRAINED)


def losses_in_row(
    requests: Sequence[RetrainRequest], since: datetime | None, withdrawn: Container[str] = ()
) -> int:
    """Count the newest trainings in a row that gave no better version (requests newest first).

    A move of the champion, at `since`, starts the count anew. Versions that were promoted and then
    `withdrawn` are none that won.
    """
    count = 0
    for request in requests:
        ended = request.finished_at
        is_withdrawn = request.version is not None and request.version in withdrawn
        has_won = request.state is RequestState.PROMOTED and not is_withdrawn
        if has_won or (since and ended and ended < since):
            break
        count += is_withdrawn or request.state in _LOST
    return count


def _findings(facts: RetrainFacts, rules: RetrainRules) -> Iterator[tuple[bool, str]]:
    """Give each consideration: whether it stands in the way, and its words."""
    yield _permission(facts, rules)
    if facts.broken_data:
        yield True, f"the data is broken: {'; '.join(facts.broken_data)}"
    else:
        yield False, "nothing is known to be broken in the data"
    if facts.in_flight:
        yield True, "another request for this model is still open"
    yield _pause(facts, rules)
    yield _budget(facts, rules)
    if facts.new_rows is not None:
        yield _rows(facts.trigger, facts.new_rows, rules)
    yield _patience(facts, rules)


def _permission(facts: RetrainFacts, rules: RetrainRules) -> tuple[bool, str]:
    match facts.trigger:
        case Trigger.FIRST:
            return False, "there is no champion yet"
        case Trigger.MANUAL:
            return False, "a person asked"
        case asked if asked in rules.triggers:
            return False, f"{asked} may ask for a new version (retrain.on)"
        case asked:
            return True, f"{asked} may not ask for a new version (retrain.on)"


def _pause(facts: RetrainFacts, rules: RetrainRules) -> tuple[bool, str]:
    if not facts.trainings:
        return False, "there was no training before"
    since = facts.now - max(facts.trainings)
    length = format_duration(rules.cooldown)
    last = f"the last training was {_ago(since)} ago"
    if since >= rules.cooldown:
        return False, f"{last}; the cool-down is {length}"
    if facts.trigger in _UNHURRIED:
        return False, f"{last}; {_asker(facts)} need not wait for the cool-down of {length}"
    return True, f"{last}; the cool-down is {length}"


def _budget(facts: RetrainFacts, rules: RetrainRules) -> tuple[bool, str]:
    used = sum(facts.now - at < rules.budget.period for at in facts.trainings)
    spent = f"{used} of {rules.budget} trainings used"
    if used < rules.budget.count:
        return False, spent
    if facts.trigger in _UNHURRIED:
        return False, f"{spent}; {_asker(facts)} is not bound by the budget"
    return True, f"{spent}; the budget is spent"


def _rows(trigger: Trigger, new_rows: int, rules: RetrainRules) -> tuple[bool, str]:
    if trigger is Trigger.FIRST:
        return False, f"{new_rows:,} labelled rows"  # how many are needed, training knows
    known = f"{new_rows:,} new labelled rows; at least {rules.min_new_rows:,} are needed"
    if new_rows >= rules.min_new_rows:
        return False, known
    if trigger is Trigger.MANUAL:
        return False, f"{known}, but a person wants to see"
    return True, known


def _patience(facts: RetrainFacts, rules: RetrainRules) -> tuple[bool, str]:
    if facts.losses_in_row < rules.give_up_after:
        return False, (
            f"{facts.losses_in_row} trainings in a row without a better version; "
            f"after {rules.give_up_after} a person is asked"
        )
    tried = f"{facts.losses_in_row} trainings in a row gave no better version"
    if facts.trigger is Trigger.MANUAL:
        return False, f"{tried}, and a person wants another one"
    return True, f"{tried}; a person has to look at it and ask by hand (trimtab train)"


def _asker(facts: RetrainFacts) -> str:
    return "a first version" if facts.trigger is Trigger.FIRST else "a request by hand"


def _ago(length: timedelta) -> str:
    hours = max(0, round(length / timedelta(hours=1)))
    return f"{hours // 24} d" if hours >= 24 else f"{hours} h"
