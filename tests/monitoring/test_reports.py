"""What stands beside a version: a report for windows that are not well, and notes on each."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from trimtab.adapters import opening
from trimtab.adapters.sql import open_database
from trimtab.cli import console
from trimtab.errors import SettingsError
from trimtab.policy.summaries import Numbers
from trimtab.records.verdicts import Verdict, VerdictKind
from trimtab_monitoring import past_rows
from trimtab_monitoring.details import as_document, details_of
from trimtab_monitoring.past_rows import read_some
from trimtab_monitoring.report_cli import find, report
from trimtab_monitoring.version_notes import figures_of

if TYPE_CHECKING:
    from tests.monitoring.conftest import Lab, World

KEY = ("late", "1")


def drifted(world: World, lab: Lab, week: int = 0) -> Verdict:
    frame = lab.traffic(lab.rows_a_week, seed=1)
    world.serve(week, frame.assign(wind=frame["wind"] * 1.25))
    (verdict,) = world.watch.step()
    assert verdict.kind is VerdictKind.DRIFT
    return verdict


def test_a_drifted_window_gets_a_page_and_evidently_s_json_and_a_stable_one_gets_none(
    world: World, lab: Lab
) -> None:
    world.serve(0)
    world.watch.step()
    assert world.reports.files == {}

    verdict = drifted(world, lab, week=1)

    assert verdict.report == "monitoring/2013-04-08T0000_drift.html"
    page = world.reports.files[*KEY, verdict.report]
    summary = json.loads(world.reports.files[*KEY, verdict.report.replace(".html", ".json")])
    assert b"Every column" in page
    failed = {test["name"] for test in summary["tests"] if test["status"] == "FAIL"}
    assert any("wind" in name for name in failed)


def test_the_version_s_description_tells_the_newest_window_and_keeps_what_people_wrote(
    world: World, lab: Lab
) -> None:
    (version,) = world.registry.versions("late")
    world.reports.annotate(version, text="Ann knows this one.")
    verdict = drifted(world, lab)
    first = world.reports.texts[KEY]
    world.serve(1)
    world.watch.step()
    second = world.reports.texts[KEY]

    assert "**drift**" in first
    assert "- wind: " in first
    assert f"late/1/{verdict.report}" in first
    assert "**stable**" in second
    assert "**drift**" not in second
    assert second.startswith("Ann knows this one.")
    assert world.reports.tags[KEY] == {
        "trimtab.last_verdict": "stable 2013-04-08T00:00",
        "trimtab.last_report": verdict.report,
    }


def test_every_window_is_a_point_on_the_version_s_curves(world: World, lab: Lab) -> None:
    drifted(world, lab)
    world.serve(1)
    world.watch.step()

    curves = world.reports.curves[KEY]
    assert sorted(curves["monitor/columns_drifted"]) == [0, 1]
    (begun, over), (ended, under) = (
        curves["monitor/furthest_over_limit_log10"][step] for step in (0, 1)
    )
    assert over > 0 > under
    assert ended - begun == timedelta(days=7)
    assert {"monitor/rows", "monitor/output_distance", "monitor/log_loss_limit"} <= set(curves)


def test_figures_that_are_not_finite_are_no_points(world: World, lab: Lab) -> None:
    verdict = drifted(world, lab)
    odd = replace(verdict, findings=(replace(verdict.findings[0], exceeds=float("inf")),))

    assert "monitor/furthest_over_limit_log10" not in figures_of(odd)


def test_a_registry_that_fails_in_any_way_costs_the_report_and_not_the_verdict(
    world: World, lab: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    class Gone:
        def __getattr__(self, name: str) -> object:
            raise KeyError("the run was deleted")

    frame = lab.traffic(lab.rows_a_week, seed=1)
    world.serve(0, frame.assign(wind=frame["wind"] * 1.25))

    (verdict,) = replace(world.watch, reports=Gone()).step()  # type: ignore[arg-type]

    assert verdict.kind is VerdictKind.DRIFT
    assert verdict.report is None
    assert "the run was deleted" in caplog.text


def test_a_past_window_is_read_in_bounds_and_from_everywhere_in_it(
    world: World, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    verdict = drifted(world, lab)
    _, watched = world.watch.versions.get("late", "1")
    monkeypatch.setattr(past_rows, "SAMPLED_ROWS", 100)

    some = read_some(world.inference_log, "late", watched, verdict.window)

    assert {len(column.values) for column in some.values() if isinstance(column, Numbers)} == {100}


def test_a_past_window_whose_rows_have_expired_has_nothing_to_draw(world: World, lab: Lab) -> None:
    verdict = drifted(world, lab)
    _, watched = world.watch.versions.get("late", "1")
    world.inference_log.expire("late", verdict.window.end)

    assert read_some(world.inference_log, "late", watched, verdict.window) == {}


@pytest.fixture
def judged(world: World, lab: Lab) -> World:
    drifted(world, lab)
    world.serve(1)
    world.watch.step()
    return world


def test_a_window_is_found_by_any_moment_of_it(judged: World, lab: Lab) -> None:
    with judged.database.transaction() as stores:
        newest = find(stores, "late", None, None)
        first = find(stores, "late", lab.monday + timedelta(days=3), None)
        with pytest.raises(SettingsError, match="the newest is 2013-04-08 00:00"):
            find(stores, "late", lab.monday - timedelta(days=3), None)
        with pytest.raises(SettingsError, match="version 9"):
            find(stores, "late", None, "9")

    assert newest.kind is VerdictKind.STABLE
    assert first.kind is VerdictKind.DRIFT


PROJECT = '[models.late]\ntask = "binary"\nsource = "late.csv"\ntarget = "late"\n'


def asked(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(report, [*arguments, "--project", str(folder)])


def test_a_report_of_what_was_never_judged_is_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "trimtab.toml").write_text(PROJECT)
    database = open_database(f"sqlite:///{tmp_path / '.trimtab' / 'trimtab.db'}")
    with database.transaction() as stores:
        assert stores.verdicts.recent("late") == []

    result = asked(tmp_path, "late")

    assert isinstance(result.exception, SettingsError)
    assert "No window of 'late' has been judged yet." in str(result.exception)


def test_what_a_terminal_shows_fits_80_columns_and_colours_nothing_of_the_data(
    judged: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with judged.database.transaction() as stores:
        verdict = stores.verdicts.recent("late")[-1]
    told = replace(verdict.drifted[0], column="[red]w\x1b[31mind_" + "x" * 40, importance=0.61)
    monkeypatch.setattr(console, "width", 80)

    with console.capture() as captured:
        console.print(details_of(replace(verdict, findings=(told, *verdict.findings))))
    lines = captured.get().splitlines()

    assert max(map(len, lines)) <= 80
    assert "[red]w" in captured.get()
    assert "\x1b[31mind" not in captured.get()
    assert "61%" in captured.get()
    assert "report in MLflow" in captured.get()


def test_verdicts_as_json_are_whole_but_for_the_sums_of_evidence(judged: World) -> None:
    with judged.database.transaction() as stores:
        verdicts = stores.verdicts.recent("late")

    newest, first = json.loads(as_document({"late": verdicts}))["late"]

    assert (newest["kind"], first["kind"]) == ("stable", "drift")
    assert {"check", "effect", "p_value", "limit", "lasting"} <= set(first["findings"][0])
    assert newest["evidence"] == {"windows": 2, "sums": {}}


def test_a_report_is_written_to_a_file_for_a_stable_window_too(
    judged: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "trimtab.toml").write_text(PROJECT)
    for name, opened in (
        ("open_database", judged.database),
        ("open_log", judged.inference_log),
        ("open_registry", judged.registry),
    ):
        monkeypatch.setattr(opening, name, lambda _, opened=opened: opened)
    monkeypatch.setattr(console, "width", 400)
    page = tmp_path / "page.html"

    newest = asked(tmp_path, "late", "--output", str(page))
    stable = page.read_text()
    first = asked(tmp_path, "late", "--window", "2013-04-02", "--output", str(page))

    assert (newest.exit_code, first.exit_code) == (0, 0), (newest.output, first.output)
    assert "stable. Written:" in newest.output
    assert "No column moved by more than windows do" in stable
    assert "Moved by more than chance" in page.read_text()
