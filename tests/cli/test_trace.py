"""`trimtab trace` says what it found, in eighty columns and as JSON, and what was wrong."""

import json
import os
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pyarrow as pa
import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from trimtab.adapters.parquet_log import ParquetLog
from trimtab.cli.group import trimtab
from trimtab.cli.trace_page import page_of
from trimtab.errors import TrimtabError
from trimtab.records.contracts import Contract, Task
from trimtab.records.ids import CHANCE_BYTES, request_id
from trimtab.records.logged import log_schema
from trimtab.records.schema import Column, ColumnType, Schema
from trimtab.settings import Environment, load
from trimtab.trace import follow

TOML = """
[models.late]
task = "regression"
source = "rows.csv"
target = "minutes"

[platform]
mlflow_port = 9
"""
NOON = datetime(2026, 4, 1, 12, tzinfo=UTC)
COLUMNS = (Column(name="airport", type=ColumnType.STRING, required=True),)
CONTRACT = Contract(
    model="late", task=Task.REGRESSION, target="minutes", schema=Schema(columns=COLUMNS)
)


@pytest.fixture
def ids(tmp_path: Path) -> list[str]:
    """A project with thirty answers, two keys, two versions; gives the ids."""
    (tmp_path / "trimtab.toml").write_text(TOML)
    log, given = ParquetLog(tmp_path / ".trimtab" / "inference-log"), []
    for version, minutes in (("1", range(20)), ("2", range(20, 30))):
        rows = []
        for minute in minutes:
            time = NOON + timedelta(minutes=minute)
            request = request_id(int(time.timestamp() * 1e9), os.urandom(CHANCE_BYTES)).hex()
            given.append(f"{request}-0")
            rows.append(
                {
                    "prediction_id": given[-1],
                    "request_id": request,
                    "version": version,
                    "time": time,
                    "received": time,
                    "key": f"order-{minute % 2}",
                    "status": 200,
                    "latency_us": 912,
                    "inputs": {"airport": "[red]" + "J" * 200},
                    "prediction": 12.5,
                }
            )
        log.append("late", version, version, pa.Table.from_pylist(rows, log_schema(CONTRACT)))
    return given


def run(folder: Path, *arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "80"}).invoke(
        trimtab, ["trace", "--project", str(folder), *arguments]
    )


def test_one_prediction_fits_eighty_columns_and_values_of_the_data_are_shown_as_they_are(
    tmp_path: Path, ids: list[str]
) -> None:
    page = StringIO()
    console = Console(width=80, file=page)
    console.print(page_of(follow(load(tmp_path, Environment()), ids[3])))
    lines = page.getvalue().splitlines()
    text = "".join(line.strip() for line in lines)

    assert max(map(len, lines)) <= 80
    assert lines[0].strip() == ids[3]
    assert "[red]JJJ" in text
    assert "order-1" in text
    assert "answered in 0.9 ms" in text
    assert "label: none has come yet" in text


def test_for_scripts_it_is_one_document(tmp_path: Path, ids: list[str]) -> None:
    told = json.loads(run(tmp_path, ids[3], "--json").stdout)

    assert told["prediction"]["id"] == ids[3]
    assert told["prediction"]["time"] == "2026-04-01T12:03:00Z"
    assert told["found_in"] == "inference log"
    assert {gap["hop"] for gap in told["gaps"]} >= {"version", "label", "verdict", "bento"}


def test_a_list_for_people_has_a_limit_and_says_how_many_there_are(
    tmp_path: Path, ids: list[str]
) -> None:
    lines = run(tmp_path, "--key", "order-0", "--limit", "4").stdout.splitlines()

    assert [line.split()[0] for line in lines[:-1]] == [ids[n] for n in (0, 2, 4, 6)]
    assert lines[-1] == "4 predictions of 15; --limit 0 lists all"
    assert max(map(len, lines)) <= 80
    assert run(tmp_path, "--version", "2").stdout.splitlines()[-1] == "10 predictions"


def test_a_list_for_scripts_has_all_of_them_one_a_line(tmp_path: Path, ids: list[str]) -> None:
    lines = run(tmp_path, "--version", "1", "--json").stdout.splitlines()

    assert [json.loads(line)["id"] for line in lines] == ids[:20]
    assert run(tmp_path, "--version", "1", "--count").stdout == "20\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "name one prediction by its id, or --version"),
        (["0" * 32 + "-0", "--version", "1"], "name one prediction by its id, or --version"),
        (["0" * 32 + "-0", "--count"], "--limit and --count go with"),
        (["x"], "names no prediction"),
        (["--version", "1", "--model", "none"], "No model 'none'"),
        (["--snapshot", "abc"], "too short for a digest"),
        (["0" * 32 + "-0"], "No record has the prediction"),
        (["--snapshot", "abcdef0123"], "MLflow does not answer"),
    ],
)
def test_what_is_wrong_is_said(
    tmp_path: Path, ids: list[str], arguments: list[str], told: str
) -> None:
    done = run(tmp_path, *arguments)

    assert isinstance(done.exception, TrimtabError)
    assert told in str(done.exception)
