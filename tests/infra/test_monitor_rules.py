"""The monitor's alert rules: about gauges that it really shows, and right about when to fire."""

import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry, generate_latest

from trimtab.adapters.sql import open_database
from trimtab.records.quality import Quality
from trimtab.records.verdicts import Verdict, VerdictKind
from trimtab.records.windows import Window
from trimtab.settings import load
from trimtab.testing.manual_clock import ManualClock
from trimtab_monitoring.metrics import MonitorMetrics

ROOT = Path(__file__).parents[2]
RULES = ROOT / "infra" / "prometheus" / "monitor.yml"
CASES = Path(__file__).with_name("monitor.test.yml")
NOW = datetime(2026, 3, 1, tzinfo=UTC)
PROJECT = '[models.m]\ntask = "binary"\nsource = "m.csv"\ntarget = "y"\n'
VERDICT = Verdict(
    model="m",
    version="1",
    window=Window(NOW, NOW),
    kind=VerdictKind.STABLE,
    rows=1,
    rows_needed=1,
    findings=(),
    quality=Quality(metric="log_loss", value=0.1, limit=0.2, labelled=1, completeness=1.0),
    refused=0,
    judged_at=NOW,
)


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    found = group["rules"]
    assert isinstance(found, list)
    return found


@pytest.fixture(scope="module")
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("no promtool on the PATH: the monitor's rules were not checked by it")
    return found


def test_every_gauge_of_a_rule_is_one_that_the_monitor_shows(tmp_path: Path) -> None:
    (tmp_path / "trimtab.toml").write_text(PROJECT)
    database = open_database(f"sqlite:///{tmp_path / 'trimtab.db'}")
    with database.transaction() as stores:
        stores.verdicts.add(VERDICT)
    registry = CollectorRegistry()
    registry.register(
        MonitorMetrics(
            database=database, clock=ManualClock(NOW), settings=load(tmp_path), models=["m"]
        )
    )
    page = generate_latest(registry).decode()
    shown = set(re.findall(r"^(trimtab_\w+)\{", page, flags=re.MULTILINE))
    asked = set(re.findall(r"\btrimtab_\w+", " ".join(rule["expr"] for rule in rules())))

    assert asked
    assert asked - shown == set()


def test_every_alert_says_what_to_do_and_how_urgent_it_is() -> None:
    for rule in rules():
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert {"summary", "description"} <= set(rule["annotations"])


def test_promtool_accepts_the_rules_and_each_fires_when_it_should(promtool: str) -> None:
    for arguments in (["check", "rules", str(RULES)], ["test", "rules", str(CASES)]):
        done = subprocess.run([promtool, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_has_a_case_in_which_it_fires() -> None:
    tried = set(re.findall(r'alertname="(\w+)"', CASES.read_text()))

    assert tried == {rule["alert"] for rule in rules()}
