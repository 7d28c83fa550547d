"""The life of incidents: what opens, escalates, comes back and ends one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from trimtab.records.incidents import Incident, IncidentState, Severity, Situation
from trimtab.records.promotions import Promotion
from trimtab.records.verdicts import Verdict

from .situations import evidence, observe, situations, tells_of

FAR_BACK = 16
"""So many times `n` verdicts are enough to decide by, also where some tell nothing."""
_MOST_WINDOWS = 20  # of an incident; it is one row, whatever it lasts
_MOST_DOUBLINGS = 2  # of the good windows that end an incident which keeps coming back
_ORDER = (Situation.QUALITY, Situation.DRIFT, Situation.BROKEN_DATA)  # loss of quality adds weight


class News(StrEnum):
    """What people are told of an incident."""

    OPENED = "opened"
    CAME_BACK = "came back"
    ESCALATED = "escalated"
    GOES_ON = "goes on"
    """Said when a snooze is over and the incident is not."""
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """An incident as it is from now on."""

    incident: Incident
    news: News | None
    """None where it only gathered evidence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """What is known of one situation."""

    situation: Situation
    telling: Sequence[Verdict]
    """The verdicts that say anything of it, newest first."""
    champion: Promotion | None
    quality_lost: bool
    k: int
    n: int
    now: datetime


def next_steps(
    verdicts: Sequence[Verdict],
    known: Sequence[Incident],
    champion: Promotion | None,
    *,
    k: int,
    n: int,
    now: datetime,
) -> tuple[Step, ...]:
    """Decide what becomes of a model's incidents, from the newest verdicts (newest first).

    `verdicts` are of the champion: what an older version makes of the same traffic is history.
    `known` are the model's newest incidents, those that are over included. Asked again about the
    same verdicts, with what it answered among the known, it changes nothing.

    - k of the last n windows that tell of a situation open an incident.
    - It ends when the last n are well, or when another version is promoted.
    - One that ended by itself at most 2n windows ago comes back instead of a new one, and then
      needs twice as many good windows to end, at most 4n.
    - Drift begins as `notice`, broken data and lost quality as `serious`. It rises by one when 2n
      windows have shown it, and by one while quality is lost as well; not while it is
      acknowledged or snoozed.
    - Windows up to the newest of one that was marked false open no other.
    """
    steps: list[Step] = []
    quality_lost = False
    for situation in _ORDER:
        facts = _Facts(
            situation=situation,
            telling=[verdict for verdict in verdicts if tells_of(verdict, situation)],
            champion=champion,
            quality_lost=quality_lost,
            k=k,
            n=n,
            now=now,
        )
        own = [incident for incident in known if incident.situation is situation]
        found = _steps_of(facts, own)
        steps += found
        if situation is Situation.QUALITY:
            after = {i.id: i for i in [*own, *(step.incident for step in found)]}
            quality_lost = any(not incident.state.is_over for incident in after.values())
    return tuple(steps)


def goes_on(verdicts: Sequence[Verdict], situation: Situation) -> bool:
    """Tell whether the newest window that tells of a situation shows it (newest first)."""
    telling = (verdict for verdict in verdicts if tells_of(verdict, situation))
    newest = next(telling, None)
    return newest is not None and situation in situations(newest)


def _steps_of(facts: _Facts, own: Sequence[Incident]) -> list[Step]:
    current = next((incident for incident in own if not incident.state.is_over), None)
    if current is None:
        begun = _begin(facts, own)
        return [begun] if begun else []
    step = _go_on(facts, current)
    if step is None or step.news is not News.RESOLVED:
        return [step] if step else []
    others = [incident for incident in own if incident.id != current.id]
    begun = _begin(facts, [*others, step.incident])  # the new champion may not be well either
    return [step, begun] if begun else [step]


def _begin(facts: _Facts, own: Sequence[Incident]) -> Step | None:
    """Open an incident, or have one come back, if k of n windows show it."""
    counted = [v for v in facts.telling if not _was_marked_false(v, own)][: facts.n]
    showing = [v for v in counted if facts.situation in situations(v)]
    if len(showing) < facts.k:
        return None
    opened = _opened(facts, counted, showing)
    earlier = _ended_lately(facts, own, opened.version)
    if earlier is None:
        return Step(incident=opened, news=News.OPENED)
    fresh = [o for o in opened.windows if not _is_seen(earlier, o.window.end)]
    back = replace(
        opened,
        id=earlier.id,
        opened_at=earlier.opened_at,
        severity=max(earlier.severity, opened.severity, key=lambda severity: severity.rank),
        windows=(*earlier.windows, *fresh)[-_MOST_WINDOWS:],
        comebacks=earlier.comebacks + 1,
    )
    return Step(incident=back, news=News.CAME_BACK)


