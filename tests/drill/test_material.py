"""History is laid out anew in whole blocks: nothing is lost in them, nothing is sent twice."""

from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.records.contracts import Task
from trimtab.settings import Environment, ModelSettings, MonitorSettings, load
from trimtab_pipelines.drill.errors import DrillError, TooFewRowsError
from trimtab_pipelines.drill.material import KEY, lay_out, read_history


def declared(window: str = "1h", **changed: object) -> ModelSettings:
    return ModelSettings(
        task=Task.BINARY,
        source="orders.csv",
        target="returned",
        time="at",
        key="order",
        monitor=MonitorSettings.model_validate({"window": window}),
    ).model_copy(update=changed)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), least=st.integers(1, 20), more=st.integers(0, 20))
def test_each_block_is_used_once_and_whole(
    history: pd.DataFrame, seed: int, least: int, more: int
) -> None:
    material = lay_out(history, declared(), least=least, most=least + more, seed=seed)
    training, live = material.training, material.live
    laid = pd.concat([training, live])
    values = ["price", "rating", "country", "items", "returned"]

    assert least <= material.windows <= max(least, least + more)
    assert not laid.duplicated(values).any(), "no two orders are the same in all of these"
    assert laid["order"].is_unique
    assert training["at"].max() < material.begins <= live["at"].min()
    assert (live["at"].dt.floor("1h").value_counts() == 240).all()
    assert live["at"].dt.floor("1h").nunique() == material.windows
    assert laid["at"].is_monotonic_increasing


def test_what_goes_together_stays_together_at_its_time_of_the_block(history: pd.DataFrame) -> None:
    material = lay_out(history, declared(), least=20, most=20)
    row = material.live.iloc[1234]
    same = (history[["price", "items", "country"]] == row[["price", "items", "country"]]).all(
        axis=1
    )
    was = history.loc[same & (history["rating"] == row["rating"]), "at"].item()

    assert (row["at"] - was) % pd.Timedelta("1h") == timedelta(0)


def test_every_moment_of_a_row_moves_with_it(history: pd.DataFrame) -> None:
    later = history.assign(known=history["at"] + pd.Timedelta("20min"))
    material = lay_out(later, declared(label_time="known"), least=20, most=20)

    assert (material.live["known"] - material.live["at"] == pd.Timedelta("20min")).all()


def test_a_model_without_a_key_gets_one(history: pd.DataFrame) -> None:
    material = lay_out(history, declared(key=None), least=20, most=20)

    assert material.live[KEY].is_unique


def test_too_little_history_is_said_to_be_too_little(history: pd.DataFrame) -> None:
    with pytest.raises(TooFewRowsError, match=r"covers 20 windows of 1h .* needs 28"):
        lay_out(history[: 20 * 240], declared(), least=20, most=40)


def test_a_stretch_with_few_rows_is_not_taken_for_a_window(history: pd.DataFrame) -> None:
    thin = pd.concat([history[: 20 * 240], history[20 * 240 : 40 * 240 : 10]])

    with pytest.raises(TooFewRowsError, match="covers 20 windows"):
        lay_out(thin, declared(), least=20, most=40)


def test_a_source_that_cannot_be_read_says_why(project: Path) -> None:
    (project / "orders.csv").unlink()

    with pytest.raises(DrillError, match="no file matches"):
        read_history(load(project, Environment()), "orders", project / "history.parquet")
