"""The one process of a container ends, with a reason, when it cannot serve."""

import os
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from trimtab.errors import ExitCode
from trimtab_services.alone import listen, main


@pytest.fixture
def refusal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Starts it in an environment, and gives what it says at its end."""

    def start(bento: Path, **environment: str) -> str:
        for name in [name for name in os.environ if name.startswith(("TRIMTAB_", "BENTOML_"))]:
            monkeypatch.delenv(name)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["alone", str(bento)])
        with pytest.raises(SystemExit) as caught:
            main()
        assert caught.value.code == ExitCode.USAGE
        said = capsys.readouterr().err
        assert said.startswith(f"{bento} is not served: ")
        return said

    return start


def test_a_folder_that_is_no_bento_is_named(refusal: Any, tmp_path: Path) -> None:
    assert "bundle.json" in refusal(tmp_path)


def test_a_port_that_is_taken_is_said(refusal: Any, shelf: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        said = refusal(shelf.bento("1"), BENTOML_PORT=str(taken.getsockname()[1]))

    assert "in use" in said


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"BENTOML_HOST": "0.0.0.0"}, "set TRIMTAB_API_KEY"),
        ({"TRIMTAB_DEVICE": "gpu0"}, "device: String should match pattern"),
        ({"TRIMTAB_API_KEY": " "}, "TRIMTAB_API_KEY is blank"),
        ({"BENTOML_PORT": "0"}, "BENTOML_PORT: "),
        ({"TRIMTAB_API_KEYS_FILE": "/no/such/file"}, "/no/such/file"),
        ({"TRIMTAB_SPOOL": "/no", "TRIMTAB_CAPTURE_HASH": '["class"]'}, "TRIMTAB_CAPTURE_KEY"),
        ({"TRIMTAB_SPOOL": "/no", "TRIMTAB_CAPTURE_DROP": '["clas"]'}, "did you mean 'class'"),
    ],
)
def test_a_wrong_environment_is_said_without_its_values(
    refusal: Any, shelf: Any, environment: dict[str, str], said: str
) -> None:
    complaint = refusal(shelf.bento("1"), **environment)

    assert said in complaint
    assert "gpu0" not in complaint


def test_it_listens_where_it_is_told() -> None:
    with listen("127.0.0.1", 0) as one, listen("::1", 0) as other:
        assert one.getsockname()[0] == "127.0.0.1"
        assert other.getsockname()[0] == "::1"
