"""The command as a user meets it, in a process of its own."""

import json
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pandas as pd
import pytest

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
def test_every_verb_explains_itself(verb: str, tmp_path: Path) -> None:
    done = trimtab(verb, "--help", folder=tmp_path)

    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) > 5


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
    trimtab("init", "orders.csv", folder=orders)
    done = trimtab("status", "--json", folder=orders)

    assert done.returncode == 3
    assert json.loads(done.stdout)[0]["champion"] is None


def test_labels_are_delivered_once_a_key(orders: Path) -> None:
    trimtab("init", "orders.csv", folder=orders)
    pd.DataFrame({"order_id": [1, 2, 3], "is_returned": [True, None, False]}).to_csv(
        orders / "labels.csv", index=False
    )
    for _ in range(2):
        done = trimtab("label", "orders", "labels.csv", folder=orders)
        assert done.returncode == 0, done.stderr

    assert "2 labels" in done.stdout
    status = json.loads(trimtab("status", "--json", folder=orders).stdout)
    assert status[0]["labels"] == 2


def test_labels_of_an_unknown_column_are_refused(orders: Path) -> None:
    trimtab("init", "orders.csv", folder=orders)
    done = trimtab("label", "orders", "orders.csv", "--value", "nope", folder=orders)

    assert done.returncode == 2
    assert "no column 'nope'" in done.stderr


def test_doctor_finds_a_broken_project(orders: Path) -> None:
    trimtab("init", "orders.csv", folder=orders)
    assert trimtab("doctor", folder=orders).returncode in (0, 1)
    with (orders / "trimtab.toml").open("a") as file:
        file.write("\n[alert]\n")
    done = trimtab("doctor", folder=orders)

    assert done.returncode == 1
    assert "did you mean 'alerts'?" in done.stdout
