"""What is replayed: every row once, in time order, and each label when it is known."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.errors import SettingsError
from trimtab.records.contracts import Task
from trimtab.settings import ModelSettings
from trimtab_pipelines.live_traffic.history import History

SETTINGS = ModelSettings(
    task=Task.BINARY,
    source="rows.csv",
    target="late",
    time="departs",
    key="flight",
    label_time="landed",
)
START = datetime(2013, 4, 1, tzinfo=UTC)


def rows(minutes: list[int]) -> pd.DataFrame:
    departs = [START + timedelta(minutes=m) for m in sorted(minutes)]
    return pd.DataFrame(
        {
            "flight": [f"f{n}" for n in range(len(departs))],
            "departs": pd.to_datetime(departs, utc=True),
            "landed": pd.to_datetime([d + timedelta(hours=3) for d in departs], utc=True),
            "temp": [float("nan") if n % 7 == 0 else float(n) for n in range(len(departs))],
            "seats": pd.array([n for n in range(len(departs))], dtype="int64"),
            "late": [n % 2 for n in range(len(departs))],
        }
    )


def history_of(folder: Path, minutes: list[int], at_once: int = 10_000) -> History:
    file = folder / "history.parquet"
    rows(minutes).to_parquet(file, index=False)
    return History(SETTINGS, file, source="demo", at_once=at_once)


@given(
    minutes=st.lists(st.integers(0, 6000), min_size=1, max_size=120),
    most=st.integers(1, 30),
    at_once=st.integers(1, 50),
)
def test_every_row_is_asked_once_in_time_order(minutes: list[int], most: int, at_once: int) -> None:
    with TemporaryDirectory() as folder:
        history = history_of(Path(folder), minutes, at_once)
        batches = list(history.batches(most))
    bodies = [orjson.loads(body) for batch in batches for body in batch.bodies]

    assert [key for body in bodies for key in body["keys"]] == [
        f"f{n}" for n in range(len(minutes))
    ]
    assert all(len(body["rows"]) <= most for body in bodies)
    assert all(set(row) == {"temp", "seats"} for body in bodies for row in body["rows"])
    assert sum(batch.rows for batch in batches) == len(history)
    for batch in batches:
        times = [datetime.fromisoformat(t) for b in batch.bodies for t in orjson.loads(b)["times"]]
        assert all(batch.start <= time < batch.end for time in times)


def test_a_missing_value_is_null_and_an_integer_stays_one(tmp_path: Path) -> None:
    history = history_of(tmp_path, [0, 1])
    body = orjson.loads(next(history.batches(10)).bodies[0])

    assert body["rows"] == [{"temp": None, "seats": 0}, {"temp": 1.0, "seats": 1}]


def test_a_label_comes_when_it_is_known_and_once(tmp_path: Path) -> None:
    history = history_of(tmp_path, [0, 60, 120])

    assert history.labels_until(START + timedelta(hours=2)) == []
    assert [x.key for x in history.labels_until(START + timedelta(hours=4))] == ["f0", "f1"]
    assert [x.value for x in history.labels_until(START + timedelta(days=1))] == ["0"]
    assert history.labels_until(START + timedelta(days=2)) == []


def test_a_model_without_time_cannot_be_replayed() -> None:
    with pytest.raises(SettingsError, match="set `time` and `key`"):
        History(
            SETTINGS.model_copy(update={"time": None}), Path("never-opened.parquet"), source="demo"
        )
