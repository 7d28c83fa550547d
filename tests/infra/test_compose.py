"""The compose file: valid, closed to the outside, and made of what is there."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from trimtab.settings import Environment

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "infra" / "compose.yaml"


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    content = yaml.safe_load(COMPOSE.read_text())
    assert isinstance(content, dict)
    return content


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = compose["services"]
    assert isinstance(found, dict)
    return found


def test_it_follows_the_published_schema() -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "check_jsonschema"),
            *("--builtin-schema", "vendor.compose-spec", str(COMPOSE)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout


def test_it_holds_the_whole_platform(services: dict[str, dict[str, Any]]) -> None:
    assert set(services) == {
        "postgres", "mlflow", "pipelines", "services", "monitoring", "prometheus",
    }  # fmt: skip


def test_every_built_image_has_its_file(services: dict[str, dict[str, Any]]) -> None:
    built = [service["build"]["dockerfile"] for service in services.values() if "build" in service]

    assert len(built) == 4
    assert [file for file in built if not (ROOT / file).is_file()] == []


def test_every_mounted_file_of_ours_is_there(services: dict[str, dict[str, Any]]) -> None:
    mounts = [volume for service in services.values() for volume in service.get("volumes", ())]
    ours = [mount.split(":")[0] for mount in mounts if mount.startswith("./")]

    assert len(ours) == 2
    assert [path for path in ours if not (COMPOSE.parent / path).exists()] == []


def test_named_volumes_are_declared(
    compose: dict[str, Any], services: dict[str, dict[str, Any]]
) -> None:
    mounts = [volume for service in services.values() for volume in service.get("volumes", ())]
    used = {mount.split(":")[0] for mount in mounts if mount[0] not in "./$"}

    assert used == set(compose["volumes"])


def test_nothing_is_published_beyond_loopback(services: dict[str, dict[str, Any]]) -> None:
    ports = [port for service in services.values() for port in service.get("ports", ())]

    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []
    assert "ports" not in services["postgres"]


def test_every_container_gives_up_what_it_does_not_need(
    services: dict[str, dict[str, Any]],
) -> None:
    for name, service in services.items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name


def test_no_secret_stands_in_the_file(services: dict[str, dict[str, Any]]) -> None:
    given = {
        variable: value
        for service in services.values()
        for variable, value in service.get("environment", {}).items()
        if re.search("PASSWORD|KEY", variable) or "@" in value
    }

    assert len(given) == 4
    for variable, value in given.items():
        assert re.search(r"\$\{\w+:\?\}|^/run/secrets/", value), variable


def test_mlflow_answers_to_exactly_the_names_that_are_used(
    services: dict[str, dict[str, Any]],
) -> None:
    command = services["mlflow"]["command"]
    allowed = command[command.index("--allowed-hosts") + 1].split(",")
    asked = services["pipelines"]["environment"]["TRIMTAB_TRACKING_URI"]

    assert asked.removeprefix("http://") in allowed
    assert not [name for name in allowed if "*" in name or not name.endswith(":5000")]


def test_workers_are_given_only_variables_that_the_platform_reads(
    services: dict[str, dict[str, Any]],
) -> None:
    known = {f"TRIMTAB_{name.upper()}" for name in Environment.model_fields}
    given = {
        variable
        for name in ("pipelines", "services", "monitoring")
        for variable in services[name]["environment"]
    }
    baked = {
        variable
        for file in (ROOT / "infra").glob("*.Containerfile")
        for variable in re.findall(r"\b(TRIMTAB_\w+)=", file.read_text())
    }

    assert "TRIMTAB_DATABASE_URL" in given
    assert (given | baked) - known == set()


def test_what_must_answer_has_a_health_check(services: dict[str, dict[str, Any]]) -> None:
    checked = {name for name, service in services.items() if "healthcheck" in service}
    awaited = {other for service in services.values() for other in service.get("depends_on", {})}

    assert awaited <= checked
    assert "services" in checked
