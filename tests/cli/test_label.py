"""`trimtab label` and its twin in Python: files, databases, the standard input."""

import gzip
import json
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from trimtab.adapters.opening import open_database
from trimtab.cli.group import trimtab
from trimtab.errors import TrimtabError
from trimtab.labels import GivenLabel, deliver
from trimtab.records.labels import Label
from trimtab.settings import Environment, load

ID = "0123456789abcdef" * 2 + "-0"


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    """A project."""
    (tmp_path / "trimtab.toml").write_text(
        '[models.orders]\ntask = "binary"\nsource = "orders.csv"\ntarget = "returned"\n'
        'key = "order_id"\nlabel_time = "back_at"\n'
    )
    return tmp_path


@dataclass(frozen=True)
class Said:
    exit_code: int
    output: str
    stderr: str


def label(folder: Path, *args: str, input: str | bytes | None = None) -> Said:
    told = ["label", "orders", *args, "--project", str(folder)]
    done = CliRunner().invoke(trimtab, told, input=input)
    if isinstance(done.exception, TrimtabError):  # which `main` makes a message of
        return Said(done.exception.exit_code, done.stdout, f"{done.stderr}{done.exception}")
    return Said(done.exit_code, done.stdout, done.stderr)


def kept(folder: Path, *names: str) -> dict[str, Label]:
    with open_database(load(folder, Environment())).transaction() as stores:
        return dict(stores.labels.get("orders", names))


def values(folder: Path, *names: str) -> dict[str, str]:
    return {name: found.value for name, found in kept(folder, *names).items()}


def write(folder: Path, name: str, content: str) -> str:
    (folder / name).write_text(content)
    return str(folder / name)


def test_a_file_is_delivered_once_however_often(orders: Path) -> None:
    file = write(orders, "back.csv", "order_id,returned\n1,True\n2,\n3,False\n4,NaN\n")
    first, second = label(orders, "--file", file), label(orders, "--file", file)

    assert first.exit_code == second.exit_code == 0, first.output
    assert "2 labels for orders: 2 new, 0 told before, 0 corrected." in first.output
    assert "2 rows had no value" in first.output
    assert "2 names match no prediction so far: 1, 3." in first.output
    assert "2 labels for orders: 0 new, 2 told before" in second.output
    assert values(orders, "1", "2", "3", "4") == {"1": "True", "3": "False"}
    status = CliRunner().invoke(trimtab, ["status", "--json", "--project", str(orders)])
    assert json.loads(status.stdout)[0]["labels"] == 2
    assert json.loads(status.stdout)[0]["unmatched_labels"] == 2
    status = CliRunner().invoke(trimtab, ["status", "--project", str(orders)])
    assert "2; 2 match no prediction so far" in status.stdout


def test_a_correction_is_told_and_its_past_is_kept(orders: Path) -> None:
    label(orders, "--file", write(orders, "a.csv", "order_id,returned,back_at\n1,0,2026-01-01\n"))
    file = write(orders, "b.csv", "order_id,returned,back_at\n1,1,2026-01-02\n1,0,2025-12-31\n")
    said = label(orders, "--file", file)

    assert "1 corrected, 1 outdated by what became known later" in said.output
    with open_database(load(orders, Environment())).transaction() as stores:
        past = stores.labels.history("orders", "1")
        entry = next(iter(stores.ledger.entries()))
    assert [one.value for one in past] == ["0", "0"]
    assert kept(orders, "1")["1"].known_at == datetime(2026, 1, 2, tzinfo=UTC)
    assert (entry.event, entry.subject) == ("labels delivered", "2 labels")
    assert entry.reasons == ("b.csv", "1 corrected", "1 outdated")


