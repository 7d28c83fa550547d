"""The Kubernetes manifest: by the published schemas, closed, and in step with the image."""

import re
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest
import yaml

from trimtab_services.environment import ServingEnvironment

ROOT = Path(__file__).parents[2]
MANIFEST = ROOT / "infra" / "kubernetes" / "endpoint.yaml"
IMAGE = (ROOT / "services" / "trimtab_services" / "containerfile.py").read_text()


@pytest.fixture(scope="module")
def objects() -> dict[str, dict[str, Any]]:
    return {one["kind"]: one for one in yaml.safe_load_all(MANIFEST.read_text())}


@pytest.fixture(scope="module")
def pod(objects: dict[str, dict[str, Any]]) -> dict[str, Any]:
    found = objects["Deployment"]["spec"]["template"]["spec"]
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="module")
def container(pod: dict[str, Any]) -> dict[str, Any]:
    (found,) = pod["containers"]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("version", ["1.30", "1.37"])
def test_it_follows_the_published_schemas(version: str) -> None:
    tool = Path(sysconfig.get_path("scripts")) / "kubernetes-validate"
    done = subprocess.run(
        [sys.executable, str(tool), "--strict", "-k", version, str(MANIFEST)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_everything_is_about_the_same_pods(objects: dict[str, dict[str, Any]]) -> None:
    labels = objects["Deployment"]["spec"]["template"]["metadata"]["labels"].items()

    for selector in (
        objects["Deployment"]["spec"]["selector"]["matchLabels"],
        objects["Service"]["spec"]["selector"],
        objects["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        objects["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
    ):
        assert selector.items() <= labels


def test_it_runs_as_the_user_of_the_image_with_nothing_to_write_on(
    pod: dict[str, Any], container: dict[str, Any]
) -> None:
    user = re.search(r'_USER = "(\d+):(\d+)"', IMAGE)

    assert user is not None
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert [pod["securityContext"][name] for name in ("runAsUser", "runAsGroup")] == [
        int(user[1]), int(user[2]),
    ]  # fmt: skip
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert [mount["mountPath"] for mount in container["volumeMounts"]] == ["/tmp"]
    assert pod["automountServiceAccountToken"] is False


def test_traffic_comes_only_to_what_is_proven(container: dict[str, Any]) -> None:
    (port,) = container["ports"]

    assert f"EXPOSE {port['containerPort']}\n" in IMAGE
    for probe in ("startupProbe", "readinessProbe"):
        assert container[probe]["httpGet"] == {"path": "/readyz", "port": port["name"]}
    assert container["livenessProbe"]["httpGet"]["path"] == "/livez"
    start = container["startupProbe"]
    assert start["periodSeconds"] * start["failureThreshold"] >= 60


def test_the_key_comes_from_a_secret_and_is_what_the_endpoint_reads(
    container: dict[str, Any],
) -> None:
    known = {f"TRIMTAB_{name.upper()}" for name in ServingEnvironment.model_fields}
    named = set(re.findall(r"TRIMTAB_\w+", MANIFEST.read_text()))

    assert named <= known
    assert [entry for entry in container["env"] if "value" in entry] == []
    assert container["env"][0]["name"] == "TRIMTAB_API_KEY"
