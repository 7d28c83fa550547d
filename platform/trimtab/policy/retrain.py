"""Whether a request for a new version may start a training: a pure function of what is known."""

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from trimtab.records.durations import Rate, format_duration
from trimtab.records.previews import Preview
from trimtab.records.requests import Obstacle, RequestState, RetrainRequest, Trigger
from trimtab.records.row_counts import Arrival
from trimtab.records.triggers import AllOf, Cause

_UNHURRIED = (Trigger.FIRST, Trigger.MANUAL)
"""These need not wait: a missing champion and a person always have a reason now."""
_TRAINED = (
    RequestState.WAITING,
    RequestState.PROMOTED,
    RequestState.REJECTED,
    RequestState.FAILED,
)
_LOST = (RequestState.REJECTED, RequestState.FAILED)
_TRIGGERS = {
    Cause.DRIFT: {Trigger.DRIFT},
    Cause.QUALITY: {Trigger.QUALITY, Trigger.ESTIMATE},
    Cause.MEASURED: {Trigger.QUALITY},
    Cause.ESTIMATED: {Trigger.ESTIMATE},
    Cause.SCHEDULE: {Trigger.SCHEDULE},
    Cause.LABELS: {Trigger.LABELS},
}
MOST_VETOES = 3
"""So often in a row a preview may say no; then the truth is asked, which previews can miss."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrainRules:
    """What the user allows; the fields are those of `[models.NAME.retrain]`."""

    on: tuple[AllOf, ...]
    cooldown: timedelta
    budget: Rate
    min_new_rows: int
    give_up_after: int
    completeness: float = 0.0
    """Share of the labels that must have come of the rows that count; 0 counts all rows."""

    @property
    def triggers(self) -> frozenset[Trigger]:
        """Who may ask; a person and a missing champion always may."""
        named = [condition.cause for entry in self.on for condition in entry.conditions]
        return frozenset(_UNHURRIED).union(*(_TRIGGERS[cause] for cause in named))


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrainFacts:
    """What is known about a model when somebody asks for a new version."""

    trigger: Trigger
    now: datetime
    new_rows: int | None
    """Labelled rows that the champion has not seen and whose labels are complete; None where they
    were not counted yet, which is enough for a no."""
    arrival: Arrival | None = None
    """How far the labels of the newest rows have come, as far as that is known."""
    trainings: tuple[datetime, ...] = ()
    """When the trainings so far were asked for."""
    losses_in_row: int = 0
    """Challengers that lost, or trainings that failed, since the champion was promoted or a person
    had one trained."""
    in_flight: int = 0
    """Other requests for the same model that are still open."""
    broken_data: tuple[str, ...] = ()
    """Evidence of an unresolved incident of broken data."""
    preview: Preview | None = None
    """What a cheap fit predicts; None before it was made, and where there is none."""
    vetoes: tuple[datetime, ...] = ()
    """When previews said no since the last training or move of the champion."""
    override: str | None = None
    """Why a person has it trained although the data is broken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Go or not, with every reason that applies."""

    go: bool
    reasons: tuple[str, ...]
    obstacles: tuple[Obstacle, ...] = ()
    """What stands in the way, in the order of the reasons; nothing where it is a go."""
    not_before: datetime | None = None
    """When the last of the obstacles ends of which the end is known; others may last longer."""
    is_given_up: bool = False
    """The tries in a row are used up: nothing is trained until a person has looked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Finding:
    """One consideration: its words, and what stands in the way, if anything does, until when."""

    words: str
    obstacle: Obstacle | None = None
    until: datetime | None = None


def decide(facts: RetrainFacts, rules: RetrainRules) -> Decision:
    """Decide whether to train; a no names every obstacle, a yes names everything it rests on.

    >>> rules = RetrainRules(
    ...     on=(AllOf.parse("drift"),),
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
    the last training was 1 d ago; the cool-down of 3d ends 2013-05-05 12:00
    90 new labelled rows; at least 500 are needed

    A person need not wait, and it is written down that they did not:

    >>> by_hand = RetrainFacts(
    ...     trigger=Trigger.MANUAL, now=noon, new_rows=900, trainings=(noon - timedelta(days=1),)
    ... )
    >>> decide(by_hand, rules).go
    True
    >>> decide(by_hand, rules).reasons[2]
    'the last training was 1 d ago; a request by hand need not wait for the cool-down of 3d'

    Broken data never trains, whoever asks, unless a person says why it may:

    >>> decide(RetrainFacts(
    ...     trigger=Trigger.MANUAL, now=noon, new_rows=900, broken_data=("temp is null",)
    ... ), rules).reasons
    ('the data is broken: temp is null',)
    """
    findings = list(_findings(facts, rules))
    against = [finding for finding in findings if finding.obstacle is not None]
    ends = [finding.until for finding in against if finding.until is not None]
    return Decision(
        go=not against,
        reasons=tuple(finding.words for finding in against or findings),
        obstacles=tuple(f.obstacle for f in against if f.obstacle is not None),
        not_before=max(ends, default=None),
        is_given_up=any(f.obstacle is Obstacle.GIVEN_UP for f in against),
    )