def test_bad_rows_are_listed_by_line_and_keep_no_other_back(orders: Path) -> None:
    file = write(
        orders,
        "back.csv",
        'order_id,returned,back_at,note\n1,True,2026-01-01,"two\nlines"\n2,True,soon,x\n'
        f"3,True\n{'k' * 300},True,,x\n,True,,x\n6,False,,x\n7,True,2199-01-01,\n",
    )
    said = label(orders, "--file", file)

    assert said.exit_code == 3
    assert "2 labels for orders: 2 new" in said.output
    assert "5 lines were not taken:" in said.stderr
    assert "line 4: known_at should be a time as ISO 8601 text" in said.stderr
    assert "line 5: it has 2 columns and should have 4" in said.stderr
    assert "line 6: key should have at most 256 characters" in said.stderr
    assert "line 7: prediction_id and key are missing" in said.stderr
    assert "line 9: known_at lies in the future" in said.stderr
    assert values(orders, "1", "2", "6", "7") == {"1": "True", "6": "False"}


def test_of_many_bad_rows_the_first_are_shown(orders: Path) -> None:
    lines = [json.dumps({"order_id": f"{n}", "returned": [1]}) for n in range(30)]
    said = label(orders, "--file", write(orders, "back.jsonl", "\n".join(["[1]", "{", *lines])))

    assert said.exit_code == 3
    assert "0 labels" in said.output
    assert "32 lines were not taken" in said.stderr
    assert "line 1: it is no JSON object" in said.stderr
    assert "line 2: it is no JSON" in said.stderr
    assert "line 20: value should be a class" in said.stderr
    assert "line 21" not in said.stderr
    assert "and 12 more" in said.stderr


@pytest.mark.parametrize("format", ["csv", "parquet", "jsonl"])
def test_keys_stay_as_they_are_written(orders: Path, format: str) -> None:
    file = orders / f"back.{format}"
    if format == "csv":
        file.write_text("order_id,returned\n007,True\nNA,False\n,True\n")
    elif format == "jsonl":
        file.write_text('{"order_id": "007", "returned": true}\n\n{"order_id": 8, "returned": 0}\n')
    else:
        frame = pd.DataFrame({"order_id": [7, 8, None], "returned": [True, False, True]})
        frame.to_parquet(file)
    label(orders, "--file", str(file))

    found = set(kept(orders, "007", "7", "8", "7.0", "8.0", "NA"))
    assert found == {"csv": {"007", "NA"}, "jsonl": {"007", "8"}, "parquet": {"7", "8"}}[format]


def test_rows_may_name_predictions_or_keys(orders: Path) -> None:
    lines = f"prediction_id,order_id,value,known_at\n{ID},1,yes,\n,2,no,2026-01-01T12:00\n"
    said = label(orders, "--file", "-", input=lines)

    assert said.exit_code == 0, said.output
    assert values(orders, ID, "1", "2") == {ID: "yes", "2": "no"}
    assert kept(orders, "2")["2"].known_at == datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_columns_may_be_named(orders: Path) -> None:
    file = write(orders, "x.csv", "a,b,c,order_id\nk,1,2026-01-01,z\n")
    said = label(orders, "--file", file, "--key", "a", "--value", "b", "--time", "c")

    assert said.exit_code == 0, said.output
    assert set(kept(orders, "k", "z")) == {"k"}


def test_packed_files_and_byte_order_marks_are_read(orders: Path) -> None:
    (orders / "a.csv.gz").write_bytes(gzip.compress("\ufefforder_id,returned\n1,1\n".encode()))
    said = label(orders, "--file", str(orders / "a.csv.gz"))

    assert said.exit_code == 0, said.output
    assert values(orders, "1") == {"1": "1"}


