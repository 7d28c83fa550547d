"""The trial: same rows, unseen by both, honest about slices, blocks and nonsense."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.errors import SettingsError
from trimtab.policy.descriptions import plain as shown
from trimtab.records.contracts import Contract, Task
from trimtab.records.gate import GateResult
from trimtab.records.schema import Schema
from trimtab.records.versions import ModelVersion
from trimtab.settings import ModelSettings
from trimtab_pipelines.contenders import Baseline, Contender, load_contender
from trimtab_pipelines.facts import unseen
from trimtab_pipelines.gate_table import as_markdown
from trimtab_pipelines.grouping import blocks_of, slices_of
from trimtab_pipelines.judging import judge

Loop = Any  # the conftest's; it is no module that could be imported
START = datetime(2013, 1, 1, tzinfo=UTC)


def contender(loop: Loop, skill: float) -> Contender:
    return load_contender(loop.registry, loop.bench.settings.home, loop.shop.add(skill))


def rows(loop: Loop) -> pd.DataFrame:
    found: pd.DataFrame = loop.bench.collect(loop.bench.settings, "late", loop.clock.now())
    return found


def verdict(loop: Loop, challenger: float, champion: float | None) -> GateResult:
    return judge(
        loop.bench.settings.model("late"),
        rows(loop),
        contender(loop, challenger),
        None if champion is None else contender(loop, champion),
    )


@pytest.mark.parametrize(
    ("challenger", "champion", "passed"),
    [
        (2.0, 0.0, True),
        (0.0, 2.0, False),
        (2.0, 2.0, False),
        (2.0, None, True),
        (-2.0, None, False),
    ],
)
def test_the_better_one_wins_and_no_one_wins_against_itself(
    loop: Loop, challenger: float, champion: float | None, passed: bool
) -> None:
    result = verdict(loop, challenger, champion)

    assert result.passed is passed
    assert result.overall.rows == 300, "only rows that neither was trained on count"
    assert {part.name for part in result.slices} == {"airport=JFK", "airport=LGA"}


def test_the_baseline_knows_only_how_often_each_class_occurred(loop: Loop) -> None:
    opponent = verdict(loop, 2.0, None).overall.champion

    assert opponent == pytest.approx(np.log(2), abs=0.02)


def test_a_challenger_is_not_promoted_for_a_gain_it_has_nowhere_but_on_average(loop: Loop) -> None:
    """Good where most rows are, and bad at one airport: the slice has the last word."""
    settings = loop.bench.settings.model("late")
    known = rows(loop)
    at_jfk = known["airport"] == "JFK"
    known = known.assign(late=np.where(at_jfk, known["x"] > 0, known["x"] < -0.5))
    result = judge(settings, known, contender(loop, 1.0), contender(loop, 0.0))

    assert not result.passed
    assert any("airport=LGA" in reason for reason in result.reasons)


def test_too_few_rows_prove_nothing(loop: Loop) -> None:
    settings = loop.bench.settings.model("late")
    known = rows(loop).iloc[:950]

    assert not judge(settings, known, contender(loop, 2.0), None).passed


def test_a_slice_that_is_no_column_is_a_fault_of_the_settings(loop: Loop) -> None:
    settings = loop.bench.settings.model("late")

    with pytest.raises(SettingsError, match="airport"):
        slices_of(settings, rows(loop).drop(columns="airport"))


def test_missing_values_are_a_slice_of_their_own(loop: Loop) -> None:
    settings = loop.bench.settings.model("late")
    frame = pd.DataFrame({"airport": ["JFK", None, "JFK"] * 100})

    masks = slices_of(settings, frame)
    assert masks["airport=(missing)"].tolist() == [False, True, False] * 100
    assert masks["airport=JFK"].tolist() == [True, False, True] * 100


def test_rare_values_are_a_slice_together_so_that_nothing_hides_among_them(loop: Loop) -> None:
    settings = loop.bench.settings.model("late")
    frame = pd.DataFrame({"airport": ["JFK"] * 150 + [f"A{n}" for n in range(90)] * 2})

    masks = slices_of(settings, frame)
    assert list(masks) == ["airport=JFK", "airport=(other)"]
    assert masks["airport=(other)"].sum() == 180


def test_numbers_of_many_values_are_cut_into_quarters(loop: Loop) -> None:
    settings = loop.bench.settings.model("late")
    masks = slices_of(settings, pd.DataFrame({"airport": np.arange(600.0)}))

    assert [int(mask.sum()) for mask in masks.values()] == [150] * 4


def plain(time: str | None = None) -> ModelSettings:
    return ModelSettings(task=Task.BINARY, source="x.csv", target="y", time=time)


@given(
    hours=st.integers(1, 600),
    step=st.sampled_from([timedelta(minutes=10), timedelta(hours=1), timedelta(hours=7)]),
)
def test_blocks_are_stretches_of_time_and_more_than_a_few(hours: int, step: timedelta) -> None:
    frame = pd.DataFrame({"at": [START + n * step for n in range(hours)]})
    blocks = blocks_of(plain("at"), frame)

    assert len(blocks) == len(frame)
    assert (np.diff(blocks) >= 0).all(), "a block is one stretch"
    assert len(set(blocks)) >= min(12, int(np.sqrt(hours)))


def test_days_are_the_blocks_where_there_are_enough_of_them(loop: Loop) -> None:
    frame = pd.DataFrame({"at": [START + timedelta(hours=n) for n in range(24 * 30)]})

    assert len(set(blocks_of(plain("at"), frame))) == 30


def version(trained_until: datetime, rows: int) -> ModelVersion:
    return ModelVersion(
        model="m",
        version="1",
        run_id="r",
        trained_until=trained_until,
        manifest_sha256="",
        tags={"trimtab.trained_rows": str(rows)},
    )


@given(first=st.integers(0, 99), second=st.integers(0, 99))
def test_unseen_rows_are_unseen_by_all_with_or_without_a_time_column(
    first: int, second: int
) -> None:
    frame = pd.DataFrame({"at": [START + timedelta(hours=n) for n in range(99)]})
    versions = [version(START + timedelta(hours=n), n) for n in (first, second)]

    by_time = unseen(plain("at"), frame, *versions)
    by_place = unseen(plain(), frame, *versions)
    assert by_time.index.tolist() == by_place.index.tolist() == list(range(max(first, second), 99))


def regression() -> Contract:
    return Contract(model="m", task=Task.REGRESSION, target="y", schema=Schema(columns=()))


def test_the_baseline_of_numbers_is_the_best_constant_for_the_loss() -> None:
    labels = pd.Series([0.0, 0.0, 0.0, 0.0, 10.0])
    baseline = Baseline.of(regression(), labels)
    frame = pd.DataFrame(index=labels.index)

    assert baseline.losses("squared_error", frame, labels).mean() == pytest.approx(
        labels.var(ddof=0)
    )
    assert baseline.losses("absolute_error", frame, labels).mean() == pytest.approx(2.0)


def test_a_class_that_training_never_saw_costs_the_baseline_much_but_not_everything() -> None:
    contract = Contract(
        model="m",
        task=Task.MULTICLASS,
        target="y",
        schema=Schema(columns=()),
        classes=("a", "b", "c"),
    )
    baseline = Baseline.of(contract, pd.Series(["a"] * 97))

    assert baseline.shares.sum() == pytest.approx(1.0)
    assert (baseline.shares > 0).all()


def test_the_table_holds_every_comparison_and_every_reason(loop: Loop) -> None:
    result = verdict(loop, 2.0, 0.0)
    text = as_markdown(result, "champion 1")

    assert text.startswith("### Gate: passed, compared with champion 1")
    for part in (result.overall, *result.slices):
        assert f"| {part.name} | {part.rows} |" in text
    for reason in result.reasons:
        assert shown(reason) in text
