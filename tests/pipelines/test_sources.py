import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from trimtab.errors import ExitCode
from trimtab.settings.project import ModelSettings
from trimtab_pipelines.errors import SourceError
from trimtab_pipelines.sources import origin, read

UNTIL = datetime(2013, 4, 1, tzinfo=UTC)
ROWS = pd.DataFrame({"x": [1, 2], "y": ["a", "b"]})


def model(source: str, source_url: str | None = None) -> ModelSettings:
    return ModelSettings.model_validate(
        {"task": "binary", "source": source, "source_url": source_url, "target": "y"}
    )


def refusal(source: str, folder: Path, source_url: str | None = None) -> str:
    with pytest.raises(SourceError) as error:
        read(model(source, source_url), folder, UNTIL)
    assert error.value.exit_code is ExitCode.REFUSED
    return str(error.value)


@pytest.mark.parametrize("name", ["rows.parquet", "rows.csv", "rows.csv.gz", "deep/rows.csv"])
def test_files_are_read_by_their_ending(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    ROWS.to_parquet(path) if name.endswith("parquet") else ROWS.to_csv(path, index=False)

    pd.testing.assert_frame_equal(read(model(name), tmp_path, UNTIL), ROWS)
    pd.testing.assert_frame_equal(read(model(str(path)), Path("/"), UNTIL), ROWS)
    pd.testing.assert_frame_equal(read(model(f"file://{path}"), Path("/"), UNTIL), ROWS)


def test_a_pattern_takes_all_files_in_the_order_of_their_names(tmp_path: Path) -> None:
    for month in (2, 1, 10):
        ROWS.assign(x=month).to_parquet(tmp_path / f"2013-{month:02}.parquet")

    found = read(model("*.parquet"), tmp_path, UNTIL)

    assert found["x"].tolist() == [1, 1, 2, 2, 10, 10]


def test_no_file_is_a_refusal_that_says_where_it_looked(tmp_path: Path) -> None:
    assert f"no file matches {tmp_path}/data/*.parquet" in refusal("data/*.parquet", tmp_path)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()

    assert "FOLDER/*.parquet" in refusal("data", tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("rows.parquet", b"PAR1 and then nothing", "rows.parquet cannot be read"),
        ("rows.csv", b"", "rows.csv is empty"),
        ("rows.csv", b"a,b\n1,2\n1,2,3,4\n", "rows.csv cannot be read"),
        ("rows.csv", b"a,b\n", "there are no rows in it"),
        ("rows.xlsx", b"x", "ends in neither .parquet nor .csv"),
    ],
)
def test_a_file_that_holds_no_rows_is_named(
    tmp_path: Path, name: str, content: bytes, why: str
) -> None:
    (tmp_path / name).write_bytes(content)

    assert why in refusal(name, tmp_path)


def test_a_truncated_parquet_file_is_named(tmp_path: Path) -> None:
    ROWS.to_parquet(tmp_path / "a.parquet")
    whole = (tmp_path / "a.parquet").read_bytes()
    (tmp_path / "b.parquet").write_bytes(whole[: len(whole) // 2])

    assert "b.parquet cannot be read" in refusal("*.parquet", tmp_path)


@pytest.mark.parametrize("url", ["nowhere://x/y.csv", "s3://bucket/rows.csv"])
def test_a_filesystem_that_is_not_there_is_a_refusal(tmp_path: Path, url: str) -> None:
    assert "cannot be opened" in refusal(url, tmp_path)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    with sqlite3.connect(tmp_path / "rows.db") as connection:
        ROWS.to_sql("t", connection, index=False)
    return tmp_path


def test_a_query_is_a_source(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    query = "sql:SELECT x, y FROM t ORDER BY x"
    found = read(model(query, "sqlite:///rows.db"), database, UNTIL)
    pd.testing.assert_frame_equal(found, ROWS)

    monkeypatch.setenv("ROWS_URL", f"sqlite:///{database}/rows.db")
    pd.testing.assert_frame_equal(read(model(query, "env:ROWS_URL"), database, UNTIL), ROWS)


def test_a_query_that_fails_says_why(database: Path) -> None:
    url = "sqlite:///rows.db"

    assert "no such table: u" in refusal("sql:SELECT * FROM u", database, url)
    assert "no rows" in refusal("sql:SELECT * FROM t WHERE x > 9", database, url)
    assert "ROWS_URL is not set" in refusal("sql:SELECT 1", database, "env:ROWS_URL")
    assert "query failed" in refusal("sql:SELECT 1", database, "no url at all")


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    assert "there is no database" in refusal("sql:SELECT 1", tmp_path, "sqlite:///rows.db")
    assert not (tmp_path / "rows.db").exists()


FUNCTIONS = """
import pandas as pd
from settings_beside import ROWS

def load():
    return pd.DataFrame({"x": ROWS})

def load_until(until):
    return pd.DataFrame({"x": [until]})

def raises():
    raise KeyError("tailnum")

def gives_none():
    pass

def gives_nothing():
    return pd.DataFrame({"x": []})

number = 3
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "own.py").write_text(FUNCTIONS)
    (tmp_path / "settings_beside.py").write_text("ROWS = [1, 2, 3]")
    (tmp_path / "broken.py").write_text("1 / 0")
    return tmp_path


def test_a_function_of_the_project_is_a_source(project: Path) -> None:
    assert read(model("own:load"), project, UNTIL)["x"].tolist() == [1, 2, 3]
    assert read(model("own:load_until"), project, UNTIL)["x"].tolist() == [UNTIL]


def test_two_projects_may_name_their_modules_alike(project: Path, tmp_path: Path) -> None:
    read(model("own:load"), project, UNTIL)
    other = tmp_path / "other"
    other.mkdir()
    (other / "own.py").write_text(
        "import pandas as pd\ndef load(): return pd.DataFrame({'x': [9]})"
    )

    assert read(model("own:load"), other, UNTIL)["x"].tolist() == [9]


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("own:lode", "own has no function 'lode'"),
        ("own:number", "own has no function 'number'"),
        ("owns:load", "owns cannot be imported from"),
        ("broken:load", "ZeroDivisionError: division by zero"),
        ("own:raises", "raises raised KeyError: 'tailnum'"),
        ("own:gives_none", "gives_none gave NoneType, not a pandas DataFrame"),
        ("own:gives_nothing", "there are no rows in it"),
    ],
)
def test_a_function_that_gives_no_rows_says_why(project: Path, source: str, why: str) -> None:
    assert why in refusal(source, project)


def test_every_source_has_an_origin_that_can_be_opened(project: Path) -> None:
    assert origin(model("own:load"), project) == str(project / "own.py")
    assert origin(model("data/x.csv"), project) == str(project / "data/x.csv")
    assert origin(model("s3://b/x.csv"), project) == "s3://b/x.csv"
    assert origin(model("sql:SELECT 1", "sqlite://"), project) == str(project / "trimtab.toml")


def test_a_password_in_a_source_is_in_no_message_and_no_tag(tmp_path: Path) -> None:
    source = "http://ada:secret@127.0.0.1:9/rows.csv"
    said = refusal(source, tmp_path)

    assert "http://127.0.0.1:9/rows.csv" in said
    assert origin(model(source), tmp_path) == "http://127.0.0.1:9/rows.csv"
    assert "secret" not in said
