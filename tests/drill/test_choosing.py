"""What is drilled: all that fits, on the columns that matter, and nothing that means nothing."""

from collections.abc import Callable, Mapping
from datetime import timedelta

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.errors import SettingsError
from trimtab.records.contracts import Task
from trimtab.records.drills import Change
from trimtab.settings import CaptureSettings, ModelSettings
from trimtab_pipelines.columns import infer_schema
from trimtab_pipelines.drill.choosing import Chosen, Wishes, check_sizes, choose, cycle_of

DECLARED = ModelSettings(
    task=Task.BINARY, source="x.csv", target="returned", time="at", key="order"
)
IMPORTANCE = {"items": 0.5, "price": 0.3, "country": 0.1, "rating": 0.1}


def wish(
    *changes: Change,
    sizes: Mapping[Change, float] | None = None,
    columns: Mapping[Change, str] | None = None,
) -> Wishes:
    return Wishes(changes=changes, sizes=sizes or {}, columns=columns or {})


Choose = Callable[..., Chosen]


@pytest.fixture(scope="module")
def chosen(history: pd.DataFrame) -> Choose:
    """Chooses for the orders."""
    schema = infer_schema(history.drop(columns=["order", "at", "returned"]))

    def give(wishes: Wishes, declared: ModelSettings = DECLARED) -> Chosen:
        return choose(wishes, schema, IMPORTANCE, history, declared)

    return give


def test_by_default_the_column_that_the_model_goes_by_most_is_changed(chosen: Choose) -> None:
    columns = {i.change: i.column for i in chosen(wish()).injections}

    assert columns == {
        Change.NOTHING: "",
        Change.CYCLE: "items",
        Change.MEAN_SHIFT: "items",
        Change.NEW_CATEGORY: "country",
        Change.NULL_BURST: "rating",
        Change.UNIT_CHANGE: "items",
        Change.LABEL_FLIP: "returned",
    }


def test_what_does_not_fit_is_left_out_with_the_reason_unless_it_was_asked_for(
    chosen: Choose,
) -> None:
    hidden = DECLARED.model_copy(update={"capture": CaptureSettings(hash=("country",))})

    assert chosen(wish(), hidden).left_out == {Change.NEW_CATEGORY: "no input is text"}
    with pytest.raises(SettingsError, match="no input is text"):
        chosen(wish(Change.NEW_CATEGORY), hidden)


def test_a_column_and_a_size_of_ones_own_are_taken(chosen: Choose, history: pd.DataFrame) -> None:
    wishes = wish(sizes={Change.MEAN_SHIFT: -3}, columns={Change.MEAN_SHIFT: "price"})
    shift = next(i for i in chosen(wishes).injections if i.change is Change.MEAN_SHIFT)

    assert (shift.column, shift.size) == ("price", -3)
    assert shift.deviation == pytest.approx(history["price"].std())


@pytest.mark.parametrize(
    ("change", "column", "why"),
    [
        (Change.MEAN_SHIFT, "prise", r"no input 'prise'. Did you mean 'price'\?"),
        (Change.MEAN_SHIFT, "returned", "no input 'returned'"),
        (Change.MEAN_SHIFT, "country", "is no number but string"),
        (Change.NEW_CATEGORY, "price", "is no text but double"),
        (Change.NULL_BURST, "price", "is required; the endpoint turns rows without it away"),
    ],
)
def test_a_column_that_cannot_be_changed_so_is_refused(
    chosen: Choose, change: Change, column: str, why: str
) -> None:
    with pytest.raises(SettingsError, match=why):
        chosen(wish(change, columns={change: column}))


def test_labels_that_are_not_there_cannot_be_flipped(chosen: Choose) -> None:
    unlabelled = ModelSettings(task=Task.ANOMALY, source="x.csv", time="at")

    assert chosen(wish(), unlabelled).left_out == {Change.LABEL_FLIP: "anomaly has no labels"}
    with pytest.raises(SettingsError, match="anomaly has no labels"):
        chosen(wish(Change.LABEL_FLIP), unlabelled)


@pytest.mark.parametrize(
    "wishes",
    [
        wish(sizes={Change.NULL_BURST: 1.5}),
        wish(sizes={Change.MEAN_SHIFT: 0}),
        wish(sizes={Change.MEAN_SHIFT: float("nan")}),
        wish(sizes={Change.UNIT_CHANGE: 1}),
        wish(sizes={Change.NOTHING: 1}),
        wish(columns={Change.LABEL_FLIP: "price"}),
        wish(Change.NOTHING, columns={Change.MEAN_SHIFT: "price"}),
    ],
)
def test_wishes_that_mean_nothing_are_refused(wishes: Wishes) -> None:
    with pytest.raises(SettingsError):
        check_sizes(wishes)


@given(window=st.integers(1, 400), windows=st.integers(16, 2000))
def test_a_season_is_longer_than_a_window_and_was_seen_to_repeat(window: int, windows: int) -> None:
    length, trained = timedelta(hours=window), timedelta(hours=window * windows)
    season = cycle_of(length, trained)

    assert season > length
    assert 4 * season <= trained
