"""The one process of a container ends, with a reason, when it cannot serve."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from trimtab.errors import ExitCode
from trimtab_services.alone import listen


def alone(bento: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-P", "-m", "trimtab_services.alone", str(bento)],
        env={"PATH": os.defpath, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_folder_that_is_no_bento_is_named(tmp_path: Path) -> None:
    done = alone(tmp_path)

    assert done.returncode == ExitCode.USAGE
    assert done.stderr.startswith(f"{tmp_path} is not served: ")
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_said(shelf: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = alone(shelf.bento("1"), BENTOML_PORT=str(taken.getsockname()[1]))

    assert done.returncode == ExitCode.USAGE
    assert "in use" in done.stderr


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"BENTOML_HOST": "0.0.0.0"}, "set TRIMTAB_API_KEY"),
        ({"TRIMTAB_DEVICE": "gpu0"}, "device: String should match pattern"),
        ({"TRIMTAB_API_KEY": " "}, "TRIMTAB_API_KEY is blank"),
    ],
)
def test_a_wrong_environment_is_said_without_its_values(
    shelf: Any, environment: dict[str, str], said: str
) -> None:
    done = alone(shelf.bento("1"), **environment)

    assert done.returncode == ExitCode.USAGE
    assert said in done.stderr
    assert "gpu0" not in done.stderr


def test_it_listens_where_it_is_told() -> None:
    with listen("127.0.0.1", 0) as one, listen("::1", 0) as other:
        assert one.getsockname()[0] == "127.0.0.1"
        assert other.getsockname()[0] == "::1"
