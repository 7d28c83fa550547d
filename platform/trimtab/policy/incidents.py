"""The life of incidents: k of n windows open one, n good ones or a new champion resolve it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from trimtab.records.incidents import Incident, IncidentState, Situation
from trimtab.records.promotions import Promotion
from trimtab.records.requests import Trigger
from trimtab.records.verdicts import Verdict, VerdictKind

from .quality_words import evidence_of

_SHOWS = {VerdictKind.DRIFT: Situation.DRIFT, VerdictKind.BROKEN_DATA: Situation.BROKEN_DATA}


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """What changes after a window was judged."""

    opened: tuple[Incident, ...] = ()
    resolved: tuple[Incident, ...] = ()


def situations(verdict: Verdict) -> set[Situation]:
    """Tell what a verdict shows: nothing when all is well."""
    shown = {_SHOWS[verdict.kind]} if verdict.kind in _SHOWS else set()
    if verdict.quality is not None and verdict.quality.is_worse:
        shown.add(Situation.QUALITY)
    return shown


def tells_of(verdict: Verdict, situation: Situation) -> bool:
    """Tell whether a verdict says anything of a situation, be it yes or no.

    Too few rows say nothing at all, and too few labels nothing of quality, unless an estimate
    that may be trusted warns: other windows do not count.
    """
    if situation is Situation.QUALITY:
        return verdict.quality is not None and verdict.quality.voice is not None
    return verdict.kind is not VerdictKind.NOT_ENOUGH_ROWS


def next_steps(
    verdicts: Sequence[Verdict],
    active: Sequence[Incident],
    champion: Promotion | None,
    *,
    k: int,
    n: int,
    now: datetime,
) -> Steps:
    """Decide what opens and what is resolved, from the newest verdicts (newest first).

    `verdicts` are of the champion: what an older version makes of the same traffic is history.
    """
    recent = {
        situation: [verdict for verdict in verdicts if tells_of(verdict, situation)][:n]
        for situation in Situation
    }
    resolved = []
    for incident in active:
        resolution = _resolution(incident, recent[incident.situation], champion, n)
        if resolution:
            done = replace(
                incident, state=IncidentState.RESOLVED, resolved_at=now, resolution=resolution
            )
            resolved.append(done)
    going_on = {i.situation for i in active} - {i.situation for i in resolved}
    opened = []
    for situation in Situation:
        showing = [v for v in recent[situation] if situation in situations(v)]
        if len(showing) >= k and situation not in going_on:
            opened.append(_incident(situation, showing, n, now))
    return Steps(opened=tuple(opened), resolved=tuple(resolved))


def trigger_of(
    verdicts: Sequence[Verdict], active: Sequence[Incident]
) -> tuple[Trigger, Incident] | None:
    """Tell whether to ask for a new version, and why: what is active and still goes on.

    `verdicts` are of the champion, newest first. Broken data never asks, and while it lasts
    nothing else does: a model trained on it would learn the fault. Loss of quality is the better
    reason where both are there.
    """
    by_situation = {incident.situation: incident for incident in active}
    if Situation.BROKEN_DATA in by_situation or _goes_on(verdicts, Situation.BROKEN_DATA):
        return None
    for situation, trigger in (
        (Situation.QUALITY, Trigger.QUALITY),
        (Situation.DRIFT, Trigger.DRIFT),
    ):
        if situation in by_situation and _goes_on(verdicts, situation):
            return trigger, by_situation[situation]
    return None


def _goes_on(verdicts: Sequence[Verdict], situation: Situation) -> bool:
    """Tell whether the newest window that tells of a situation shows it."""
    telling = (verdict for verdict in verdicts if tells_of(verdict, situation))
    newest = next(telling, None)
    return newest is not None and situation in situations(newest)


def _resolution(
    incident: Incident, recent: Sequence[Verdict], champion: Promotion | None, n: int
) -> str:
    """Say why an incident is over; empty while it is not."""
    cured_by_training = incident.situation is not Situation.BROKEN_DATA
    if cured_by_training and champion is not None and champion.version != incident.version:
        return f"version {champion.version} was promoted"
    if len(recent) == n and not any(situations(verdict) for verdict in recent):
        return f"the last {n} windows were well"
    return ""


def _incident(situation: Situation, showing: Sequence[Verdict], n: int, now: datetime) -> Incident:
    newest = showing[0]
    return Incident(
        id=f"{newest.model}-{newest.window.start:%Y%m%dT%H%M}-v{newest.version}-{situation}",
        model=newest.model,
        version=newest.version,
        situation=situation,
        opened_at=now,
        evidence=(
            f"{len(showing)} of the last {n} windows show it, the newest from {newest.window}",
            *evidence(situation, newest),
        ),
    )


def evidence(situation: Situation, verdict: Verdict, *, most: int = 5) -> list[str]:
    """List what a verdict shows of a situation, the clearest first."""
    match situation:
        case Situation.DRIFT:
            found = [f"{f.column}: {f.words}" for f in verdict.drifted]
        case Situation.BROKEN_DATA:
            found = [f"{f.column}: {f.note}" for f in verdict.broken]
        case Situation.QUALITY:
            return [] if verdict.quality is None else evidence_of(verdict.quality)
    more = len(found) - most
    return found[:most] + ([f"and {more} more columns"] if more > 0 else [])