def trainings_of(requests: Sequence[RetrainRequest]) -> tuple[datetime, ...]:
    """Give when the requests were asked that led, or tried to lead, to a training."""
    return tuple(r.asked_at for r in requests if r.state in _TRAINED)


def losses_in_row(
    requests: Sequence[RetrainRequest], since: datetime | None, withdrawn: Container[str] = ()
) -> int:
    """Count the newest trainings in a row that gave no better version (requests newest first).

    A move of the champion, at `since`, starts the count anew, and so does a person who has one
    trained: they have looked. Versions that were promoted and then `withdrawn` are none that won.
    """
    count = 0
    for request in requests:
        ended = request.finished_at
        is_withdrawn = request.version is not None and request.version in withdrawn
        has_won = request.state is RequestState.PROMOTED and not is_withdrawn
        if has_won or (since and ended and ended < since):
            break
        if request.trigger is Trigger.MANUAL and request.state in _TRAINED:
            return count + is_withdrawn  # they have looked, but could not foresee that
        count += is_withdrawn or request.state in _LOST
    return count


def vetoes_of(requests: Sequence[RetrainRequest], since: datetime | None) -> tuple[datetime, ...]:
    """Give when previews said no, back to the last training or the move of the champion."""
    found = []
    for request in requests:
        ended = request.finished_at
        if request.state in _TRAINED or (since and ended and ended < since):
            break
        if ended and Obstacle.PREVIEW in request.obstacles and request.preview is not None:
            found.append(ended)
    return tuple(found)


def _findings(facts: RetrainFacts, rules: RetrainRules) -> Iterator[_Finding]:
    yield _permission(facts, rules)
    yield _broken(facts)
    if facts.in_flight:
        yield _Finding(words="another request for this model is still open", obstacle=Obstacle.OPEN)
    yield _pause(facts, rules)
    yield _budget(facts, rules)
    if facts.new_rows is not None:
        yield _rows(facts, facts.new_rows, rules)
    if facts.preview is not None or facts.vetoes:
        yield _preview(facts, rules)
    yield _patience(facts, rules)


def _permission(facts: RetrainFacts, rules: RetrainRules) -> _Finding:
    match facts.trigger:
        case Trigger.FIRST:
            return _Finding(words="there is no champion yet")
        case Trigger.MANUAL:
            return _Finding(words="a person asked")
        case asked if asked in rules.triggers:
            return _Finding(words=f"{asked} may ask for a new version (retrain.on)")
        case asked:
            words = f"{asked} may not ask for a new version (retrain.on)"
            return _Finding(words=words, obstacle=Obstacle.POLICY)


def _broken(facts: RetrainFacts) -> _Finding:
    if not facts.broken_data:
        return _Finding(words="nothing is known to be broken in the data")
    known = f"the data is broken: {'; '.join(sorted(set(facts.broken_data)))}"
    if facts.trigger is Trigger.MANUAL and facts.override:
        return _Finding(words=f"{known}; a person has it trained nevertheless: {facts.override}")
    return _Finding(words=known, obstacle=Obstacle.BROKEN_DATA)


def _pause(facts: RetrainFacts, rules: RetrainRules) -> _Finding:
    if not facts.trainings:
        return _Finding(words="there was no training before")
    newest = max(facts.trainings)
    length, ends = format_duration(rules.cooldown), newest + rules.cooldown
    last = f"the last training was {_ago(facts.now - newest)} ago"
    if facts.now >= ends:
        return _Finding(words=f"{last}; the cool-down is {length}")
    if facts.trigger in _UNHURRIED:
        words = f"{last}; {_asker(facts)} need not wait for the cool-down of {length}"
        return _Finding(words=words)
    words = f"{last}; the cool-down of {length} ends {ends:%Y-%m-%d %H:%M}"
    return _Finding(words=words, obstacle=Obstacle.COOLDOWN, until=ends)


def _budget(facts: RetrainFacts, rules: RetrainRules) -> _Finding:
    count, period = rules.budget.count, rules.budget.period
    used = sorted(at for at in facts.trainings if facts.now - at < period)
    spent = f"{len(used)} of {rules.budget} trainings used"
    if len(used) < count:
        return _Finding(words=spent)
    if facts.trigger in _UNHURRIED:
        return _Finding(words=f"{spent}; {_asker(facts)} is not bound by the budget")
    if not count:
        return _Finding(words=f"{spent}; there is no budget", obstacle=Obstacle.BUDGET)
    ends = used[-count] + period
    words = f"{spent}; the budget is spent until {ends:%Y-%m-%d %H:%M}"
    return _Finding(words=words, obstacle=Obstacle.BUDGET, until=ends)


