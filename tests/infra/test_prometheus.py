"""Alert rules: about metrics that the endpoint really exports, and right about when to fire."""

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from trimtab_services.metrics import Metrics

ROOT = Path(__file__).parents[2]
RULES = ROOT / "infra" / "prometheus" / "alerts.yml"
SCRAPES = ROOT / "infra" / "prometheus" / "prometheus.yml"
CASES = Path(__file__).with_name("alerts.test.yml")


class Observed:
    """An endpoint that has answered something."""

    def facts(self) -> Mapping[str, str]:
        return {"model": "m", "version": "1", "device": "cpu"}

    def counts(self) -> Mapping[str, int]:
        return {"answered": 3, "captured": 2, "dropped": 1}

    def gauges(self) -> Mapping[str, float]:
        return {"capture_spool_bytes": 10}


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    found = group["rules"]
    assert isinstance(found, list)
    return found


@pytest.fixture(scope="module")
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("no promtool on the PATH: the Prometheus rules were not checked by it")
    return found


def test_every_metric_of_a_rule_is_one_that_the_endpoint_exports() -> None:
    metrics = Metrics(Observed())
    metrics.answer(rows=1, seconds=0.01)
    metrics.refuse(422)
    exported = set(re.findall(r"^(trimtab_\w+)", metrics.page().decode(), flags=re.MULTILINE))
    asked = set(re.findall(r"\btrimtab_\w+", " ".join(rule["expr"] for rule in rules())))

    assert asked
    assert asked - exported == set()


def test_every_status_of_a_rule_is_one_that_the_endpoint_counts() -> None:
    metrics = Metrics(Observed())
    metrics.refuse(422)
    metrics.refuse(500)
    page = metrics.page().decode()

    for status in re.findall(r'status="(\w+)"', RULES.read_text()):
        assert f'trimtab_requests_total{{status="{status}"}} 1.0' in page


def test_every_alert_says_what_to_do_and_how_urgent_it_is() -> None:
    for rule in rules():
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert {"summary", "description"} <= set(rule["annotations"])


def test_the_job_of_the_rules_is_the_scraped_one() -> None:
    jobs = [job["job_name"] for job in yaml.safe_load(SCRAPES.read_text())["scrape_configs"]]

    files = yaml.safe_load(SCRAPES.read_text())["rule_files"]
    rules = "".join((RULES.parent / file).read_text() for file in files)
    assert set(re.findall(r'job="([\w-]+)"', rules)) == set(jobs)


def test_promtool_accepts_rules_and_configuration(promtool: str) -> None:
    for arguments in (["rules", str(RULES)], ["config", "--syntax-only", str(SCRAPES)]):
        done = subprocess.run(
            [promtool, "check", *arguments], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_fires_when_it_should_and_not_before(promtool: str) -> None:
    done = subprocess.run(
        [promtool, "test", "rules", str(CASES)], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_has_a_case_in_which_it_fires() -> None:
    tried = set(re.findall(r'alertname="(\w+)"', CASES.read_text()))

    assert tried == {rule["alert"] for rule in rules()}
