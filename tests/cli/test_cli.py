"""The command as a user meets it, in a process of its own."""

import json
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from trimtab.cli.group import trimtab as command

FRAMEWORKS = {"mlflow", "bentoml", "evidently", "sklearn", "xgboost", "sqlalchemy", "pandas"}
VERBS = sorted(point.name for point in entry_points(group="trimtab.commands"))


def trimtab(*args: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from trimtab.cli import main; main()", *args],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def init(folder: Path) -> None:
    """Make the project in this process: a start of Python less for each test that needs one."""
    done = CliRunner().invoke(
        command, ["init", str(folder / "orders.csv"), "--project", str(folder)]
    )
    assert done.exit_code == 0, done.output


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    rows = 300
    frame = pd.DataFrame(
        {
            "order_id": range(rows),
            "ordered_at": pd.date_range("2026-01-01", periods=rows, freq="h"),
            "amount": [float(n % 37) for n in range(rows)],
            "customer name": [f"customer {n}" for n in range(rows)],
            "is_returned": [n % 3 == 0 for n in range(rows)],
        }
    )
    frame.to_csv(tmp_path / "orders.csv", index=False)
    return tmp_path


def test_help_imports_no_framework(tmp_path: Path) -> None:
    code = (
        "import sys; from click.testing import CliRunner; from trimtab.cli.group import trimtab;"
        "assert CliRunner().invoke(trimtab, ['--help']).exit_code == 0; print(*sys.modules)"
    )
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True, cwd=tmp_path).split()

    assert not FRAMEWORKS & set(loaded)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb: str) -> None:
    done = CliRunner().invoke(command, [verb, "--help"])

    assert done.exit_code == 0, done.output
    assert len(done.output.splitlines()) > 5


def test_init_looks_at_the_data(orders: Path) -> None:
    done = trimtab("init", "orders.csv", folder=orders)
    written = (orders / "trimtab.toml").read_text()

    assert done.returncode == 0, done.stderr
    assert "[models.orders]" in written
    assert 'task = "binary"' in written
    assert 'target = "is_returned"' in written
    assert 'time = "ordered_at"' in written
    assert 'key = "order_id"' in written
    assert 'exclude = ["customer name"]' in written


def test_init_tells_columns_by_their_whole_names(tmp_path: Path) -> None:
    frame = pd.DataFrame({"[bold]": [1.5, 2.5], "[/]": [1.5, 2.5], "late": [True, False]})
    frame.to_csv(tmp_path / "orders.csv", index=False)

    done = trimtab("init", "orders.csv", folder=tmp_path)

    assert done.returncode == 0, done.stderr
    assert "from 2 columns: [bold], [/]" in done.stdout


def test_init_never_overwrites(orders: Path) -> None:
    (orders / "trimtab.toml").write_text("mine")
    done = trimtab("init", "orders.csv", folder=orders)

    assert done.returncode == 2
    assert "is there already" in done.stderr
    assert (orders / "trimtab.toml").read_text() == "mine"


def test_init_names_a_column_that_is_not_there(orders: Path) -> None:
    done = trimtab("init", "orders.csv", "--target", "returned", folder=orders)

    assert done.returncode == 2
    assert "no column 'returned'" in done.stderr
    assert not (orders / "trimtab.toml").exists()


def test_a_folder_without_a_project_is_told_what_to_do(tmp_path: Path) -> None:
    done = trimtab("status", folder=tmp_path)

    assert done.returncode == 2
    assert "trimtab init" in done.stderr
    assert "Traceback" not in done.stderr


def test_status_of_a_new_project_says_that_somebody_must_look(orders: Path) -> None:
    init(orders)
    done = trimtab("status", "--json", folder=orders)

    assert done.returncode == 3
    assert json.loads(done.stdout)[0]["champion"] is None


def test_init_refuses_a_bad_name_before_it_writes(orders: Path) -> None:
    done = trimtab("init", "orders.csv", "--model", "Bad Name", "--project", "new", folder=orders)

    assert done.returncode == 2
    assert "lower-case letters, digits and hyphens" in done.stderr
    assert not (orders / "new").exists()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("TRIMTAB_HOME", "orders.csv/home", "Not a directory"),
        ("TRIMTAB_DATABASE_URL", "oracel://u:secret@h/db", "oracel://u:***@h/db cannot be opened"),
        ("TRIMTAB_DATABASE_URL", "postgres://u:secret@127.0.0.1:1/db", "cannot be opened"),
    ],
)
def test_what_cannot_be_opened_is_one_message(
    orders: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    init(orders)
    monkeypatch.setenv(name, value)
    done = trimtab("status", folder=orders)

    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert "secret" not in done.stderr


def test_up_refuses_an_endpoint_that_all_can_reach_without_a_key(orders: Path) -> None:
    init(orders)
    toml = orders / "trimtab.toml"
    toml.write_text(toml.read_text().replace("port = 3000", 'port = 3000\nhost = "0.0.0.0"'))
    done = trimtab("up", folder=orders)

    assert done.returncode == 2
    assert "TRIMTAB_API_KEY" in done.stderr
    assert not (orders / ".trimtab" / "run" / "up.lock").exists()


def test_doctor_finds_a_broken_project(orders: Path) -> None:
    init(orders)
    assert trimtab("doctor", folder=orders).returncode in (0, 1)
    with (orders / "trimtab.toml").open("a") as file:
        file.write("\n[alert]\n")
    done = trimtab("doctor", folder=orders)

    assert done.returncode == 1
    assert "did you mean 'alerts'?" in done.stdout
