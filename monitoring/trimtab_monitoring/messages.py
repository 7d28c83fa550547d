"""What people are told: the evidence, the likely cause and the next step of each incident."""

from trimtab.records.incidents import Alert, Incident, Situation
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


def opened_alert(incident: Incident, verdict: Verdict, request: RetrainRequest | None) -> Alert:
    """Tell that an incident has opened."""
    next_step = _NEXT[incident.situation].format(model=incident.model)
    asked = f"A new version was asked for (request {request.id})." if request else ""
    report = (
        f"Report: {verdict.report}, in the run of version {verdict.version}."
        if verdict.report
        else ""
    )
    lines = [*incident.evidence, _CAUSE[incident.situation], f"Next: {next_step}", asked, report]
    return Alert(
        key=f"incident opened:{incident.id}",
        model=incident.model,
        title=f"{incident.model}: {_NAME[incident.situation]} (version {incident.version})",
        body="\n".join(line for line in lines if line),
        at=incident.opened_at,
    )


def resolved_alert(incident: Incident) -> Alert:
    """Tell that an incident is over."""
    return Alert(
        key=f"incident resolved:{incident.id}",
        model=incident.model,
        title=f"{incident.model}: {_NAME[incident.situation]} is over",
        body=f"Resolved: {incident.resolution}.",
        at=incident.resolved_at or incident.opened_at,
    )