def _opened(facts: _Facts, counted: Sequence[Verdict], showing: Sequence[Verdict]) -> Incident:
    newest, situation = showing[0], facts.situation
    told = f"{len(showing)} of the last {facts.n} windows show it, the newest from {newest.window}"
    return Incident(
        id=f"{newest.model}-{newest.window.start:%Y%m%dT%H%M}-v{newest.version}-{situation}",
        model=newest.model,
        version=newest.version,
        situation=situation,
        opened_at=facts.now,
        evidence=(told, *evidence(situation, newest)),
        severity=_severity(facts, len(showing)),
        windows=tuple(observe(situation, verdict) for verdict in reversed(counted)),
        showing=len(showing),
        seen_through=counted[0].window.end,
    )


def _was_marked_false(verdict: Verdict, own: Iterable[Incident]) -> bool:
    return any(
        incident.state is IncidentState.MARKED_FALSE and _is_seen(incident, verdict.window.end)
        for incident in own
    )


def _is_seen(incident: Incident, end: datetime) -> bool:
    """Tell whether a window that ends then is among what an incident took into account."""
    return incident.seen_through is not None and end <= incident.seen_through


def _ended_lately(facts: _Facts, own: Iterable[Incident], version: str) -> Incident | None:
    """Find the incident of which a new one would only be the continuation."""
    for incident in sorted(own, key=lambda incident: incident.opened_at, reverse=True):
        if incident.state is IncidentState.RESOLVED and incident.version == version:
            since = [v for v in facts.telling if not _is_seen(incident, v.window.end)]
            return incident if len(since) <= 2 * facts.n else None
    return None


def _go_on(facts: _Facts, incident: Incident) -> Step | None:
    """Take the windows since the last look into account; None where nothing is new."""
    gathered = _gathered(facts, incident)
    resolution = _resolution(facts, incident)
    if resolution:
        ended = replace(
            gathered,
            state=IncidentState.RESOLVED,
            snoozed_until=None,
            resolved_at=facts.now,
            resolution=resolution,
        )
        return Step(incident=ended, news=News.RESOLVED)
    news = None
    if gathered.snoozed_until is not None and facts.now >= gathered.snoozed_until:
        gathered = replace(gathered, state=IncidentState.OPEN, snoozed_until=None)
        news = News.GOES_ON
    severity = _severity(facts, gathered.showing)
    if gathered.state is IncidentState.OPEN and severity.rank > gathered.severity.rank:
        gathered = replace(gathered, severity=severity)
        news = news or News.ESCALATED
    return Step(incident=gathered, news=news) if gathered != incident else None


def _gathered(facts: _Facts, incident: Incident) -> Incident:
    fresh = [v for v in facts.telling if not _is_seen(incident, v.window.end)]
    if not fresh:
        return incident
    seen = [observe(facts.situation, verdict) for verdict in reversed(fresh)]
    return replace(
        incident,
        windows=(*incident.windows, *seen)[-_MOST_WINDOWS:],
        showing=incident.showing + sum(observation.shows for observation in seen),
        seen_through=fresh[0].window.end,
    )


def _resolution(facts: _Facts, incident: Incident) -> str:
    """Say why an incident is over; empty while it is not."""
    champion = facts.champion
    cured_by_training = incident.situation is not Situation.BROKEN_DATA
    if cured_by_training and champion is not None and champion.version != incident.version:
        return f"version {champion.version} was promoted"
    needed = facts.n * 2 ** min(incident.comebacks, _MOST_DOUBLINGS)
    recent = facts.telling[:needed]
    if len(recent) == needed and not any(situations(verdict) for verdict in recent):
        return f"the last {needed} windows were well"
    return ""


def _severity(facts: _Facts, showing: int) -> Severity:
    begins = Severity.NOTICE if facts.situation is Situation.DRIFT else Severity.SERIOUS
    rises = (showing >= 2 * facts.n) + facts.quality_lost
    return list(Severity)[min(begins.rank + rises, Severity.CRITICAL.rank)]
