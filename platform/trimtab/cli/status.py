"""`trimtab status`: where each model is in the loop, and whether somebody has to act."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click
from rich.table import Table
from rich.text import Text

from trimtab.errors import ExitCode
from trimtab.policy.bake_words import standing
from trimtab.records.deliveries import Standing
from trimtab.records.endpoints import EndpointStatus
from trimtab.records.incidents import Incident, IncidentState
from trimtab.records.promotions import Promotion
from trimtab.records.requests import RequestState, RetrainRequest
from trimtab.records.trials import Trial, TrialKind
from trimtab.records.verdicts import Verdict

from .options import project_option
from .output import console

if TYPE_CHECKING:
    from trimtab.ports import Stores
    from trimtab.settings import ModelSettings, Settings

_UNDELIVERED = timedelta(hours=1)  # what nobody took for so long, somebody should look at
_SILENT = timedelta(seconds=30)  # an endpoint that says nothing for so long is down


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelStatus:
    """What is known of one model now."""

    model: str
    champion: Promotion | None
    endpoint: EndpointStatus | None
    verdict: Verdict | None
    incidents: tuple[Incident, ...]
    request: RetrainRequest | None
    """The newest request, open or not."""
    trial: Trial | None
    """The version that is tried beside the champion, or the champion that bakes."""
    bake: str = ""
    """How the bake stands."""
    labels: int
    alerts: tuple[Standing, ...] = ()
    """How its alerts stand at each address."""
    unmatched_labels: int = 0
    """Those of them that no prediction was found for, or not yet."""
    waits_for: str = ""
    """What a new version waits for."""
    is_given_up: bool = False
    """Nothing more is trained until a person has looked."""

    def troubles(self, now: datetime) -> list[str]:
        """List what somebody should look at; empty when all is well."""
        found = [_ongoing(incident) for incident in self.incidents]
        if waits := _waiting(self.request, self.champion, now):
            found.append(waits)
        found += [text for alerts in self.alerts if (text := _undelivered(alerts, now))]
        if self.is_given_up:
            found.append("retraining has stopped and needs a person")
        if self.endpoint is None or _is_silent(self.endpoint, now):
            found.append("the endpoint is down")
        elif self.endpoint.note:
            found.append(self.endpoint.note)
        elif self.champion and self.endpoint.version != self.champion.version:
            found.append(f"version {self.champion.version} is not served yet")
        if self.endpoint and self.endpoint.dropped:
            found.append(f"{self.endpoint.dropped} requests were not captured")
        return found


def look(stores: "Stores", model: str, settings: "ModelSettings", now: datetime) -> ModelStatus:
    """Gather a model's status in one transaction; `now` is by the clock of the loop."""
    from trimtab.policy.asking import is_given_up, waiting_words
    from trimtab.policy.known import read_known
    from trimtab.settings import rules_of

    known, rules = (
        read_known(stores, model, n=settings.monitor.n, now=now),
        rules_of(settings.retrain),
    )
    trial = stores.trials.running(model)
    return ModelStatus(
        model=model,
        champion=known.champion,
        endpoint=stores.endpoints.get(model),
        verdict=next(iter(stores.verdicts.recent(model, limit=1)), None),
        incidents=tuple(known.incidents),
        request=next(iter(known.requests), None),
        trial=trial,
        bake=_bake(stores, trial) if trial and trial.kind is TrialKind.BAKE else "",
        labels=stores.labels.count(model),
        alerts=tuple(stores.outbox.standing(model)),
        unmatched_labels=stores.label_search.unmatched(model),
        waits_for=waiting_words(known, rules),
        is_given_up=is_given_up(known, rules),
    )


@click.command(epilog="Exit code: 0 all is well, 3 somebody should look.")
@click.option("--json", "as_json", is_flag=True, help="For scripts: everything, as JSON.")
@project_option
def status(settings: "Settings", as_json: bool) -> None:
    """Show where each model is in the loop."""
    from trimtab.adapters.opening import open_clock, open_database
    from trimtab.records.documents import to_json

    with open_database(settings).transaction() as stores:
        then = open_clock(settings).now()
        declared = settings.project.models.items()
        models = [look(stores, name, model, then) for name, model in declared]
    now = datetime.now(UTC)
    if as_json:
        click.echo(to_json(models, kind=list[ModelStatus], indent=2))
    else:
        for model in models:
            console.print(table_of(model, now))
    if any(model.troubles(now) for model in models):
        raise SystemExit(ExitCode.REFUSED)


