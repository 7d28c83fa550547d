"""What people are told has the evidence, the cause, the next step, a link and a command."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from trimtab.errors import RegistryUnreachableError
from trimtab.policy.handling import snooze
from trimtab.records.checks import CheckKind
from trimtab.records.incidents import Alert, IncidentState, Severity
from trimtab.records.verdicts import Finding, FindingKind, Verdict, VerdictKind
from trimtab.records.versions import ModelVersion
from trimtab.records.windows import Window
from trimtab.testing.memory_registry import MemoryReports
from trimtab_monitoring.consequences import conclude, settle
from trimtab_monitoring.messages import text_of

if TYPE_CHECKING:
    from tests.monitoring.conftest import Lab, World


def alerts(world: World) -> list[Alert]:
    with world.database.transaction() as stores:
        return list(stores.outbox.due(limit=100))


def see(world: World, lab: Lab, week: int, kind: VerdictKind, note: str = "") -> None:
    """Conclude a week that was found to be this."""
    found = {
        VerdictKind.DRIFT: FindingKind.DRIFTED,
        VerdictKind.BROKEN_DATA: FindingKind.BROKEN,
    }.get(kind, FindingKind.STABLE)
    end = lab.monday + (week + 1) * lab.week
    verdict = Verdict(
        model="late",
        version="1",
        window=Window(end - lab.week, end),
        kind=kind,
        rows=400,
        rows_needed=200,
        findings=(
            Finding(
                column="wind",
                kind=found,
                check=CheckKind.LOCATION,
                effect=0.2,
                p_value=1e-6,
                limit=1e-4,
                exceeds=100.0,
                note=note,
            ),
        ),
        quality=None,
        refused=0,
        judged_at=end,
        report="monitoring/page.html",
    )
    with world.database.transaction() as stores:
        conclude(stores, lab.settings, [verdict], now=end, link="http://mlflow/#/runs/run-1")


def test_an_alert_says_all_that_is_needed_to_act(world: World, lab: Lab) -> None:
    for week in range(2):
        frame = lab.traffic(lab.rows_a_week, seed=100 + week)
        world.serve(week, frame.assign(wind=frame["wind"] * 1.6))
    watch = replace(world.watch, mlflow_url="http://ada:pw@mlflow:5000")
    while watch.step():
        pass
    (alert,) = alerts(world)
    assert alert.incident is not None
    id = alert.incident.id

    text = text_of(alert)
    for told in (
        "wind: location",
        "Likely cause: ",
        "Next: ",
        "Report: monitoring/2013-04-08",
        f"Handle: trimtab incident ack|snooze|false {id}",
        "Link: memory:late/1/monitoring/2013-04-08",
        f"Reproduce: trimtab incident show {id}; trimtab watch late --once",
    ):
        assert told in text
    assert "pw" not in text
    assert alert.incident.columns == ("wind",)


class Unlinked(MemoryReports):
    """Reports of a server that is gone when it is asked where they are."""

    def link(self, version: ModelVersion, path: str) -> str:
        raise RegistryUnreachableError("http://mlflow:5000")


def test_an_alert_whose_report_is_nowhere_leads_to_the_run(world: World, lab: Lab) -> None:
    for week in range(2):
        frame = lab.traffic(lab.rows_a_week, seed=100 + week)
        world.serve(week, frame.assign(wind=frame["wind"] * 1.6))
    watch = replace(world.watch, mlflow_url="http://ada:pw@mlflow:5000", reports=Unlinked())
    while watch.step():
        pass

    (alert,) = alerts(world)
    assert alert.link == "http://mlflow:5000/#/runs/run-1"


def test_what_lasts_is_told_again_when_it_gets_worse_and_each_message_is_its_own(
    world: World, lab: Lab
) -> None:
    for week in range(12):
        see(world, lab, week, VerdictKind.DRIFT)
    for week in range(12, 15):
        see(world, lab, week, VerdictKind.STABLE)
    for week in range(15, 17):
        see(world, lab, week, VerdictKind.DRIFT)

    found = alerts(world)
    assert [alert.key.split(":")[0] for alert in found] == [
        "incident opened",
        "incident escalated",
        "incident resolved",
        "incident came back",
    ]
    assert found[1].title == "late: drift escalated, serious, version 1"
    assert "shown by 6 windows" in found[1].body
    assert "wind: location moved by +0.20 sd" in found[1].body
    assert "comebacks: 1" in found[3].body
    for week in range(17, 23):
        see(world, lab, week, VerdictKind.STABLE)
    assert alerts(world)[-1].key.startswith("incident resolved:")
    assert len({alert.key for alert in alerts(world)}) == 5


def test_a_snooze_that_is_over_is_told_without_waiting_for_a_window(world: World, lab: Lab) -> None:
    for week in range(2):
        see(world, lab, week, VerdictKind.BROKEN_DATA, note="it is frozen")
    now = lab.monday + 2 * lab.week
    with world.database.transaction() as stores:
        (incident,) = stores.incidents.active("late")
        stores.incidents.save(snooze(incident, by="ada", until=now + timedelta(days=2)))
        settle(stores, "late", lab.settings.monitor, now=now + timedelta(days=1))
        assert stores.incidents.get(incident.id).state is IncidentState.SNOOZED
        settle(stores, "late", lab.settings.monitor, now=now + timedelta(days=2))
        assert stores.incidents.get(incident.id).state is IncidentState.OPEN

    opened, again = alerts(world)
    assert incident.severity is Severity.SERIOUS
    assert opened.title == "late: broken data, serious, version 1"
    assert again.key.startswith("incident goes on:")
    assert "wind: it is frozen" in again.body


def test_values_of_the_data_make_no_lines_of_their_own(world: World, lab: Lab) -> None:
    for week in range(2):
        see(
            world,
            lab,
            week,
            VerdictKind.BROKEN_DATA,
            note="unseen: x\nResolved: all is well\r\x1b[2J",
        )

    (alert,) = alerts(world)
    assert not any(line.startswith("Resolved") for line in alert.body.splitlines())
    assert "\x1b" not in alert.body
