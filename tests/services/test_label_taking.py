"""Labels on their way from the inbox into the database: each file once, and none is lost."""

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from trimtab.adapters.clock import SystemClock
from trimtab.adapters.opening import open_upkeep
from trimtab.adapters.parquet_log import ParquetLog
from trimtab.adapters.sql import SqlDatabase, open_database
from trimtab.cli.group import trimtab
from trimtab.records.erasures import Erasure
from trimtab.records.labels import Delivered, Label
from trimtab.settings import Environment, Settings, load
from trimtab_services.erasing import Eraser, ask
from trimtab_services.label_inbox import Inbox, Receipt, ToldLabels
from trimtab_services.label_taking import LabelTaker
from trimtab_services.shipped_names import ShippedNames
from trimtab_services.shipper import Shipper
from trimtab_services.testing import MODEL, capture, contract_of, request

NOON = datetime(2013, 4, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "trimtab.toml").write_text(
        f'[models.{MODEL}]\ntask = "binary"\nsource = "rows.csv"\ntarget = "y"\n'
    )
    return load(tmp_path, Environment(home=tmp_path / "home"))


@pytest.fixture
def inbox(settings: Settings) -> Inbox:
    return Inbox(settings.home.labels(MODEL))


@pytest.fixture
def database(settings: Settings) -> Iterator[SqlDatabase]:
    database = open_database(settings.database_url)
    yield database
    database.close()


@pytest.fixture
def log(settings: Settings) -> ParquetLog:
    return ParquetLog(settings.inference_log)


@pytest.fixture
def taker(inbox: Inbox, database: SqlDatabase, log: ParquetLog) -> LabelTaker:
    return LabelTaker(inbox, MODEL, database, log, time.monotonic)


def put(inbox: Inbox, values: Mapping[str, str], *, after: int = 0) -> str:
    labels = tuple(
        Label(key=key, value=value, known_at=NOON + after * MINUTE) for key, value in values.items()
    )
    told = ToldLabels(labels=labels, by="key 7", at=NOON + after * MINUTE)
    return inbox.put(os.urandom(16).hex(), told)


def values(database: SqlDatabase, *names: str) -> dict[str, str]:
    with database.transaction() as stores:
        return {name: label.value for name, label in stores.labels.get(MODEL, names).items()}


def past(database: SqlDatabase, name: str) -> list[str]:
    with database.transaction() as stores:
        return [label.value for label in stores.labels.history(MODEL, name)]


def test_files_are_taken_in_the_order_in_which_they_came(
    inbox: Inbox, taker: LabelTaker, database: SqlDatabase
) -> None:
    names = [put(inbox, {"k": value}) for value in "abc"]
    taker.step()

    assert inbox.waiting(9) == []
    assert values(database, "k") == {"k": "c"}
    assert past(database, "k") == ["a", "b"]
    told = [receipt and receipt.delivered for receipt in map(inbox.fetch, names)]
    assert told == [Delivered(added=1), Delivered(corrected=1), Delivered(corrected=1)]
    assert inbox.fetch(names[0]) is None


def test_a_file_that_was_taken_before_a_death_is_not_taken_again(
    inbox: Inbox, taker: LabelTaker, database: SqlDatabase, log: ParquetLog
) -> None:
    name = put(inbox, {"k": "a"})
    content = (inbox.folder / name).read_bytes()
    taker.step()
    put(inbox, {"k": "b"})
    (inbox.folder / name).write_bytes(content)  # as if it had died before it removed the file
    LabelTaker(inbox, MODEL, database, log, time.monotonic).step()

    assert values(database, "k") == {"k": "b"}
    assert past(database, "k") == ["a"]
    assert inbox.waiting(9) == []


def test_while_the_database_fails_files_stay(
    inbox: Inbox, taker: LabelTaker, database: SqlDatabase
) -> None:
    taker.step()
    put(inbox, {"k": "a"})
    put(inbox, {"k": "b"})
    with database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE past_labels RENAME TO elsewhere")
    put(inbox, {"j": "a"})
    taker.step()
    waiting = len(inbox.waiting(9))
    aside = list((inbox.folder / "unreadable").glob("*"))
    with database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE labels RENAME TO away")
    put(inbox, {"l": "a"})
    with pytest.raises(Exception, match="labels"):
        taker.step()

    assert (waiting, len(aside)) == (0, 1)  # what needs the table that is not there
    assert len(inbox.waiting(9)) == 1


def test_what_cannot_be_read_or_taken_is_set_aside_and_keeps_nothing_back(
    inbox: Inbox, taker: LabelTaker, database: SqlDatabase
) -> None:
    unreadable, unfit = put(inbox, {"x": "a"}), put(inbox, {"y": "a"})
    (inbox.folder / unreadable).write_bytes(b"{")
    told = json.loads((inbox.folder / unfit).read_bytes())
    told["labels"][0]["known_at"] = "2013-04-01T12:00:00"  # means something else on each host
    (inbox.folder / unfit).write_text(json.dumps(told))
    put(inbox, {"k": "a"})
    taker.step()

    assert values(database, "x", "y", "k") == {"k": "a"}
    aside = {path.name for path in (inbox.folder / "unreadable").iterdir()}
    assert aside == {unreadable, unfit}
    assert inbox.waiting(9) == []


