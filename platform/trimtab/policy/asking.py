"""Whether to ask for a new version: the user's triggers, as a pure function of what is known."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from trimtab.records.incidents import Incident, Situation
from trimtab.records.promotions import Promotion
from trimtab.records.quality import Voice
from trimtab.records.requests import RequestState, RetrainRequest, Trigger
from trimtab.records.row_counts import RowCount
from trimtab.records.triggers import AllOf, Cause, Condition
from trimtab.records.verdicts import Verdict

from .incidents import goes_on
from .reigns import last_advance, withdrawn
from .retrain import (
    Decision,
    RetrainFacts,
    RetrainRules,
    decide,
    losses_in_row,
    trainings_of,
    vetoes_of,
)
from .situations import evidence, situations

_ORDER = (Cause.MEASURED, Cause.ESTIMATED, Cause.QUALITY, Cause.DRIFT, Cause.LABELS, Cause.SCHEDULE)
"""The better reason first: it gives the request its trigger."""
_BEST = (Trigger.QUALITY, Trigger.ESTIMATE, Trigger.DRIFT, Trigger.LABELS, Trigger.SCHEDULE)
_SHORTEST_WAIT = timedelta(hours=1)
_LONGEST_WAIT = timedelta(days=1)
"""Between two asks for one cause, whatever is known meanwhile; doubled with each decline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the stores know of a model."""

    model: str
    now: datetime
    champion: Promotion | None
    requests: Sequence[RetrainRequest]
    """Newest first."""
    incidents: Sequence[Incident] = ()
    """Those that are not over."""
    verdicts: Sequence[Verdict] = ()
    """Of the champion, newest window first."""
    count: RowCount | None = None
    """The newest count of labelled rows."""
    moves: Sequence[Promotion] = ()
    """All moves of the champion, newest first."""

    @property
    def open_request(self) -> RetrainRequest | None:
        """The request that is not over, if there is one."""
        return next((r for r in self.requests if r.state.is_open), None)

    @property
    def new_rows(self) -> int | None:
        """Labelled rows that the champion has not seen; None where they were not counted."""
        epoch = self.champion.epoch if self.champion else 0
        return self.count.new_rows if self.count and self.count.epoch == epoch else None

    @property
    def since(self) -> datetime | None:
        """When the champion was promoted: what was tried before counts no more."""
        return self.champion.at if self.champion else None

    @property
    def last_training(self) -> datetime | None:
        """When the last training was asked for, or the champion moved."""
        moved = [] if self.since is None else [self.since]
        return max([*trainings_of(self.requests), *moved], default=None)

    @property
    def is_broken(self) -> bool:
        """Tell whether the data is broken, by an incident or by the newest window alone."""
        by_incident = any(i.situation is Situation.BROKEN_DATA for i in self.incidents)
        return by_incident or goes_on(self.verdicts, Situation.BROKEN_DATA)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Why a new version is to be asked for."""

    trigger: Trigger
    cause: str
    """What makes it this cause and no other: one is declined once."""
    reasons: tuple[str, ...]
    incident: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """A condition as it is now."""

    is_so: bool
    words: str
    ask: Ask | None = None


def standing_ask(known: Known, on: Sequence[AllOf]) -> Ask | None:
    """Tell why to ask, if any of the entries holds; the one with the best reason.

    Broken data never asks, and while it lasts nothing else does: a model trained on it would learn
    the fault. Without a champion a first version is asked for, elsewhere.
    """
    if known.champion is None or known.is_broken:
        return None
    found = [ask for entry in on if (ask := _ask_of(known, entry)) is not None]
    return min(found, key=lambda ask: _BEST.index(ask.trigger), default=None)


def next_request(
    known: Known, rules: RetrainRules, *, id: str, asked_by: str
) -> RetrainRequest | None:
    """Give the request to file now, if any.

    A cause is asked for at once, and so it stands in the ledger when it is declined. It is asked
    again by itself, as long as it lasts, when what is known stands in the way no longer.
    """
    if known.open_request is not None:
        return None
    ask = standing_ask(known, rules.on)
    if ask is None:
        return None
    declined = _declined(known, ask.cause)
    if declined and not _may_ask_again(known, rules, ask, declined):
        return None
    again = [_asked_again(declined[0])] if declined else []
    return RetrainRequest(
        id=id,
        model=known.model,
        trigger=ask.trigger,
        asked_by=asked_by,
        asked_at=known.now,
        incident=ask.incident,
        reasons=(*again, *ask.reasons),
        cause=ask.cause,
    )


