"""Incidents, false marks and deliveries: one contract, held by SQLite and by PostgreSQL."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import inspect

from trimtab.adapters.sql import SqlDatabase, migrating
from trimtab.adapters.sql.migrating import migrate
from trimtab.errors import UnknownIncidentError
from trimtab.records.deliveries import LOG
from trimtab.records.incidents import (
    Alert,
    FalseMark,
    Incident,
    IncidentState,
    Observation,
    Severity,
    Situation,
)
from trimtab.records.windows import Window

NOON = datetime(2013, 4, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
MIGRATIONS = Path(migrating.__file__).parent / "migrations"
CHAT, HOOK = "slack:1", "env:HOOK"


def incident(id: str) -> Incident:
    return Incident(
        id=id,
        model="late",
        version="1",
        situation=Situation.DRIFT,
        opened_at=NOON,
        evidence=("temp: 0.4 over 0.2",),
        severity=Severity.SERIOUS,
        windows=(Observation(window=Window(NOON, NOON + MINUTE), shows=True, columns=("temp",)),),
        showing=1,
        seen_through=NOON + MINUTE,
    )


def alert(key: str) -> Alert:
    return Alert(key=key, model="late", title="Drift", body="temp", at=NOON)


def mark(column: str) -> FalseMark:
    return FalseMark(
        incident="a",
        model="late",
        column=column,
        marked_by="ada",
        marked_at=NOON,
        until=NOON + MINUTE,
        why="a holiday",
    )


@pytest.mark.parametrize("end", [IncidentState.RESOLVED, IncidentState.MARKED_FALSE])
def test_an_incident_that_is_over_makes_room_for_the_next(
    database: SqlDatabase, end: IncidentState
) -> None:
    over = replace(incident("a"), state=end, resolved_at=NOON, resolution="v2")
    with database.transaction() as stores:
        stores.incidents.save(incident("a"))
        assert list(stores.incidents.active("late")) == [incident("a")]
        stores.incidents.save(over)
        stores.incidents.save(replace(incident("b"), opened_at=NOON + MINUTE))

    with database.transaction() as stores:
        assert [i.id for i in stores.incidents.active("late")] == ["b"]
        assert stores.incidents.recent("late")[1] == over
        assert stores.incidents.get("a") == over


@pytest.mark.parametrize("state", [state for state in IncidentState if not state.is_over])
def test_a_situation_never_has_two_incidents_that_are_not_over(
    database: SqlDatabase, state: IncidentState
) -> None:
    with database.transaction() as stores:
        stores.incidents.save(replace(incident("a"), state=state))

    with pytest.raises(Exception, match=r"(?i)unique"), database.transaction() as stores:
        stores.incidents.save(incident("b"))


def test_an_unknown_incident_is_named(database: SqlDatabase) -> None:
    with pytest.raises(UnknownIncidentError, match="'a'"), database.transaction() as stores:
        stores.incidents.get("a")


def test_a_mark_that_is_undone_stays_and_says_so(database: SqlDatabase) -> None:
    undone = replace(mark("temp"), undone_by="bob", undone_at=NOON)
    with database.transaction() as stores:
        stores.false_marks.save(mark("temp"))
        stores.false_marks.save(mark("wind"))
        stores.false_marks.save(undone)
        stores.false_marks.save(replace(mark("temp"), model="early", incident="b"))

    with database.transaction() as stores:
        assert list(stores.false_marks.of("late")) == [undone, mark("wind")]


def test_an_alert_keeps_its_facts_and_is_queued_once(database: SqlDatabase) -> None:
    told = replace(alert("a"), link="http://mlflow", command="show", incident=incident("i"))
    with database.transaction() as stores:
        stores.outbox.put(told)
        stores.outbox.put(replace(told, title="again"))
        stores.outbox.put(replace(alert("b"), at=NOON + MINUTE))

    with database.transaction() as stores:
        assert list(stores.outbox.due()) == [told, replace(alert("b"), at=NOON + MINUTE)]


def test_what_is_claimed_is_nobody_else_s_until_its_hold_is_over(database: SqlDatabase) -> None:
    with database.transaction() as stores:
        stores.outbox.put(alert("a"))
        (first,) = stores.outbox.claim(CHAT, hold=MINUTE)
        assert (first.alert, first.address, first.is_unsure) == (alert("a"), CHAT, False)
        assert stores.outbox.claim(CHAT, hold=MINUTE) == []
        assert len(stores.outbox.claim(HOOK, hold=timedelta(0))) == 1

    with database.transaction() as stores:  # whoever held it has died
        (again,) = stores.outbox.claim(HOOK, hold=MINUTE)
    assert again.is_unsure


def test_who_has_an_alert_never_gets_it_again_whatever_others_do(database: SqlDatabase) -> None:
    with database.transaction() as stores:
        stores.outbox.put(alert("a"))
        for address in (LOG, CHAT, HOOK):
            stores.outbox.claim(address, hold=timedelta(0))
        stores.outbox.taken("a", LOG)
        stores.outbox.taken("a", CHAT)
        assert stores.outbox.due(CHAT) == []
        assert list(stores.outbox.due(HOOK)) == [alert("a")]
        assert stores.outbox.complete([LOG, CHAT, HOOK]) == []

    with database.transaction() as stores:
        stores.outbox.taken("a", HOOK)
        assert list(stores.outbox.complete([LOG, CHAT, HOOK])) == [alert("a")]
        assert stores.outbox.complete([LOG, CHAT, HOOK]) == []
        assert stores.outbox.due("new:address") == []


def test_a_failed_attempt_waits_and_then_comes_due_again(database: SqlDatabase) -> None:
    with database.transaction() as stores:
        stores.outbox.put(alert("a"))
        stores.outbox.claim(CHAT, hold=MINUTE)
        stores.outbox.missed("a", CHAT, "it answered 500", is_unsure=False)
        assert stores.outbox.due(CHAT) == []

    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with database.transaction() as stores:
            if found := stores.outbox.claim(CHAT, hold=MINUTE):
                assert not found[0].is_unsure
                return
    pytest.fail("the failed attempt never came due again")


def test_each_address_has_a_standing_of_its_own(database: SqlDatabase) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    with database.transaction() as stores:
        stores.outbox.put(alert("a"))
        stores.outbox.put(replace(alert("b"), model="early"))
        for address in (CHAT, HOOK):
            stores.outbox.claim(address, hold=timedelta(0))
        for _ in range(2):
            stores.outbox.missed("a", CHAT, "it answered 500", is_unsure=False)
        stores.outbox.taken("a", HOOK)

    with database.transaction() as stores:
        hook, log, chat = stores.outbox.standing()
        (chat_of_early,) = [s for s in stores.outbox.standing("early") if s.address == CHAT]
    assert [hook.address, log.address, chat.address] == [HOOK, LOG, CHAT]
    assert [hook.waiting, log.waiting, chat.waiting] == [1, 2, 2]
    assert (chat.failures, chat.error) == (2, "it answered 500")
    assert chat.since is not None
    assert before <= chat.since <= datetime.now(UTC)
    assert (chat_of_early.waiting, chat_of_early.failures) == (1, 0)


BEFORE = """
INSERT INTO incidents (id, model, version, situation, opened_at, evidence, state)
VALUES ('a', 'late', '1', 'drift', '2013-04-01 12:00:00+00:00', '["temp"]', 'open');
INSERT INTO outbox (key, model, title, body, at, attempts, next_attempt)
VALUES ('k', 'late', 'Drift', 'temp', '2013-04-01 12:00:00+00:00', 3, 9e9);
"""


def test_what_an_earlier_trimtab_kept_goes_on(database: SqlDatabase) -> None:
    engine = database.engine
    with engine.begin() as connection:
        for table in inspect(connection).get_table_names():
            connection.exec_driver_sql(f"DROP TABLE {table}")
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
        for statement in filter(str.strip, BEFORE.split(";")):
            connection.exec_driver_sql(statement)
    migrate(engine)

    with database.transaction() as stores:
        (found,) = stores.incidents.active("late")
        assert (found.id, found.severity, found.windows) == ("a", Severity.NOTICE, ())
        assert [due.key for due in stores.outbox.due()] == ["k"]
        since = stores.outbox.standing()[0].since
    assert since is not None
    assert datetime.now(UTC) - since < MINUTE
