"""What a verdict tells of each situation, and with which evidence."""

from trimtab.records.incidents import Observation, Situation
from trimtab.records.verdicts import Finding, Verdict, VerdictKind

from .quality_words import evidence_of

_SHOWS = {VerdictKind.DRIFT: Situation.DRIFT, VerdictKind.BROKEN_DATA: Situation.BROKEN_DATA}
_MOST_COLUMNS = 20  # of an observation; wide models would make incidents grow without bound


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


def observe(situation: Situation, verdict: Verdict) -> Observation:
    """Note what a verdict tells of a situation."""
    shows = situation in situations(verdict)
    columns = [finding.column for finding in _findings(situation, verdict)] if shows else []
    return Observation(
        window=verdict.window,
        shows=shows,
        lines=tuple(evidence(situation, verdict)) if shows else (),
        columns=tuple(columns[:_MOST_COLUMNS]),
    )


def evidence(situation: Situation, verdict: Verdict, *, most: int = 5) -> list[str]:
    """List what a verdict shows of a situation, the clearest first."""
    if situation is Situation.QUALITY:
        return [] if verdict.quality is None else evidence_of(verdict.quality)
    found = [_line(situation, finding) for finding in _findings(situation, verdict)]
    more = len(found) - most
    return found[:most] + ([f"and {more} more columns"] if more > 0 else [])


def _findings(situation: Situation, verdict: Verdict) -> list[Finding]:
    match situation:
        case Situation.DRIFT:
            return verdict.drifted
        case Situation.BROKEN_DATA:
            return verdict.broken
        case Situation.QUALITY:
            return []


def _line(situation: Situation, finding: Finding) -> str:
    shown = finding.words if situation is Situation.DRIFT else finding.note
    return f"{finding.column}: {shown}"
