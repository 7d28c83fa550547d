"""The trials of searches in the database: they come back in order, and as they were."""

from dataclasses import replace

from trimtab.adapters.sql import SqlDatabase
from trimtab.records.searches import SearchState, SearchTrial

TRIAL = SearchTrial(
    number=1,
    candidate="xgboost",
    window="weighted 30d",
    settings={"learning_rate": 0.1 + 0.2, "max_depth": 4},
    blocks=((0.1, 1 / 3), (0.2,)),
    loss=0.1 + 0.7,
    seconds=1.5,
)


def test_trials_come_back_in_their_order_and_to_the_last_digit(database: SqlDatabase) -> None:
    failed = SearchTrial(
        number=0,
        candidate="logistic",
        window="all",
        state=SearchState.FAILED,
        reason="\N{SNOWMAN}",
    )
    with database.transaction() as stores:
        stores.searches.add("r1", "b", TRIAL)
        stores.searches.add("r1", "b", failed)

    with database.transaction() as stores:
        assert list(stores.searches.of("r1", "b")) == [failed, TRIAL]


def test_a_search_is_of_one_request_and_one_basis(database: SqlDatabase) -> None:
    with database.transaction() as stores:
        stores.searches.add("r1", "b", TRIAL)

        assert list(stores.searches.of("r1", "other settings")) == []
        assert list(stores.searches.of("r2", "b")) == []


def test_a_trial_that_is_done_again_replaces_the_first(database: SqlDatabase) -> None:
    again = replace(TRIAL, loss=0.5)
    with database.transaction() as stores:
        stores.searches.add("r1", "b", TRIAL)
        stores.searches.add("r1", "b", again)

        assert list(stores.searches.of("r1", "b")) == [again]