def test_labels_find_predictions_that_came_before_or_come_after(
    settings: Settings, inbox: Inbox, database: SqlDatabase, log: ParquetLog
) -> None:
    spool, names = settings.home.spool(MODEL), ShippedNames()
    ids = [f"{n:032x}-0" for n in range(3)]
    taker = LabelTaker(inbox, MODEL, database, log, lambda: names.since)
    with closing(Shipper(spool, MODEL, log, contract_of, shipped=names.add)) as shipper:

        def ship() -> None:
            began = time.monotonic()
            shipper.ship()
            with database.transaction() as stores:
                names.note(stores.label_search, MODEL)
            names.noted(began)

        capture(spool, request(0))
        ship()
        receipts = []
        for _ in range(2):
            name = put(inbox, dict.fromkeys(ids, "y"))
            names.since = time.monotonic() + 9.0  # as if all that was captured were shipped
            taker.step()
            receipts.append(inbox.fetch(name))
        capture(spool, request(1))
        ship()
        with database.transaction() as stores:
            left = stores.label_search.unmatched_of(MODEL, ids)

    unknown = [receipt and receipt.unknown for receipt in receipts]
    assert unknown == [(1, 2), (1, 2)]
    assert left == {ids[2]}


def test_a_worker_that_starts_searches_again(
    inbox: Inbox, taker: LabelTaker, database: SqlDatabase, log: ParquetLog, settings: Settings
) -> None:
    put(inbox, {f"{7:032x}-0": "y"})
    taker.step()
    capture(settings.home.spool(MODEL), request(7))
    with closing(Shipper(settings.home.spool(MODEL), MODEL, log, contract_of)) as shipper:
        shipper.ship()  # and the worker dies before it notes which rows these were
    with database.transaction() as stores:
        before = stores.label_search.unmatched(MODEL)
    LabelTaker(inbox, MODEL, database, log, time.monotonic).step()

    with database.transaction() as stores:
        assert (before, stores.label_search.unmatched(MODEL)) == (1, 0)


def test_nobody_is_told_what_is_not_known_yet(
    inbox: Inbox, database: SqlDatabase, log: ParquetLog
) -> None:
    taker = LabelTaker(inbox, MODEL, database, log, lambda: 0.0)  # the log is behind
    name = put(inbox, {"k": "y"})
    taker.step()

    assert inbox.fetch(name) is None
    assert values(database, "k") == {"k": "y"}


def test_an_erasure_waits_for_labels_that_are_on_their_way(
    settings: Settings, inbox: Inbox, taker: LabelTaker, database: SqlDatabase
) -> None:
    put(inbox, {"anna": "y", "ben": "y"})
    erasure = Erasure(model=MODEL, key="anna", prediction_id=None, asked_at=NOON, actor="ada")
    path = ask(settings, erasure)
    eraser = Eraser(
        settings=settings, database=database, upkeep=open_upkeep(settings), clock=SystemClock()
    )

    assert not eraser.erase(path)
    taker.step()
    assert eraser.erase(path)
    assert values(database, "anna", "ben") == {"ben": "y"}
    assert not path.exists()


def test_without_a_worker_the_command_that_erases_takes_the_labels(
    settings: Settings, inbox: Inbox, database: SqlDatabase
) -> None:
    put(inbox, {"anna": "y", "ben": "y"})
    arguments = ["erase", MODEL, "--key", "anna", "--project", str(settings.folder)]
    done = CliRunner().invoke(trimtab, arguments, env={"TRIMTAB_HOME": str(settings.home.root)})

    assert done.exit_code == 0, done.output
    assert values(database, "anna", "ben") == {"ben": "y"}


def test_what_killed_processes_left_is_swept(inbox: Inbox) -> None:
    name = put(inbox, {"k": "y"})
    inbox.answer(name, Receipt(delivered=Delivered(added=1), unknown=()))
    half = inbox.folder / f".{name}.new"
    half.write_bytes(b"{")
    young: Any = inbox.folder / f".{name}.young.new"
    young.write_bytes(b"{")
    long_ago = time.time() - 600
    for path in (half, inbox.folder / "answers" / name, inbox.folder / name):
        os.utime(path, (long_ago, long_ago))
    inbox.sweep()

    assert not half.exists()
    assert young.exists()
    assert inbox.fetch(name) is None
    assert inbox.waiting(9) == [name]


def test_an_inbox_is_attended_for_as_long_as_somebody_says_so(inbox: Inbox) -> None:
    assert not inbox.is_attended()
    inbox.attend()
    assert inbox.is_attended()
    os.utime(inbox.folder / "attended", (time.time() - 60,) * 2)
    assert not inbox.is_attended()
