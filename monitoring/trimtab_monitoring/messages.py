"""What people are told: the evidence, the likely cause and the next step of each incident."""

from collections.abc import Iterable
from datetime import datetime

from trimtab.policy.incidents import News
from trimtab.records.incidents import Alert, Incident, Severity, Situation
from trimtab.records.requests import RetrainRequest
from trimtab.records.verdicts import Verdict

_CAUSE = {
    Situation.DRIFT: "Likely cause: what the model is asked has changed since it was trained - "
    "a season, other users, another mix of cases.",
    Situation.QUALITY: "Likely cause: the world answers otherwise than it did in training, or "
    "labels are wrong or late.",
    Situation.BROKEN_DATA: "Likely cause: a fault before the model - a changed unit or spelling, "
    "a source that fails, a sensor that hangs.",
}
_NEXT = {
    Situation.DRIFT: "Look at the report; if the change is meant to last, the next training "
    "learns it.",
    Situation.QUALITY: "Look at which rows lose; if nothing better is promoted, think of "
    "`trimtab rollback {model}`.",
    Situation.BROKEN_DATA: "Mend the source of these columns. Nothing is trained while this lasts.",
}
_NAME = {
    Situation.DRIFT: "drift",
    Situation.QUALITY: "quality lost",
    Situation.BROKEN_DATA: "broken data",
}


def alert_of(
    news: News,
    incident: Incident,
    verdict: Verdict | None,
    request: RetrainRequest | None,
    *,
    link: str | None,
    now: datetime,
) -> Alert:
    """Tell what is new about an incident that goes on; `verdict` is the newest, if there is one."""
    asked = f"A new version was asked for (request {request.id})." if request else ""
    handle = f"Handle: trimtab incident ack|snooze|false {incident.id}"
    next_step = _NEXT[incident.situation].format(model=incident.model)
    lines = [
        _standing(news, incident),
        *(_newest(incident) if news is not News.OPENED else incident.evidence),
        _CAUSE[incident.situation],
        f"Next: {next_step}",
        asked,
        _report(verdict),
        handle,
    ]
    return Alert(
        key=_key(news, incident, now),
        model=incident.model,
        title=_title(news, incident),
        body=_body(lines),
        at=now,
        link=link,
        command=f"trimtab incident show {incident.id}; trimtab watch {incident.model} --once",
        incident=incident,
    )


def ended_alert(incident: Incident, *, link: str | None, now: datetime) -> Alert:
    """Tell that an incident is over."""
    return Alert(
        key=_key(News.RESOLVED, incident, now),
        model=incident.model,
        title=f"{incident.model}: {_NAME[incident.situation]} is over",
        body=_body([f"Resolved: {incident.resolution}."]),
        at=now,
        link=link,
        command=f"trimtab incident show {incident.id}",
        incident=incident,
    )


def text_of(alert: Alert) -> str:
    """Give the whole text: with where to look and how to see the same again."""
    link = f"Link: {alert.link}" if alert.link else ""
    command = f"Reproduce: {alert.command}" if alert.command else ""
    return "\n".join(part for part in (alert.body, link, command) if part)


def _key(news: News, incident: Incident, now: datetime) -> str:
    """Name one message: what happened to the incident, and which time that was."""
    which = {
        News.ESCALATED: f":{incident.severity}",
        News.GOES_ON: f":{now:%Y%m%dT%H%M%S}",
    }.get(news, "")
    times = f":{incident.comebacks}" if incident.comebacks else ""
    return f"incident {news}:{incident.id}{which}{times}"


def _title(news: News, incident: Incident) -> str:
    told = "" if news is News.OPENED else f" {news},"
    urgent = "" if incident.severity is Severity.NOTICE else f" {incident.severity},"
    name = _NAME[incident.situation]
    return f"{incident.model}: {name}{told or ','}{urgent} version {incident.version}"


def _standing(news: News, incident: Incident) -> str:
    if news is News.OPENED:
        return ""
    since = f"Open since {incident.opened_at:%Y-%m-%d %H:%M}"
    back = f", comebacks: {incident.comebacks}" if incident.comebacks else ""
    return f"{since}, shown by {incident.showing} windows{back}."


def _newest(incident: Incident) -> tuple[str, ...]:
    """Give the newest evidence; what the incident opened with where none is newer."""
    for observation in reversed(incident.windows):
        if observation.shows:
            return (f"Newest: {observation.window}", *observation.lines)
    return incident.evidence


def _report(verdict: Verdict | None) -> str:
    if verdict is None or not verdict.report:
        return ""
    return f"Report: {verdict.report}, in the run of version {verdict.version}."


def _body(lines: Iterable[str]) -> str:
    """Join the lines; values of the data in them must not make lines of their own."""
    plain = ("".join(c if c.isprintable() else " " for c in line) for line in lines if line)
    return "\n".join(plain)
