"""What the monitor knows, as gauges for Prometheus; read from the stores when somebody asks."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from trimtab.adapters.opening import open_clock, open_database
from trimtab.policy.sensitivity import sensitivity
from trimtab.ports import Clock, Database, Stores
from trimtab.records.deliveries import Standing
from trimtab.records.incidents import Incident, IncidentState, Situation
from trimtab.records.verdicts import Verdict, VerdictKind
from trimtab.settings import Settings

log = logging.getLogger(__name__)

_GAUGES = {
    "incidents_open": ("Incidents that are not over.", ("model", "situation")),
    "incident_severity": (
        "1 notice, 2 serious, 3 critical; 0 where there is none that somebody has yet to handle.",
        ("model", "situation"),
    ),
    "verdict": ("1 for what the newest window of the champion was found to be.", ("model", "kind")),
    "verdict_age_seconds": ("Since the end of the newest window that was judged.", ("model",)),
    "window_seconds": ("The length of a window.", ("model",)),
    "columns_drifted": ("Drifted columns of the newest window.", ("model",)),
    "columns_broken": ("Columns of the newest window whose data is broken.", ("model",)),
    "columns_desensitised": ("Columns with less sensitivity: marked false before.", ("model",)),
    "quality": ("Loss of the newest window with enough labels.", ("model", "metric")),
    "quality_limit": ("Above it the loss is worse than promised.", ("model", "metric")),
    "label_completeness": ("Share of its rows whose label is known, 0 to 1.", ("model",)),
    "alerts_waiting": ("Alerts that an address does not have yet.", ("address",)),
    "alerts_waiting_seconds": ("Since the oldest of these was queued.", ("address",)),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MonitorMetrics(Collector):
    """The gauges of some models, and of the outbox."""

    database: Database
    clock: Clock
    settings: Settings
    models: Sequence[str]

    def collect(self) -> Iterable[Metric]:
        """Read the present state."""
        families = {
            name: GaugeMetricFamily(f"trimtab_{name}", text, labels=labels)
            for name, (text, labels) in _GAUGES.items()
        }
        with self.database.transaction() as stores:
            samples = [s for model in self.models for s in self._of(stores, model)]
            standings = stores.outbox.standing()
        for name, labels, value in [*samples, *_of_outbox(standings)]:
            families[name].add_metric(labels, value)
        yield from families.values()
        failures = CounterMetricFamily(
            "trimtab_alert_failures", "Attempts that did not arrive.", labels=["address"]
        )
        for standing in standings:
            failures.add_metric([standing.address], standing.failures)
        yield failures

    def _of(self, stores: Stores, model: str) -> "Iterable[Sample]":
        now = self.clock.now()
        champion = stores.promotions.current(model)
        version = champion.version if champion else None
        verdicts = stores.verdicts.recent(model, version, limit=self._back(model))
        yield "window_seconds", [model], self.settings.model(model).monitor.window.total_seconds()
        yield "columns_desensitised", [model], len(sensitivity(stores.false_marks.of(model), now))
        yield from _of_incidents(model, stores.incidents.active(model))
        yield from _of_verdicts(model, verdicts, now)

    def _back(self, model: str) -> int:
        return 4 * self.settings.model(model).monitor.n  # labels come later than rows


Sample = tuple[str, list[str], float]


def show_metrics(settings: Settings, models: Sequence[str]) -> None:
    """Show the gauges on loopback where the settings name a port, in a thread of its own."""
    port = settings.project.platform.monitor_port
    if port is None:
        return
    registry = CollectorRegistry()
    registry.register(
        MonitorMetrics(
            database=open_database(settings),
            clock=open_clock(settings),
            settings=settings,
            models=models,
        )
    )
    try:
        start_http_server(port, addr=settings.project.platform.host, registry=registry)
    except OSError as error:  # watching is worth more than showing it
        log.error("platform.monitor_port: nothing is shown on %s: %s", port, error)


def _of_incidents(model: str, active: Sequence[Incident]) -> Iterable[Sample]:
    for situation in Situation:
        own = [incident for incident in active if incident.situation is situation]
        urgent = [i.severity.rank + 1 for i in own if i.state is IncidentState.OPEN]
        yield "incidents_open", [model, situation], len(own)
        yield "incident_severity", [model, situation], max(urgent, default=0)


def _of_verdicts(model: str, verdicts: Sequence[Verdict], now: datetime) -> Iterable[Sample]:
    if not verdicts:
        return
    newest = verdicts[0]
    for kind in VerdictKind:
        yield "verdict", [model, kind], float(newest.kind is kind)
    yield "verdict_age_seconds", [model], (now - newest.window.end).total_seconds()
    yield "columns_drifted", [model], len(newest.drifted)
    yield "columns_broken", [model], len(newest.broken)
    if newest.quality is not None:
        yield "label_completeness", [model], newest.quality.completeness
    for verdict in verdicts:
        if verdict.quality is not None and verdict.quality.value is not None:
            yield "quality", [model, verdict.quality.metric], verdict.quality.value
            yield "quality_limit", [model, verdict.quality.metric], verdict.quality.limit
            return


def _of_outbox(standings: Sequence[Standing]) -> Iterable[Sample]:
    now = datetime.now(UTC)  # deliveries go by the system's clock
    for standing in standings:
        waits = (now - standing.since).total_seconds() if standing.since else 0.0
        yield "alerts_waiting", [standing.address], standing.waiting
        yield "alerts_waiting_seconds", [standing.address], waits