def decision_on(known: Known, rules: RetrainRules, trigger: Trigger) -> Decision:
    """Decide by what is known without reading any row."""
    return decide(facts_of(known, trigger), rules)


def facts_of(known: Known, trigger: Trigger, request: RetrainRequest | None = None) -> RetrainFacts:
    """Put what is known as the facts of a decision; `request` is the one to be decided."""
    others = [r for r in known.requests if request is None or r.id != request.id]
    return RetrainFacts(
        trigger=trigger,
        now=known.now,
        new_rows=known.new_rows,
        arrival=known.count.arrival if known.count and known.new_rows is not None else None,
        trainings=trainings_of(others),
        losses_in_row=_losses(known, others),
        in_flight=sum(other.state.is_open for other in others),
        broken_data=tuple(
            line
            for incident in known.incidents
            if incident.situation is Situation.BROKEN_DATA
            for line in incident.evidence or (f"incident {incident.id}",)
        ),
        vetoes=vetoes_of(others, known.since),
        override=request.override if request else None,
    )


def needs_count(known: Known, rules: RetrainRules) -> bool:
    """Tell whether it matters how many labelled rows are new: something waits for them."""
    if known.champion is None or known.open_request is not None or known.is_broken:
        return False
    if any(_waits_for_labels(known, entry) for entry in rules.on):
        return True
    ask = standing_ask(known, rules.on)
    needed = rules.min_new_rows
    return ask is not None and (known.new_rows is None or known.new_rows < needed)


def is_given_up(known: Known, rules: RetrainRules) -> bool:
    """Tell whether nothing is trained any more until a person has looked."""
    return _losses(known, known.requests) >= rules.give_up_after


def losses_against(moves: Sequence[Promotion], requests: Sequence[RetrainRequest]) -> int:
    """Count the trainings in a row without a better version; one that a bake took back is none.

    Both are newest first.
    """
    return losses_in_row(requests, last_advance(moves), withdrawn(moves))


def _losses(known: Known, requests: Sequence[RetrainRequest]) -> int:
    champion = [known.champion] if known.champion else []
    return losses_against(known.moves or champion, requests)


def waiting_words(known: Known, rules: RetrainRules) -> str:
    """Say what a new version waits for."""
    if known.open_request is not None:
        return f"{known.open_request.trigger} asked; it is {known.open_request.state}"
    ask = standing_ask(known, rules.on)
    if ask is None and is_given_up(known, rules):
        return decision_on(known, rules, Trigger.FIRST).reasons[-1]
    if known.champion is None:
        return "a first version is asked for by itself"
    if ask is not None:
        decision = decision_on(known, rules, ask.trigger)
        against = decision.reasons if not decision.go else ("asking",)
        return f"{ask.trigger}: {'; '.join(against)}"
    entries = " or ".join(" and ".join(_words(known, entry)) for entry in rules.on)
    broken = "the data is broken, and while it is nothing asks; else " if known.is_broken else ""
    return f"{broken}waits for {entries}" if entries else f"{broken}waits for a person to ask"


def _ask_of(known: Known, entry: AllOf) -> Ask | None:
    states = [_state(known, c) for c in sorted(entry.conditions, key=_rank)]
    asks = [state.ask for state in states if state.is_so and state.ask]
    if len(asks) < len(states):
        return None
    return Ask(
        trigger=asks[0].trigger,
        cause=" and ".join(ask.cause for ask in asks),
        reasons=tuple(reason for ask in asks for reason in ask.reasons),
        incident=next((ask.incident for ask in asks if ask.incident), None),
    )


def _rank(condition: Condition) -> int:
    return _ORDER.index(condition.cause)


def _words(known: Known, entry: AllOf) -> list[str]:
    return [_state(known, condition).words for condition in entry.conditions]


def _waits_for_labels(known: Known, entry: AllOf) -> bool:
    """Tell whether new labels are all that an entry lacks."""
    labels = [c for c in entry.conditions if c.cause is Cause.LABELS]
    others = [c for c in entry.conditions if c.cause is not Cause.LABELS]
    lacking = any(not _state(known, condition).is_so for condition in labels)
    return lacking and all(_state(known, condition).is_so for condition in others)


