"""What follows from the verdicts of a window, written together: incidents, alerts, requests."""

from collections.abc import Sequence
from datetime import datetime

from trimtab.policy.incidents import Steps, evidence, next_steps, situations, trigger_of
from trimtab.ports import Stores
from trimtab.records.incidents import Incident
from trimtab.records.ledger import LedgerEntry
from trimtab.records.requests import RetrainRequest
from trimtab.records.verdicts import Verdict
from trimtab.settings import ModelSettings

from .messages import opened_alert, resolved_alert

ACTOR = "monitoring"


def conclude(
    stores: Stores,
    settings: ModelSettings,
    verdicts: Sequence[Verdict],
    measured_again: Sequence[Verdict] = (),
    *,
    now: datetime,
) -> None:
    """Write the verdicts of one window and all that follows from them; the champion's are first.

    `measured_again` are verdicts on earlier windows for which labels have come since. Doing it
    again for the same window changes nothing but the ledger: ids and alert keys come from the
    window.
    """
    for event, judged in (("window measured", measured_again), ("window judged", verdicts)):
        for verdict in judged:
            stores.verdicts.add(verdict)
            subject = f"{verdict.window}, version {verdict.version}"
            reasons = (f"{verdict.kind}: {verdict.rows} rows", *_shown(verdict))
            _record(stores, event, verdict.model, subject, reasons, now)
    newest = verdicts[0]
    champion = stores.promotions.current(newest.model)
    if champion is None:
        return
    monitor = settings.monitor
    recent = stores.verdicts.recent(newest.model, champion.version, limit=10 * monitor.n)
    active = stores.incidents.active(newest.model)
    steps = next_steps(recent, active, champion, k=monitor.k, n=monitor.n, now=now)
    _write(stores, steps, now)
    is_current = champion.version == newest.version
    request = _ask(stores, settings, recent, now) if is_current else None
    for incident in steps.opened:
        stores.outbox.put(opened_alert(incident, newest, request))


def settle(stores: Stores, model: str, *, now: datetime) -> None:
    """Resolve what a newer champion has made past, without waiting for its first window."""
    active = stores.incidents.active(model)
    if active:
        champion = stores.promotions.current(model)
        _write(stores, next_steps([], active, champion, k=1, n=1, now=now), now)


def _write(stores: Stores, steps: Steps, now: datetime) -> None:
    for incident in steps.resolved:
        stores.incidents.save(incident)
        stores.outbox.put(resolved_alert(incident))
        reasons = (incident.resolution or "",)
        _record(stores, "incident resolved", incident.model, incident.id, reasons, now)
    for incident in steps.opened:
        stores.incidents.save(incident)
        _record(stores, "incident opened", incident.model, incident.id, incident.evidence, now)


def _ask(
    stores: Stores, settings: ModelSettings, recent: Sequence[Verdict], now: datetime
) -> RetrainRequest | None:
    """Ask for a new version, if an incident gives reason to and the user lets it."""
    newest = recent[0]
    asking = trigger_of(recent, stores.incidents.active(newest.model))
    if asking is None or not settings.retrain.allows(asking[0]):
        return None
    trigger, incident = asking
    showing = next(v for v in recent if incident.situation in situations(v))
    request = RetrainRequest(
        id=_request_id(incident, newest),
        model=newest.model,
        trigger=trigger,
        asked_by=ACTOR,
        asked_at=now,
        incident=incident.id,
        reasons=(f"{trigger} in {showing.window}", *evidence(incident.situation, showing)),
    )
    if not stores.requests.ask(request):
        return None
    _record(stores, "retrain requested", newest.model, request.id, request.reasons, now)
    return request


def _request_id(incident: Incident, newest: Verdict) -> str:
    return f"{newest.model}-{newest.window.end:%Y%m%dT%H%M}-{incident.situation}"


def _shown(verdict: Verdict) -> list[str]:
    return [line for shown in sorted(situations(verdict)) for line in evidence(shown, verdict)]


def _record(
    stores: Stores,
    event: str,
    model: str,
    subject: str,
    reasons: Sequence[str],
    now: datetime,
) -> None:
    stores.ledger.append(
        LedgerEntry(
            at=now, actor=ACTOR, event=event, model=model, subject=subject, reasons=tuple(reasons)
        )
    )