def table_of(model: ModelStatus, now: datetime) -> Table:
    """Lay it out for a terminal."""
    table = Table(title=model.model, title_justify="left", show_header=False, box=None)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in _lines(model, now):
        table.add_row(name, Text(text))  # which may hold names and values of the data
    troubles = model.troubles(now)
    if troubles:
        table.add_row("look at", Text("; ".join(troubles)), style="yellow")
    else:
        table.add_row("all well", "", style="green")
    return table


def _lines(model: ModelStatus, now: datetime) -> list[tuple[str, str]]:
    lines = []
    if model.champion:
        champion = model.champion
        lines.append(("champion", f"version {champion.version} since {champion.at:%F %H:%M}"))
        lines.append(("because", "; ".join(champion.reasons)))
    if model.endpoint:
        end = model.endpoint
        lines.append(("endpoint", f"{end.url} {_serving(end, now)}"))
        captured = f"{end.answered} answered = {end.captured} captured + {end.dropped} dropped"
        lines.append(("capture", captured))
    if model.verdict:
        verdict = model.verdict
        drifted = ", ".join(finding.column for finding in verdict.drifted[:5])
        of = f"{verdict.window}, {verdict.rows} rows"
        lines.append(("verdict", f"{verdict.kind} ({of}) {drifted}"))
    if model.request:
        request = model.request
        lines.append(("retraining", f"{request.state} ({request.trigger}, {request.asked_at:%F})"))
    if model.waits_for:
        lines.append(("next version", model.waits_for))
    if model.trial and model.bake:
        lines.append(("bakes", model.bake))
    elif model.trial:
        lines.append(("on trial", _on_trial(model.trial)))
    unmatched = f"; {model.unmatched_labels} match no prediction so far"
    lines.append(("labels", f"{model.labels}{unmatched if model.unmatched_labels else ''}"))
    return lines


def _ongoing(incident: Incident) -> str:
    state = "" if incident.state is IncidentState.OPEN else f", {incident.state}"
    return f"{incident.situation} since {incident.opened_at:%F} ({incident.severity}{state})"


def _undelivered(alerts: Standing, now: datetime) -> str:
    """Say that alerts do not get through; empty while they do, or may yet."""
    if alerts.since is None or now - alerts.since < _UNDELIVERED:
        return ""
    why = f": {alerts.error}" if alerts.error else ""
    since = f"{alerts.since:%F %H:%M}"
    return f"{alerts.waiting} alerts not delivered to {alerts.address} since {since}{why}"


def _is_silent(endpoint: EndpointStatus, now: datetime) -> bool:
    return now - endpoint.seen_at > _SILENT


def _serving(endpoint: EndpointStatus, now: datetime) -> str:
    if _is_silent(endpoint, now):
        return f"is silent since {endpoint.seen_at:%F %H:%M}"
    if not endpoint.version:
        return "has no version to serve"
    return f"serves version {endpoint.version} on {endpoint.device}"


def _bake(stores: "Stores", trial: Trial) -> str:
    evidence = stores.trials.evidence(trial.id)
    told = standing(trial, evidence.result.quality if evidence else None)
    until = f"until {trial.until:%F %H:%M}" if trial.until else "until it is ended"
    beside = f"version {trial.champion} {until} beside version {trial.challenger}"
    return f"{beside}; {told}; see trimtab trial {trial.model}"


def _waiting(request: RetrainRequest | None, champion: Promotion | None, now: datetime) -> str:
    """Say that a winner waits for a person, for how long, and what an approval would do."""
    if request is None or request.state is not RequestState.WAITING or not request.finished_at:
        return ""
    waited = max(now - request.finished_at, timedelta(0))
    length = f"{waited.days} d" if waited.days else f"{waited // timedelta(hours=1)} h"
    words = (
        f"version {request.version} won and waits for approval since "
        f"{request.finished_at:%F %H:%M} ({length}): trimtab approve {request.model} "
        f"{request.version}, or trimtab reject"
    )
    if champion and champion.at > request.finished_at:
        words += "; the champion has moved meanwhile, so an approval judges it again"
    return words


def _on_trial(trial: Trial) -> str:
    share = f" with {trial.share * 100:g}% of the requests" if trial.share else ""
    since = f"{trial.kind} of version {trial.challenger}{share} since {trial.began_at:%F %H:%M}"
    return f"{since}; see trimtab trial {trial.model}"
