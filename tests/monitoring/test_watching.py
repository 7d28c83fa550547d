"""Windows in time order, incidents with a life, and all of it in one transaction."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from trimtab.errors import UnknownVersionError
from trimtab.records.endpoints import EndpointStatus
from trimtab.records.incidents import IncidentState, Situation
from trimtab.records.reference import OUTPUT
from trimtab.records.requests import RequestState, Trigger
from trimtab.records.verdicts import FindingKind, Verdict, VerdictKind
from trimtab.settings import CaptureSettings, RetrainSettings
from trimtab_monitoring import consequences

if TYPE_CHECKING:
    from tests.monitoring.conftest import Lab, World


def drifted(lab: Lab, week: int) -> pd.DataFrame:
    frame = lab.traffic(lab.rows_a_week, seed=100 + week)
    return frame.assign(wind=frame["wind"] * 1.6)


def broken(lab: Lab, week: int) -> pd.DataFrame:
    return lab.traffic(lab.rows_a_week, seed=100 + week).assign(wind=None)


def watch_all(world: World) -> list[Verdict]:
    """Judge every closed window."""
    verdicts: list[Verdict] = []
    while judged := world.watch.step():
        verdicts += judged
    return verdicts


def events(world: World) -> list[str]:
    with world.database.transaction() as stores:
        return [entry.event for entry in reversed(stores.ledger.entries(limit=1000))]


def alert_keys(world: World) -> list[str]:
    with world.database.transaction() as stores:
        return [alert.key for alert in stores.outbox.due(limit=100)]


def endpoint(shipped_through: datetime | None) -> EndpointStatus:
    return EndpointStatus(
        model="late",
        url="http://127.0.0.1:3000",
        version="1",
        device="cpu",
        answered=1,
        captured=1,
        dropped=0,
        shipped_through=shipped_through,
        seen_at=datetime.fromisoformat("2013-04-01T00:00:00Z"),
    )


def test_every_closed_week_has_one_verdict_with_every_column(world: World, lab: Lab) -> None:
    for week in range(3):
        world.serve(week)

    verdicts = watch_all(world)

    assert [v.window.start for v in verdicts] == [lab.monday + i * lab.week for i in range(3)]
    assert [v.kind for v in verdicts] == [VerdictKind.STABLE] * 3
    assert all([f.column for f in v.findings] == lab.findings for v in verdicts)
    assert events(world) == ["window judged"] * 3
    with world.database.transaction() as stores:
        assert list(reversed(stores.verdicts.recent("late"))) == verdicts


def test_a_window_waits_for_stragglers(world: World) -> None:
    world.serve(0)
    world.clock.advance(-timedelta(seconds=1))
    assert world.watch.step() == []

    world.clock.advance(timedelta(seconds=1))
    assert len(world.watch.step()) == 1


def test_a_window_waits_until_its_capture_is_shipped(world: World, lab: Lab) -> None:
    world.serve(0)
    for shipped, judged in (
        (None, 0),
        (lab.monday + lab.week - timedelta(seconds=1), 0),
        (lab.monday + lab.week, 1),
    ):
        with world.database.transaction() as stores:
            stores.endpoints.put(endpoint(shipped))
        assert len(world.watch.step()) == judged


def test_an_input_that_is_not_captured_is_not_judged_and_is_not_broken(
    world: World, lab: Lab
) -> None:
    capture = CaptureSettings(drop=("wind",), hash=("carrier",))
    rules = world.watch.settings.model_copy(update={"capture": capture})
    watch = replace(world.watch, settings=rules)
    world.serve(0, broken(lab, 0).assign(carrier="4a7d1ed414474e4033ac29ccb8653d9b"))
    (verdict,) = watch.step()
    found = {finding.column: finding for finding in verdict.findings}

    assert verdict.kind is VerdictKind.STABLE
    assert [finding.column for finding in verdict.findings] == lab.findings
    assert found["wind"].kind is found["carrier"].kind is FindingKind.NOT_JUDGED
    assert "capture.drop" in found["wind"].note
    assert "hash" in found["carrier"].note


def test_a_week_without_traffic_is_said_and_does_not_stop_the_next(world: World) -> None:
    world.serve(0)
    world.serve(2)

    verdicts = watch_all(world)

    assert [v.kind for v in verdicts] == [
        VerdictKind.STABLE,
        VerdictKind.NOT_ENOUGH_ROWS,
        VerdictKind.STABLE,
    ]
    assert verdicts[1].rows == 0
    assert {f.kind for f in verdicts[1].findings} == {FindingKind.NOT_JUDGED}


def test_without_traffic_or_without_a_champion_there_is_nothing_to_judge(world: World) -> None:
    world.clock.advance(timedelta(days=400))

    assert world.watch.step() == []


def test_drift_opens_one_incident_with_one_alert_and_one_request(world: World, lab: Lab) -> None:
    world.serve(0)
    for week in (1, 2, 3, 4):
        world.serve(week, drifted(lab, week))

    verdicts = watch_all(world)

    assert [v.kind for v in verdicts][1:] == [VerdictKind.DRIFT] * 4
    with world.database.transaction() as stores:
        (incident,) = stores.incidents.recent("late")
        (request,) = stores.requests.recent("late")
        (alert,) = stores.outbox.due()
    assert (incident.situation, incident.state) == (Situation.DRIFT, IncidentState.OPEN)
    assert incident.version == "1"
    assert any("wind" in line for line in incident.evidence)
    assert (request.trigger, request.state) == (Trigger.DRIFT, RequestState.ASKED)
    assert request.incident == incident.id
    assert any("wind: " in reason for reason in request.reasons)
    assert alert.key == f"incident opened:{incident.id}"
    for told in ("wind: ", "Likely cause", "Next:", request.id, "monitoring/2013-04-15"):
        assert told in alert.body
    assert events(world).count("retrain requested") == 1


def test_the_page_of_a_drifted_window_lies_beside_its_version(world: World, lab: Lab) -> None:
    world.serve(0)
    world.serve(1, drifted(lab, 1))

    stable, drift = watch_all(world)

    assert stable.report is None
    assert drift.report == "monitoring/2013-04-08T0000_drift.html"
    ((model, version, name), page) = next(iter(world.reports.files.items()))
    assert (model, version, name) == ("late", "1", drift.report)
    assert b"-log10 of the calibrated p-value" in page


def test_an_incident_ends_by_itself_when_the_windows_are_well_again(world: World, lab: Lab) -> None:
    for week in range(5):
        world.serve(week, drifted(lab, week) if week < 2 else None)

    watch_all(world)

    with world.database.transaction() as stores:
        (incident,) = stores.incidents.recent("late")
        assert stores.incidents.active("late") == []
    assert incident.resolution == "the last 3 windows were well"
    assert [key.split(":")[0] for key in alert_keys(world)] == [
        "incident opened",
        "incident resolved",
    ]


def test_a_promotion_ends_an_incident_before_the_next_window_is_over(
    world: World, lab: Lab
) -> None:
    for week in range(2):
        world.serve(week, drifted(lab, week))
    watch_all(world)
    world.promote("3", world.clock.now())

    assert world.watch.step() == []

    with world.database.transaction() as stores:
        (incident,) = stores.incidents.recent("late")
    assert incident.resolution == "version 3 was promoted"
    assert events(world)[-1] == "incident resolved"


def test_versions_that_served_in_one_window_are_judged_apart(world: World, lab: Lab) -> None:
    world.serve(0)
    watch_all(world)
    world.promote("2", world.clock.now())
    world.serve(1, drifted(lab, 1), version="1")
    world.serve(1, version="2")

    verdicts = watch_all(world)

    assert {v.version: v.kind for v in verdicts} == {
        "2": VerdictKind.STABLE,
        "1": VerdictKind.DRIFT,
    }
    assert verdicts[0].version == "2"  # the champion's verdict leads


def test_what_an_older_version_sees_opens_no_incident(world: World, lab: Lab) -> None:
    world.serve(0)
    world.promote("2", world.clock.now())
    for week in (1, 2, 3):
        world.serve(week, drifted(lab, week), version="1")
        world.serve(week, version="2")

    watch_all(world)

    assert alert_keys(world) == []


def test_broken_data_alerts_and_never_asks_for_a_new_version(world: World, lab: Lab) -> None:
    for week in range(3):
        world.serve(week, broken(lab, week))

    verdicts = watch_all(world)

    assert {v.kind for v in verdicts} == {VerdictKind.BROKEN_DATA}
    with world.database.transaction() as stores:
        (incident,) = stores.incidents.active("late")
        assert incident.situation is Situation.BROKEN_DATA
        assert stores.requests.recent("late") == []
        (alert,) = stores.outbox.due()
    assert "Mend the source" in alert.body


def test_broken_data_that_is_still_open_keeps_drift_from_asking(world: World, lab: Lab) -> None:
    for week in range(4):
        world.serve(week, broken(lab, week) if week < 2 else drifted(lab, week))

    watch_all(world)

    with world.database.transaction() as stores:
        assert {i.situation for i in stores.incidents.active("late")} == {
            Situation.DRIFT,
            Situation.BROKEN_DATA,
        }
        assert stores.requests.recent("late") == []


def test_lost_quality_asks_for_a_new_version_though_nothing_drifted(world: World, lab: Lab) -> None:
    for week in range(2):
        frame = lab.traffic(lab.rows_a_week, seed=100 + week)
        other_world = frame.assign(**{OUTPUT: 1 - frame[OUTPUT]})
        world.serve(week, frame, labels=lab.truth(other_world, seed=week))

    verdicts = watch_all(world)

    assert [v.kind for v in verdicts] == [VerdictKind.STABLE] * 2
    assert all(v.quality is not None and v.quality.is_worse for v in verdicts)
    assert all(v.report is not None for v in verdicts)
    with world.database.transaction() as stores:
        (request,) = stores.requests.recent("late")
    assert request.trigger is Trigger.QUALITY


def test_labels_that_come_late_are_measured_with_the_next_window(world: World, lab: Lab) -> None:
    frames = [lab.traffic(lab.rows_a_week, seed=100 + week) for week in range(3)]
    for week in range(2):
        world.serve(week, frames[week])
        (verdict,) = world.watch.step()
        assert verdict.quality is not None
        assert verdict.quality.value is None
    for week in range(2):
        other_world = frames[week].assign(**{OUTPUT: 1 - frames[week][OUTPUT]})
        world.label(week, lab.truth(other_world, seed=week))
    world.serve(2, frames[2])
    (newest,) = world.watch.step()

    with world.database.transaction() as stores:
        *_, second, first = stores.verdicts.recent("late")
        (request,) = stores.requests.recent("late")
    for verdict in (first, second):
        assert verdict.quality is not None
        assert verdict.quality.is_worse
    assert newest.quality is not None
    assert newest.quality.value is None
    assert request.trigger is Trigger.QUALITY
    assert str(second.window) in request.reasons[0]
    assert events(world).count("window measured") == 2


def test_a_trigger_that_the_user_did_not_allow_asks_for_nothing(world: World, lab: Lab) -> None:
    quiet = world.watch.settings.model_copy(update={"retrain": RetrainSettings(on=("quality",))})
    for week in range(2):
        world.serve(week, drifted(lab, week))

    watch = replace(world.watch, settings=quiet)
    assert watch.step()
    assert watch.step()

    with world.database.transaction() as stores:
        assert stores.requests.recent("late") == []
        assert len(stores.incidents.active("late")) == 1


def test_a_monitor_that_dies_before_it_has_written_judges_the_same_window_again(
    world: World, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    for week in range(2):
        world.serve(week, drifted(lab, week))
    assert world.watch.step()

    class PowerCutError(Exception):
        """The process ends here."""

    def cut(*_: object, **__: object) -> None:
        raise PowerCutError

    with monkeypatch.context() as patch:  # after verdict, incident and ledger, before the alert
        patch.setattr(consequences, "alert_of", cut)
        with pytest.raises(PowerCutError):
            world.watch.step()

    with world.database.transaction() as stores:
        assert len(stores.verdicts.recent("late")) == 1
        assert stores.incidents.recent("late") == []
    (verdict,) = world.watch.step()
    assert verdict.window.start == lab.monday + lab.week
    assert len(alert_keys(world)) == 1
    assert events(world) == [
        "window judged",
        "window judged",
        "incident opened",
        "retrain requested",
    ]


def test_concluding_a_window_twice_changes_nothing(world: World, lab: Lab) -> None:
    for week in range(2):
        world.serve(week, drifted(lab, week))
    verdicts = watch_all(world)

    with world.database.transaction() as stores:
        consequences.conclude(stores, lab.settings, verdicts[-1:], now=world.clock.now())

    with world.database.transaction() as stores:
        assert len(stores.verdicts.recent("late")) == 2
        assert len(stores.incidents.recent("late")) == 1
        assert len(stores.requests.recent("late")) == 1
        assert len(stores.outbox.due()) == 1


def test_an_older_version_that_was_deleted_costs_only_its_verdict(world: World, lab: Lab) -> None:
    world.serve(0)
    watch_all(world)
    world.promote("2", world.clock.now())
    world.serve(1, version="1")
    world.serve(1, version="2")
    world.registry.delete("late", "1")
    world.watch.versions._loaded.clear()

    assert [v.version for v in watch_all(world)] == ["2"]


def test_a_champion_that_the_registry_lacks_is_an_error_and_no_verdict(world: World) -> None:
    world.serve(0)
    world.registry.delete("late", "1")

    with pytest.raises(UnknownVersionError):
        world.watch.step()
    with world.database.transaction() as stores:
        assert stores.verdicts.recent("late") == []


def test_a_caller_cannot_send_the_monitor_back_in_time(world: World, lab: Lab) -> None:
    world.serve(-9000, lab.traffic(lab.rows_a_week, seed=1))  # weeks, as a caller claims
    world.serve(0)

    assert [v.window.start for v in watch_all(world)] == [lab.monday]


def test_an_older_version_whose_files_changed_costs_only_its_verdict(
    world: World, tmp_path: Path
) -> None:
    world.serve(0)
    watch_all(world)
    world.promote("2", world.clock.now())
    world.serve(1, version="1")
    world.serve(1, version="2")
    world.watch.versions._loaded.clear()
    (known,) = [v for v in world.registry.versions("late") if v.version == "1"]
    changed = Path(shutil.copytree(world.folder, tmp_path / "changed"))
    (changed / "contract.json").write_text("{}")
    world.registry.add(known, changed)

    assert [v.version for v in watch_all(world)] == ["2"]