def _rows(facts: RetrainFacts, new_rows: int, rules: RetrainRules) -> _Finding:
    coming = _coming(facts.arrival) if facts.arrival else ""
    if facts.trigger is Trigger.FIRST:
        return _Finding(words=f"{new_rows:,} labelled rows{coming}")  # training knows the need
    known = f"{new_rows:,} new labelled rows; at least {rules.min_new_rows:,} are needed"
    if new_rows >= rules.min_new_rows:
        return _Finding(words=f"{known}{coming}")
    if facts.trigger is Trigger.MANUAL:
        return _Finding(words=f"{known}, but a person wants to see{coming}")
    until = facts.arrival.enough_at if facts.arrival else None
    return _Finding(words=f"{known}{coming}", obstacle=Obstacle.ROWS, until=until)


def _coming(arrival: Arrival) -> str:
    """Say what is left out because its labels are still coming."""
    share, after = f"{arrival.share:.0%}", _length(arrival.after)
    words = (
        f" ({arrival.labelled:,} of about {arrival.expected:,} rows are labelled; those are "
        f"counted that are older than {after}, when {share} of the labels have come"
    )
    if arrival.enough_at is not None:
        words += f"; {share} of enough are expected by {arrival.enough_at:%Y-%m-%d %H:%M}"
    return f"{words})"


def _preview(facts: RetrainFacts, rules: RetrainRules) -> _Finding:
    """Let a preview say no, ever longer, and not for ever."""
    if facts.preview is None:
        return _last_veto(facts, rules)
    found = f"a preview predicts {facts.preview}"
    if facts.preview.predicts_gain:
        return _Finding(words=found)
    if facts.trigger in _UNHURRIED:
        return _Finding(words=f"{found}; {_asker(facts)} is trained all the same")
    if len(facts.vetoes) >= MOST_VETOES:
        words = f"{found}; it has said no {len(facts.vetoes)} times, so the truth is asked"
        return _Finding(words=words)
    ends = _next_preview(facts.now, len(facts.vetoes) + 1, rules)
    words = f"{found}; no gain, so nothing is trained; the next preview is {ends:%Y-%m-%d %H:%M}"
    return _Finding(words=words, obstacle=Obstacle.PREVIEW, until=ends)


def _last_veto(facts: RetrainFacts, rules: RetrainRules) -> _Finding:
    newest = max(facts.vetoes)
    words = f"a preview predicted no gain {_ago(facts.now - newest)} ago"
    ends = _next_preview(newest, len(facts.vetoes), rules)
    if facts.now >= ends or facts.trigger in _UNHURRIED:
        return _Finding(words=words)
    words = f"{words}; the next one is {ends:%Y-%m-%d %H:%M}"
    return _Finding(words=words, obstacle=Obstacle.PREVIEW, until=ends)


def _next_preview(said_no: datetime, noes: int, rules: RetrainRules) -> datetime:
    """Wait a quarter of the cool-down after a first no, then half of it, then all of it."""
    return said_no + rules.cooldown * 2.0 ** min(0, noes - MOST_VETOES)


def _patience(facts: RetrainFacts, rules: RetrainRules) -> _Finding:
    if facts.losses_in_row < rules.give_up_after:
        return _Finding(
            words=f"{facts.losses_in_row} trainings in a row without a better version; "
            f"after {rules.give_up_after} a person is asked"
        )
    tried = f"{facts.losses_in_row} trainings in a row gave no better version"
    if facts.trigger is Trigger.MANUAL:
        return _Finding(words=f"{tried}, and a person wants another one")
    words = f"{tried}; a person has to look at it and ask by hand (trimtab train)"
    return _Finding(words=words, obstacle=Obstacle.GIVEN_UP)


def _asker(facts: RetrainFacts) -> str:
    return "a first version" if facts.trigger is Trigger.FIRST else "a request by hand"


def _ago(length: timedelta) -> str:
    hours = max(0, round(length / timedelta(hours=1)))
    return f"{hours // 24} d" if hours >= 24 else f"{hours} h"


def _length(length: timedelta) -> str:
    """Write a length of time to two figures or so: `36 h`, `12 min`."""
    if length < timedelta(hours=2):
        return f"{max(1, round(length / timedelta(minutes=1)))} min"
    if length < timedelta(days=3):
        return f"{round(length / timedelta(hours=1))} h"
    return f"{round(length / timedelta(days=1))} d"
