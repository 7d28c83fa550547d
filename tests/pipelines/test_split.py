from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.errors import SettingsError
from trimtab.settings.project import ModelSettings
from trimtab_pipelines.errors import DataRefusedError
from trimtab_pipelines.split import Split, split_by_time

START = datetime(2013, 1, 1, tzinfo=UTC)
UNTIL = datetime(2014, 1, 1, tzinfo=UTC)


def model(*, time: str | None = "at", **changes: Any) -> ModelSettings:
    fixed = {"task": "binary", "source": "x.csv", "target": "y", "time": time}
    return ModelSettings.model_validate(fixed | changes)


def daily(days: int) -> pd.DataFrame:
    return pd.DataFrame({"at": [pd.Timestamp(START) + timedelta(days=n) for n in range(days)]})


def split(rows: pd.DataFrame, **changes: Any) -> Split:
    return split_by_time(rows, model(**changes), UNTIL)


def test_a_tenth_is_kept_for_the_gate_and_a_share_of_the_rest_for_validation() -> None:
    found = split(daily(200), gate={"min_rows": 20})

    assert (found.start, found.middle, found.end) == (0, 153, 180)
    assert found.trained_until == START + timedelta(days=180)
    assert (found.fitted, len(found.seen), len(found.gate)) == (153, 180, 20)


def test_a_small_source_gives_the_gate_what_it_needs_but_not_most_of_its_rows() -> None:
    assert len(split(daily(500)).gate) == 100
    assert len(split(daily(150)).gate) == 60


def test_the_gates_window_counts_back_from_the_newest_row() -> None:
    found = split(daily(200), gate={"window": "14d"})

    assert len(found.gate) == 15
    assert found.trained_until == START + timedelta(days=185)


def test_the_training_window_counts_back_from_the_gate() -> None:
    found = split(daily(200), train={"window": "90d"}, gate={"min_rows": 20})

    assert found.seen["at"].iloc[0] == START + timedelta(days=90)
    assert len(found.seen) == 90


@given(
    st.lists(st.integers(0, 60), min_size=30, max_size=120),
    st.sampled_from([None, "1d", "5d"]),
    st.sampled_from(["all", "20d"]),
)
def test_every_part_is_older_than_the_next(days: list[int], gate: str | None, train: str) -> None:
    rows = pd.DataFrame({"at": [pd.Timestamp(START) + timedelta(days=d) for d in sorted(days)]})
    try:
        found = split(rows, gate={"window": gate} if gate else {}, train={"window": train})
    except DataRefusedError:
        return

    assert found.seen["at"].max() < found.trained_until <= found.gate["at"].min()
    assert 0 < found.fitted < len(found.seen)
    assert found.end + len(found.gate) == len(rows)


def test_without_times_the_order_of_the_rows_counts() -> None:
    found = split(pd.DataFrame({"x": range(100)}), time=None)

    assert found.gate["x"].tolist() == list(range(60, 100))
    assert found.trained_until == UNTIL


@pytest.mark.parametrize("setting", ["gate", "train"])
def test_a_window_without_times_is_a_wrong_setting(setting: str) -> None:
    with pytest.raises(SettingsError, match=rf"{setting}\.window: .* needs `time`"):
        split(pd.DataFrame({"x": range(100)}), time=None, **{setting: {"window": "5d"}})


def test_rows_of_one_moment_cannot_be_split() -> None:
    with pytest.raises(DataRefusedError, match="0 rows lie before the gate's"):
        split(pd.DataFrame({"at": [pd.Timestamp(START)] * 100}))


def test_a_gate_that_takes_all_is_refused() -> None:
    with pytest.raises(DataRefusedError, match=r"shorter gate\.window"):
        split(daily(50), gate={"window": "90d"})
