"""The monitor's gauges say what the stores say."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from trimtab.policy.handling import acknowledge, marks_of
from trimtab.records.incidents import Alert, Severity
from trimtab.settings import Settings, load
from trimtab_monitoring.metrics import MonitorMetrics, show_metrics

if TYPE_CHECKING:
    from tests.monitoring.conftest import Lab, World

PROJECT = """
[models.late]
task = "binary"
source = "late.csv"
target = "late"

[models.late.monitor]
window = "1w"
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "trimtab.toml").write_text(PROJECT)
    return load(tmp_path)


def gauges(world: World, settings: Settings) -> Callable[..., float | None]:
    registry = CollectorRegistry()
    registry.register(
        MonitorMetrics(
            database=world.database, clock=world.clock, settings=settings, models=["late"]
        )
    )

    def read(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"trimtab_{name}", labels)

    return read


def test_before_anything_is_judged_there_is_no_verdict_and_no_incident(
    world: World, settings: Settings
) -> None:
    read = gauges(world, settings)

    assert read("verdict", model="late", kind="stable") is None
    assert read("verdict_age_seconds", model="late") is None
    assert read("incidents_open", model="late", situation="drift") == 0
    assert read("window_seconds", model="late") == 7 * 86400
    assert read("alerts_waiting", address="log") == 0


def test_a_drifted_week_with_labels_is_shown_whole(
    world: World, lab: Lab, settings: Settings
) -> None:
    for week in range(2):
        frame = lab.traffic(lab.rows_a_week, seed=100 + week)
        labels = lab.truth(frame, seed=week)
        world.serve(week, frame.assign(wind=frame["wind"] * 1.6), labels=labels)
        assert world.watch.step()
    read = gauges(world, settings)

    assert read("verdict", model="late", kind="drift") == 1
    assert read("verdict", model="late", kind="stable") == 0
    lateness = lab.settings.monitor.lateness.total_seconds()
    assert read("verdict_age_seconds", model="late") == lateness
    assert read("columns_drifted", model="late") == 1
    assert read("columns_broken", model="late") == 0
    assert read("label_completeness", model="late") == 1
    quality = read("quality", model="late", metric="log_loss")
    limit = read("quality_limit", model="late", metric="log_loss")
    assert quality is not None
    assert limit is not None
    assert 0 < quality < limit
    assert read("incidents_open", model="late", situation="drift") == 1
    assert read("incident_severity", model="late", situation="drift") == 1


def test_an_incident_that_somebody_has_taken_on_is_open_but_no_longer_urgent(
    world: World, lab: Lab, settings: Settings
) -> None:
    for week in range(2):
        frame = lab.traffic(lab.rows_a_week, seed=100 + week)
        world.serve(week, frame.assign(wind=None))
        world.watch.step()
    read = gauges(world, settings)
    with world.database.transaction() as stores:
        (incident,) = stores.incidents.active("late")
        assert incident.severity is Severity.SERIOUS
        assert incident.columns == ("wind",)

    assert read("incident_severity", model="late", situation="broken_data") == 2
    until = world.clock.now() + timedelta(days=1)
    marks = marks_of(incident, ["wind"], by="ada", why="x", now=world.clock.now(), until=until)
    with world.database.transaction() as stores:
        stores.incidents.save(acknowledge(incident, by="ada"))
        stores.false_marks.save(marks[0])
    assert read("incident_severity", model="late", situation="broken_data") == 0
    assert read("incidents_open", model="late", situation="broken_data") == 1
    assert read("columns_desensitised", model="late") == 1
    assert world.watch.sensitivity() == {"wind": 0.25}


def test_alerts_that_do_not_get_through_are_counted_by_address(
    world: World, settings: Settings
) -> None:
    alert = Alert(key="a", model="late", title="t", body="b", at=world.clock.now())
    with world.database.transaction() as stores:
        stores.outbox.put(alert)
        stores.outbox.put(replace(alert, key="b"))
        stores.outbox.claim("slack:1", hold=timedelta(0))
        stores.outbox.missed("a", "slack:1", "it answered 500", is_unsure=False)
    read = gauges(world, settings)

    assert read("alerts_waiting", address="slack:1") == 2
    assert read("alert_failures_total", address="slack:1") == 1
    waits = read("alerts_waiting_seconds", address="slack:1")
    assert waits is not None
    assert 0 <= waits < 60


def test_prometheus_finds_them_on_loopback_where_a_port_is_set(
    settings: Settings, free_port: Callable[[], int]
) -> None:
    port = free_port()
    platform = settings.project.platform.model_copy(update={"monitor_port": port})
    project = settings.project.model_copy(update={"platform": platform})
    show_metrics(replace(settings, project=project), ["late"])

    page = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10).read().decode()

    assert 'trimtab_incidents_open{model="late",situation="drift"} 0.0' in page
