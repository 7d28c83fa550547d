"""The page in a real browser: it draws, it asks nobody for anything, and no value of it runs."""

from __future__ import annotations

import html
import os
import re
import shutil
import signal
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from trimtab.policy.evaluate import Beside, judge_frame
from trimtab.policy.watched import WatchedVersion
from trimtab.records.schema import Schema
from trimtab.records.verdicts import Verdict, VerdictKind
from trimtab.records.windows import Window
from trimtab_monitoring import drift
from trimtab_monitoring.page import Pictures
from trimtab_monitoring.report import Report, make_report

if TYPE_CHECKING:
    from tests.monitoring.conftest import Lab

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
WINDOW = Window(datetime(2013, 4, 1, tzinfo=UTC), datetime(2013, 4, 8, tzinfo=UTC))
MARK = "document.documentElement.setAttribute('data-hacked','1')"
SCRIPT = f"</script><script>{MARK}</script>"
IMAGE = f'"\'><img src=x onerror="{MARK}">'
HACKED = 'data-hacked="1"'


def shown_by_chromium(page: Path, profile: Path) -> str:
    """The document after its scripts have run."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: that values of a page do not run is NOT proven")
    command = [
        *(CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update"),
        *(f"--user-data-dir={profile}", "--virtual-time-budget=6000", "--window-size=1280,900"),
        *("--dump-dom", page.as_uri()),
    ]
    browser = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        shown, _ = browser.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        os.killpg(browser.pid, signal.SIGKILL)
        raise
    return shown.decode()


def renamed(watched: WatchedVersion, names: dict[str, str]) -> WatchedVersion:
    """The same version with other names of its columns."""
    schema, reference = watched.contract.schema, watched.reference
    columns = tuple(replace(c, name=names.get(c.name, c.name)) for c in schema.columns)
    return replace(
        watched,
        contract=replace(watched.contract, schema=Schema(columns=columns)),
        reference=replace(
            reference,
            columns=tuple(replace(c, name=names.get(c.name, c.name)) for c in reference.columns),
            checks=tuple(
                replace(
                    check,
                    column=names.get(check.column, check.column),
                    other=names.get(check.other, check.other),
                )
                for check in reference.checks
            ),
        ),
        sample=watched.sample.rename(columns=names),
    )


def reported(
    watched: WatchedVersion, frame: pd.DataFrame, **changes: Any
) -> tuple[Verdict, Report]:
    step = (WINDOW.end - WINDOW.start) / max(1, len(frame))
    rows = pd.DataFrame({"time": [WINDOW.start + i * step for i in range(len(frame))]})
    unpromised = replace(watched, reference=replace(watched.reference, quality=None))
    judgement = judge_frame(
        "late", unpromised, WINDOW, frame, Beside(), rows=rows, refused=2, now=WINDOW.end
    )
    verdict = replace(judgement.verdict, **changes)
    return verdict, make_report(unpromised, verdict, judgement.readings, None)


@pytest.fixture(scope="module")
def hostile(watched: WatchedVersion, lab: Lab) -> tuple[Verdict, str]:
    """A drifted window whose names and values are attacks."""
    names = {"wind": IMAGE, "stops": SCRIPT, "holiday": "a&amp;b 'c' \"d\" \u202e"}
    frame = lab.traffic(400, seed=9)
    frame.loc[:150, "carrier"] = SCRIPT
    frame.loc[150:200, "carrier"] = IMAGE
    frame["wind"] *= 1.2
    verdict, report = reported(
        renamed(watched, names), frame.rename(columns=names), model=IMAGE, version=SCRIPT
    )
    return verdict, report.page


def test_names_and_values_that_are_scripts_do_not_run(
    hostile: tuple[Verdict, str], tmp_path: Path
) -> None:
    verdict, text = hostile
    page = tmp_path / "page.html"
    page.write_text(text)

    shown = shown_by_chromium(page, tmp_path / "profile")

    assert HACKED not in shown
    assert shown.count("js-plotly-plot") >= len(verdict.findings) - 1, "and Evidently has drawn"
    assert html.escape(IMAGE, quote=False) in shown, "the name is shown as it is"


def test_the_browser_would_run_them_in_a_page_that_did_not_escape(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(f"<!DOCTYPE html><script>var a = '{SCRIPT}'</script><p>{IMAGE}</p>")

    assert HACKED in shown_by_chromium(page, tmp_path / "profile")


def test_a_script_that_got_into_the_page_all_the_same_is_not_allowed_to_run(
    hostile: tuple[Verdict, str], tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    page.write_text(hostile[1].replace("<main", f"<script>{MARK}</script>{IMAGE}<main", 1))

    assert HACKED not in shown_by_chromium(page, tmp_path / "profile")


def test_a_page_needs_nothing_but_itself(hostile: tuple[Verdict, str]) -> None:
    _, text = hostile
    outside = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    policy = re.search(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)"', outside)

    assert policy is not None
    assert policy[1].startswith("default-src 'none'; script-src 'sha256-")
    assert "http" not in policy[1]
    assert not re.search(r"<(?:link|iframe|img|base|form)\b", outside)
    assert not re.search(r"url\((?!data:)", outside)
    assert outside.index("Content-Security-Policy") < outside.index("<style>")


def test_the_data_of_evidently_cannot_end_its_script(hostile: tuple[Verdict, str]) -> None:
    _, text = hostile
    (data,) = re.findall(r"<script>\s*(var metric_[0-9a-f]+ = .*?)</script>", text, re.DOTALL)

    assert "<" not in data


def test_a_page_with_a_script_too_many_is_not_taken_for_evidently_s() -> None:
    four = "<style></style>" + "<script>a</script>" * 4 + '<div id="root_metric_0f">'

    assert Pictures.of(four).root == "root_metric_0f"
    with pytest.raises(ValueError, match="5 scripts"):
        Pictures.of(four + "<script>b</script>")


def test_a_page_says_every_column_with_its_figures(watched: WatchedVersion, lab: Lab) -> None:
    frame = lab.traffic(400, seed=9)
    frame["wind"] *= 1.2

    verdict, report = reported(watched, frame)
    text = html.unescape(re.sub(r"<[^>]+>", " ", report.page.split("</main>")[0]))

    assert verdict.kind is VerdictKind.DRIFT
    for finding in verdict.findings:
        assert f" {finding.column} " in text
        assert finding.effect_in_words in text
    for said in ("400 answered (200 needed)", "2 requests were answered with an error", "Drift"):
        assert said in text


def test_a_window_that_was_not_judged_has_a_page_without_scripts(
    watched: WatchedVersion, lab: Lab
) -> None:
    verdict, report = reported(watched, lab.traffic(10, seed=1))

    assert verdict.kind is VerdictKind.NOT_ENOUGH_ROWS
    assert "10 rows tell nothing; 200 are needed." in report.page
    assert "script-src 'none'" in report.page
    assert "<script" not in report.page
    assert report.json is None


def test_of_very_many_columns_a_page_draws_the_worst_and_says_so(
    watched: WatchedVersion, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drift, "SHOWN_COLUMNS", 1)
    frame = lab.traffic(400, seed=9).assign(stops=2)

    verdict, report = reported(watched, frame)

    assert "The pictures show 1 of 5 columns" in report.page
    assert verdict.worst_first[0].column == "stops"
    assert "stops: broken" in report.page.split("</main>")[1]


def test_windows_of_other_lengths_are_titled_by_their_own_times(
    watched: WatchedVersion, lab: Lab
) -> None:
    window = Window(WINDOW.start, WINDOW.start + timedelta(hours=6))

    _, report = reported(watched, lab.traffic(10, seed=1), window=window)

    assert "2013-04-01 00:00 to 2013-04-01 06:00 UTC" in report.page