@pytest.mark.parametrize(
    ("args", "why"),
    [
        ([], "--file FILE, or --sql URL --query QUERY"),
        (["--file", "a.csv", "--sql", "sqlite://"], "--file FILE, or --sql"),
        (["--sql", "sqlite://"], "--file FILE, or --sql URL --query"),
        (["--file", "nowhere.csv"], "is no file"),
        (["--file", "a.csv", "--value", "nope"], "no column 'nope'"),
        (["--file", "a.csv", "--key", "nope"], "no column 'nope'"),
        (["--file", "bytes.csv"], "cannot be read"),
        (["--file", "a.csv", "--format", "parquet"], "cannot be read"),
        (["--sql", "env:NOT_SET", "--query", "x"], "NOT_SET is not set"),
        (["--sql", "oracel:secret", "--query", "x"], "--sql is no URL"),
        (["--sql", "sqlite:///nowhere.db", "--query", "x"], "there is no database nowhere.db"),
    ],
)
def test_what_cannot_be_read_is_one_message(
    orders: Path, monkeypatch: pytest.MonkeyPatch, args: list[str], why: str
) -> None:
    monkeypatch.chdir(orders)
    write(orders, "a.csv", "order_id,returned\n1,1\n")
    (orders / "bytes.csv").write_bytes(b"order_id,returned\n\xff\xfe,1\n")
    said = label(orders, *args)

    assert said.exit_code == 2
    assert why in said.stderr
    assert "secret" not in said.output + said.stderr
    assert "Traceback" not in said.output


def test_what_was_taken_before_an_error_is_said(orders: Path) -> None:
    lines = "".join(f"{n},1\n" for n in range(8000)).encode()
    (orders / "half.csv").write_bytes(b"order_id,returned\n" + lines + b"\xff,1\n")
    said = label(orders, "--file", str(orders / "half.csv"))

    assert said.exit_code == 2
    assert "5000 labels were taken before that and stay" in said.stderr
    with open_database(load(orders, Environment())).transaction() as stores:
        assert stores.labels.count("orders") == 5000
        (entry,) = stores.ledger.entries()
    assert entry.subject == "5000 labels"


def test_a_query_gives_labels(orders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with sqlite3.connect(orders / "shop.db") as shop:
        shop.execute("CREATE TABLE back (id INTEGER, gone INTEGER, at TEXT)")
        rows = [(n, n % 2, "2026-01-01T00:00:00") for n in range(6_000)]
        shop.executemany("INSERT INTO back VALUES (?, ?, ?)", [*rows, (6_000, None, None)])
    monkeypatch.setenv("SHOP", f"sqlite:///{orders / 'shop.db'}")
    query = "SELECT id AS order_id, gone AS returned, at AS back_at FROM back ORDER BY id"
    said = label(orders, "--sql", "env:SHOP", "--query", query)
    wrong = label(orders, "--sql", "env:SHOP", "--query", "SELECT nope FROM back")

    assert said.exit_code == 0, said.output
    assert "6000 labels" in said.output
    assert "1 rows had no value" in said.output
    assert values(orders, "0", "5999", "6000") == {"0": "0", "5999": "1"}
    assert wrong.exit_code == 2
    assert "the query failed: no such column: nope" in wrong.stderr


def test_no_password_is_shown_or_kept(orders: Path) -> None:
    url = "postgresql://ada:s3cr3t@127.0.0.1:1/shop?application_name=s3cr3t"
    said = label(orders, "--sql", url, "--query", "SELECT 1")

    assert said.exit_code == 2
    assert "the query failed" in said.stderr
    assert "s3cr3t" not in said.output + said.stderr
    for path in (orders / ".trimtab").rglob("*"):
        assert path.is_dir() or b"s3cr3t" not in path.read_bytes()


def test_python_delivers_what_the_command_does(orders: Path) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    told: list[GivenLabel] = [
        {"key": "a", "value": True},
        {"key": "b", "value": 7.5, "known_at": tomorrow},
        {"key": "c", "value": None},
        {"prediction_id": ID, "value": "no", "known_at": datetime(2026, 1, 1)},
    ]
    found = deliver("orders", told, project=orders, by="nightly job")

    assert (found.delivered.added, found.bad, found.unknown) == (2, 2, 2)
    assert [(bad.row, bad.why) for bad in found.bad_shown] == [
        (2, "known_at lies in the future"),
        (3, "value is missing"),
    ]
    assert found.unknown_shown == (ID, "a")
    assert deliver("orders", told, project=orders).delivered.unchanged == 2
    with open_database(load(orders, Environment())).transaction() as stores:
        first = list(stores.ledger.entries())[-1]
    assert (first.actor, first.reasons) == ("nightly job", ("Python", "2 refused"))
