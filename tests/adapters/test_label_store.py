"""Labels in SQLite and in a real PostgreSQL: what counts, what is kept, what has a prediction."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text

from trimtab.adapters.sql import SqlDatabase, migrating
from trimtab.adapters.sql.database import open_database
from trimtab.records.labels import Delivered, Label, PastLabel

NOON = datetime(2013, 4, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def told(value: str, *, key: str = "k", after: int = 0) -> Label:
    return Label(key=key, value=value, known_at=NOON + after * MINUTE)


def put(database: SqlDatabase, *labels: Label, by: str = "ada", at: int = 100) -> Delivered:
    with database.transaction() as stores:
        return stores.labels.put("late", labels, by=by, at=NOON + at * MINUTE)


def get(database: SqlDatabase, *keys: str) -> Mapping[str, Label]:
    with database.transaction() as stores:
        return stores.labels.get("late", keys)


def history(database: SqlDatabase, key: str = "k") -> list[PastLabel]:
    with database.transaction() as stores:
        return list(stores.labels.history("late", key))


def test_many_labels_are_found_by_their_names(database: SqlDatabase) -> None:
    labels = [told("0", key=f"k{n}") for n in range(1200)]

    assert put(database, *labels) == Delivered(added=1200)
    assert put(database, *labels, told("1", key="new")) == Delivered(added=1, unchanged=1200)
    with database.transaction() as stores:
        assert stores.labels.count("late") == 1201
        assert stores.labels.count("other") == 0
    found = get(database, *(f"k{n}" for n in range(600)), "unknown")
    assert len(found) == 600
    assert found["k7"] == told("0", key="k7")


def test_who_told_what_counts_is_known(database: SqlDatabase) -> None:
    put(database, told("0"), told("0", key="m"), by="ada", at=1)
    put(database, told("1", after=5), by="bob", at=9)
    with database.transaction() as stores:
        found = stores.labels.standing("late", ["k", "m", "unknown"])

    assert {key: (label.value, label.told_by) for key, label in found.items()} == {
        "k": ("1", "bob"),
        "m": ("0", "ada"),
    }
    assert found["k"].told_at == NOON + 9 * MINUTE


def test_the_same_label_again_changes_nothing(database: SqlDatabase) -> None:
    put(database, told("1"), by="ada")

    assert put(database, told("True", after=5), by="bob", at=200) == Delivered(unchanged=1)
    assert get(database, "k") == {"k": told("1")}
    assert history(database) == []


def test_a_correction_counts_and_what_it_replaced_is_kept(database: SqlDatabase) -> None:
    put(database, told("0"), by="ada", at=1)

    assert put(database, told("1", after=5), by="bob", at=9) == Delivered(corrected=1)
    assert get(database, "k") == {"k": told("1", after=5)}
    assert history(database) == [
        PastLabel(
            key="k",
            value="0",
            known_at=NOON,
            told_at=NOON + MINUTE,
            told_by="ada",
            replaced_at=NOON + 9 * MINUTE,
        )
    ]


def test_what_became_known_earlier_does_not_win_and_is_kept(database: SqlDatabase) -> None:
    put(database, told("1", after=5))

    assert put(database, told("0"), by="slow", at=200) == Delivered(outdated=1)
    assert get(database, "k") == {"k": told("1", after=5)}
    (past,) = history(database)
    assert (past.value, past.told_by) == ("0", "slow")
    assert past.told_at == past.replaced_at


def test_one_delivery_may_tell_a_name_many_times(database: SqlDatabase) -> None:
    labels = [told(str(n), after=n) for n in range(3)] * 2

    assert put(database, *labels) == Delivered(added=1, corrected=2, unchanged=1, outdated=2)
    assert get(database, "k") == {"k": told("2", after=2)}
    assert [past.value for past in history(database)] == ["0", "1", "0", "1"]


def test_what_is_erased_leaves_no_history(database: SqlDatabase) -> None:
    put(database, told("0"), told("1", after=1), told("0", key="other"))
    with database.transaction() as stores:
        assert stores.labels.erase("late", ["k", "nobody"]) == 1

    assert set(get(database, "k", "other")) == {"other"}
    assert history(database) == []


def test_a_label_is_unmatched_until_its_prediction_is_found(database: SqlDatabase) -> None:
    put(database, *(told("0", key=name) for name in ("early", "known", "never")))
    with database.transaction() as stores:
        search = stores.label_search
        assert sorted(search.unsought("late", 10)) == ["early", "known", "never"]
        assert len(search.unsought("late", 2)) == 2
        search.found("late", ["known", "without a label"])
        search.not_found("late", ["early", "known", "never"])
    with database.transaction() as stores:
        search = stores.label_search
        assert search.unmatched("late") == 2
        assert search.unsought("late", 10) == []
        search.found("late", ["early"])
        assert search.unmatched_of("late", ["early", "known", "never"]) == {"never"}
        search.search_again("late")
        assert search.unsought("late", 10) == ["never"]
        assert (search.unmatched("late"), search.unmatched("other")) == (1, 0)


def test_a_correction_is_not_searched_for_again(database: SqlDatabase) -> None:
    put(database, told("0"))
    with database.transaction() as stores:
        stores.label_search.found("late", ["k"])
    put(database, told("1", after=1))

    with database.transaction() as stores:
        assert stores.label_search.unmatched("late") == 0


def test_a_file_is_taken_once(database: SqlDatabase) -> None:
    with database.transaction() as stores:
        assert stores.label_files.take("late", "a")
        assert stores.label_files.take("other", "a")
        assert not stores.label_files.take("late", "a")
        stores.label_files.take("late", "b")
        stores.label_files.forget("late", ["b"])
    with database.transaction() as stores:
        assert stores.label_files.take("late", "a")
        assert not stores.label_files.take("late", "b")


def test_labels_of_an_older_trimtab_are_kept_and_searched_for(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'trimtab.db'}"
    engine = create_engine(url)
    config = Config()
    config.set_main_option("script_location", str(Path(migrating.__file__).parent / "migrations"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
        connection.execute(
            text("INSERT INTO labels VALUES ('late', 'k', '1', '2013-04-01 12:00:00.000000')")
        )
    engine.dispose()
    database = open_database(url)

    assert get(database, "k") == {"k": told("1")}
    with database.transaction() as stores:
        assert stores.label_search.unsought("late", 10) == ["k"]
    assert put(database, told("0", after=-1)) == Delivered(outdated=1)
    database.close()
