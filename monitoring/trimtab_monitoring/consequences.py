"""What follows from the verdicts of a window, written together: incidents, alerts, requests."""

from collections.abc import Sequence
from datetime import datetime
from uuid import uuid4

from trimtab.policy.asking import next_request
from trimtab.policy.incidents import FAR_BACK, News, Step, next_steps
from trimtab.policy.known import read_known
from trimtab.policy.situations import evidence, situations
from trimtab.ports import Stores
from trimtab.records.incidents import Incident
from trimtab.records.ledger import LedgerEntry
from trimtab.records.requests import RetrainRequest
from trimtab.records.verdicts import Verdict
from trimtab.settings import ModelSettings, MonitorSettings, rules_of

from .messages import alert_of, ended_alert

ACTOR = "monitoring"


def conclude(
    stores: Stores,
    settings: ModelSettings,
    verdicts: Sequence[Verdict],
    measured_again: Sequence[Verdict] = (),
    *,
    now: datetime,
    link: str | None = None,
) -> None:
    """Write the verdicts of one window and all that follows from them; the champion's are first.

    `measured_again` are verdicts on earlier windows for which labels have come since; `link` is
    where people look. Doing it again for the same window changes nothing but the ledger: incidents
    and alert keys come from the window, and what was asked for is open or was answered.
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
    recent = stores.verdicts.recent(newest.model, champion.version, limit=FAR_BACK * monitor.n)
    known = _known(stores, newest.model)
    steps = next_steps(recent, known, champion, k=monitor.k, n=monitor.n, now=now)
    _write(stores, steps, now)
    is_current = champion.version == newest.version
    request = _ask(stores, settings, newest.model, now) if is_current else None
    _tell(stores, steps, newest, request, link=link, now=now)


def settle(
    stores: Stores, model: str, monitor: MonitorSettings, *, now: datetime, link: str | None = None
) -> None:
    """Do what does not wait for a window: end what a newer champion has made past, end snoozes."""
    active = stores.incidents.active(model)
    if active:
        champion = stores.promotions.current(model)
        steps = next_steps([], active, champion, k=monitor.k, n=monitor.n, now=now)
        _write(stores, steps, now)
        _tell(stores, steps, None, None, link=link, now=now)


def _known(stores: Stores, model: str) -> list[Incident]:
    """List the newest incidents, with all that are not over."""
    recent = {incident.id: incident for incident in stores.incidents.recent(model)}
    return list({**recent, **{i.id: i for i in stores.incidents.active(model)}}.values())


def _write(stores: Stores, steps: Sequence[Step], now: datetime) -> None:
    over_first = sorted(steps, key=lambda step: not step.incident.state.is_over)
    for step in over_first:  # one that ends makes room for the next of its situation
        incident = step.incident
        stores.incidents.save(incident)
        if step.news is News.RESOLVED:
            reasons: Sequence[str] = (incident.resolution or "",)
        elif step.news in (News.OPENED, News.CAME_BACK):
            reasons = incident.evidence
        else:
            reasons = (f"{incident.severity}: shown by {incident.showing} windows",)
        if step.news is not None:
            event = f"incident {step.news}"
            _record(stores, event, incident.model, incident.id, reasons, now)


def _tell(
    stores: Stores,
    steps: Sequence[Step],
    newest: Verdict | None,
    request: RetrainRequest | None,
    *,
    link: str | None,
    now: datetime,
) -> None:
    for step in steps:
        incident = step.incident
        if step.news is News.RESOLVED:
            stores.outbox.put(ended_alert(incident, link=link, now=now))
        elif step.news is not None:
            alert = alert_of(step.news, incident, newest, request, link=link, now=now)
            stores.outbox.put(alert)


def _ask(
    stores: Stores, settings: ModelSettings, model: str, now: datetime
) -> RetrainRequest | None:
    """Ask for a new version, if what is known by now gives reason to and the user lets it."""
    known = read_known(stores, model, n=settings.monitor.n, now=now)
    request = next_request(known, rules_of(settings.retrain), id=uuid4().hex, asked_by=ACTOR)
    if request is None or not stores.requests.ask(request):
        return None
    _record(stores, "retrain requested", model, request.id, request.reasons, now)
    return request


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
