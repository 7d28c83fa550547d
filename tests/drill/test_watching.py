"""What the stores say is counted from the change on, and only what incidents led to."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from trimtab.adapters.sql import SqlDatabase, open_database
from trimtab.policy.drilling import DrillRules, course_of, judge, what_is_left
from trimtab.records.drills import Change, Moment
from trimtab.records.durations import Rate
from trimtab.records.incidents import Alert, Incident, IncidentState, Situation
from trimtab.records.ledger import LedgerEntry
from trimtab.records.requests import RequestState, RetrainRequest, Trigger
from trimtab.records.verdicts import Verdict, VerdictKind
from trimtab.records.windows import Window
from trimtab_pipelines.drill.injecting import Injection
from trimtab_pipelines.drill.watching import Watcher
from trimtab_pipelines.live_traffic.traffic import Tally

HOUR = timedelta(hours=1)
BEGINS = datetime(2030, 1, 7, 12, tzinfo=UTC)
RULES = DrillRules(
    n=3,
    triggers=frozenset(Trigger),
    cooldown=HOUR,
    budget=Rate.parse("9 per week"),
    give_up_after=5,
)
FAULT = Injection(change=Change.UNIT_CHANGE, column="price", size=100)


@pytest.fixture
def database(tmp_path: Path) -> SqlDatabase:
    return open_database(f"sqlite:///{tmp_path / 'trimtab.db'}")


@pytest.fixture
def watcher(database: SqlDatabase) -> Watcher:
    return Watcher(database=database, model="orders", begins=BEGINS, window=HOUR, rules=RULES)


def verdict(hour: int, kind: VerdictKind) -> Verdict:
    return Verdict(
        model="orders",
        version="1",
        window=Window.around(BEGINS + hour * HOUR, HOUR),
        kind=kind,
        rows=100,
        rows_needed=30,
        findings=(),
        quality=None,
        refused=0,
        judged_at=BEGINS + (hour + 1) * HOUR,
    )


def incident(hour: int, situation: Situation = Situation.BROKEN_DATA) -> Incident:
    return Incident(
        id=f"{situation}-{hour}",
        model="orders",
        version="1",
        situation=situation,
        opened_at=BEGINS + hour * HOUR,
        evidence=("price: another unit",),
    )


def request(hour: int, incident: str | None) -> RetrainRequest:
    return RetrainRequest(
        id=f"r{hour}",
        model="orders",
        trigger=Trigger.DRIFT,
        asked_by="monitoring",
        asked_at=BEGINS + hour * HOUR,
        incident=incident,
    )


def test_a_reaction_is_dated_by_windows_and_rows_since_the_change(
    database: SqlDatabase, watcher: Watcher
) -> None:
    with database.transaction() as stores:
        stores.incidents.save(incident(-2, Situation.DRIFT))
        for hour, kind in enumerate(
            [VerdictKind.STABLE, VerdictKind.BROKEN_DATA, VerdictKind.BROKEN_DATA]
        ):
            stores.verdicts.add(verdict(hour, kind))
    watcher.look(100)
    watcher.look(100)
    with database.transaction() as stores:
        stores.incidents.save(incident(3))
    standing = watcher.look(100)
    watcher.look(100)
    seen = watcher.observed(FAULT, Tally(), received=0, unsettled="1 is not over")

    assert (standing.active, standing.newest) == (1, 3)
    assert seen.noticed == Moment(windows=2, rows=200)
    assert [(r.situation, r.opened) for r in seen.reactions] == [
        (Situation.BROKEN_DATA, Moment(windows=3, rows=300))
    ]
    assert seen.sent == Moment(windows=4, rows=400)


def test_rest_begins_when_an_incident_ends(database: SqlDatabase, watcher: Watcher) -> None:
    course = course_of(Change.UNIT_CHANGE, RULES)
    with database.transaction() as stores:
        stores.incidents.save(incident(1))
    assert "not over" in what_is_left(watcher.look(100), course)
    over = replace(incident(1), state=IncidentState.RESOLVED, resolved_at=BEGINS + 2 * HOUR)
    with database.transaction() as stores:
        stores.incidents.save(over)

    left = [what_is_left(watcher.look(100), course) for _ in range(3)]
    assert [bool(words) for words in left] == [True, True, False]


def test_only_what_an_incident_asked_for_is_a_reaction(
    database: SqlDatabase, watcher: Watcher
) -> None:
    with database.transaction() as stores:
        stores.incidents.save(incident(1))
        for asked in (
            request(-5, "drift-before"),
            request(1, None),
            request(2, "broken_data-1"),
        ):
            assert stores.requests.ask(asked)
            claimed = stores.requests.claim(["orders"], "test", HOUR)
            assert claimed is not None
            stores.requests.finish(replace(asked, state=RequestState.PROMOTED), "test")
    watcher.look(100)
    seen = watcher.observed(FAULT, Tally(), received=0, unsettled="")

    assert [asked.asked_at for asked in seen.asked] == [BEGINS + 2 * HOUR]
    assert "a version was trained because of drift" in judge(seen, RULES).faults


def test_alerts_on_their_way_are_counted_with_those_that_arrived(
    database: SqlDatabase, watcher: Watcher
) -> None:
    with database.transaction() as stores:
        for hour in (-1, 1):
            stores.ledger.append(
                LedgerEntry(
                    at=BEGINS + hour * HOUR,
                    actor="monitoring",
                    event="alert delivered",
                    model="orders",
                    subject="opened",
                    reasons=(),
                )
            )
        stores.outbox.put(
            Alert(key="resolved:1", model="orders", title="", body="", at=BEGINS + HOUR)
        )

    assert watcher.alerts() == 2