def _state(known: Known, condition: Condition) -> _State:
    match condition.cause:
        case Cause.SCHEDULE:
            return _schedule(known, condition)
        case Cause.LABELS:
            return _labels(known, condition)
        case Cause.DRIFT:
            return _shown(known, condition, Situation.DRIFT)
        case Cause.QUALITY | Cause.MEASURED | Cause.ESTIMATED:
            return _shown(known, condition, Situation.QUALITY)


def _shown(known: Known, condition: Condition, situation: Situation) -> _State:
    """See whether an incident is active and still goes on, by the voice that is wanted."""
    incident = next((i for i in known.incidents if i.situation is situation), None)
    showing = next((v for v in known.verdicts if situation in situations(v)), None)
    words = str(condition)
    if incident is None or showing is None or not goes_on(known.verdicts, situation):
        return _State(is_so=False, words=words)
    trigger = _trigger(showing, situation)
    wanted = {Cause.MEASURED: Trigger.QUALITY, Cause.ESTIMATED: Trigger.ESTIMATE}
    if wanted.get(condition.cause, trigger) is not trigger:
        return _State(is_so=False, words=words)
    ask = Ask(
        trigger=trigger,
        cause=f"{words} {incident.id}",
        reasons=(f"{trigger} in {showing.window}", *evidence(situation, showing)),
        incident=incident.id,
    )
    return _State(is_so=True, words=f"{words} (so)", ask=ask)


def _trigger(showing: Verdict, situation: Situation) -> Trigger:
    if situation is Situation.DRIFT:
        return Trigger.DRIFT
    voice = showing.quality.voice if showing.quality else None
    return Trigger.ESTIMATE if voice is Voice.ESTIMATED else Trigger.QUALITY


def _schedule(known: Known, condition: Condition) -> _State:
    last, every = known.last_training, condition.every
    if last is None or every is None:
        return _State(is_so=False, words=str(condition))
    due = last + every
    if known.now < due:
        return _State(is_so=False, words=f"{condition} (due {due:%Y-%m-%d %H:%M})")
    ask = Ask(
        trigger=Trigger.SCHEDULE,
        cause=f"{condition} since {last:%Y-%m-%dT%H:%M}",
        reasons=(f"{condition}: the last training or promotion was {last:%Y-%m-%d %H:%M}",),
    )
    return _State(is_so=True, words=f"{condition} (due)", ask=ask)


def _labels(known: Known, condition: Condition) -> _State:
    """See whether enough labelled rows have come since the champion, or since the last try."""
    needed = condition.labels or 0
    if known.new_rows is None:
        return _State(is_so=False, words=f"{condition} (not counted yet)")
    tried = _rows_at_last_training(known)
    fresh = max(0, known.new_rows - tried)
    if fresh < needed:
        return _State(is_so=False, words=f"{condition} ({fresh:,} so far)")
    since = "the last training" if tried else "the champion's"
    epoch = known.champion.epoch if known.champion else 0
    ask = Ask(
        trigger=Trigger.LABELS,
        cause=f"{condition} after {tried} of epoch {epoch}",
        reasons=(f"{fresh:,} labelled rows are new since {since}; {needed:,} are asked for",),
    )
    return _State(is_so=True, words=f"{condition} ({fresh:,})", ask=ask)


def _rows_at_last_training(known: Known) -> int:
    """Count the rows that a challenger of this champion has been tried with already."""
    for request in known.requests:
        if known.since and request.asked_at < known.since:
            break
        if request.state in (RequestState.REJECTED, RequestState.FAILED):
            return request.new_rows or 0
    return 0


def _declined(known: Known, cause: str) -> list[RetrainRequest]:
    """List how often a cause was declined since the last training or move, newest first."""
    found: list[RetrainRequest] = []
    for request in known.requests:
        ended = request.finished_at
        if trainings_of([request]) or (known.since and ended and ended < known.since):
            break
        if request.state is RequestState.DECLINED and request.cause == cause:
            found.append(request)
    return found


def _may_ask_again(
    known: Known, rules: RetrainRules, ask: Ask, declined: Sequence[RetrainRequest]
) -> bool:
    last = declined[0].finished_at or declined[0].asked_at
    wait = min(_LONGEST_WAIT, _SHORTEST_WAIT * 2 ** min(10, len(declined) - 1))
    return known.now >= last + wait and decision_on(known, rules, ask.trigger).go


def _asked_again(declined: RetrainRequest) -> str:
    at = declined.finished_at or declined.asked_at
    why = ", ".join(declined.obstacles) or "reasons that may be gone"
    return f"asked again: declined {at:%Y-%m-%d %H:%M} for {why}, which is over as far as is known"
