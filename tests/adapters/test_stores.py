"""One contract for the platform's stores, held by SQLite and by a real PostgreSQL."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from trimtab.adapters.sql import SqlDatabase, open_database
from trimtab.adapters.sql.tables import Table
from trimtab.errors import (
    DatabaseVersionError,
    LeaseLostError,
    LedgerBrokenError,
    StaleEpochError,
    StaleTrialError,
)
from trimtab.policy.agreement import conclude
from trimtab.policy.said import Said, make_plan
from trimtab.policy.tallying import begin, with_pairs
from trimtab.records.contracts import Contract, Task
from trimtab.records.endpoints import EndpointStatus
from trimtab.records.ledger import LedgerEntry
from trimtab.records.previews import Preview
from trimtab.records.promotions import Promotion
from trimtab.records.quality import Quality
from trimtab.records.requests import Obstacle, RequestState, RetrainRequest, Trigger
from trimtab.records.row_counts import Arrival, RowCount
from trimtab.records.schema import Schema
from trimtab.records.tallies import Evidence
from trimtab.records.trials import Trial, TrialKind, TrialState
from trimtab.records.verdicts import Finding, FindingKind, Verdict, VerdictKind
from trimtab.records.windows import Window

NOON = datetime(2013, 4, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def entry(event: str, model: str = "late") -> LedgerEntry:
    return LedgerEntry(
        at=NOON, actor="tests", event=event, model=model, subject="7", reasons=("r",)
    )


def move(epoch: int, version: str) -> Promotion:
    return Promotion(
        model="late",
        epoch=epoch,
        version=version,
        previous=None,
        manifest_sha256="0" * 64,
        actor="gate",
        reasons=("better by 0.01",),
        at=NOON,
    )


def ask(id: str, model: str = "late") -> RetrainRequest:
    return RetrainRequest(
        id=id, model=model, trigger=Trigger.DRIFT, asked_by="monitoring", asked_at=NOON
    )


def test_the_ledger_gives_back_what_was_written_newest_first(database: SqlDatabase) -> None:
    with database.transaction() as stores:
        stores.ledger.append(entry("first"))
        stores.ledger.append(entry("second", model="other"))

    with database.transaction() as stores:
        assert list(stores.ledger.entries()) == [entry("second", "other"), entry("first")]
        assert list(stores.ledger.entries("late")) == [entry("first")]
        assert list(stores.ledger.concerning("late", "7")) == [entry("first")]
        assert list(stores.ledger.concerning("late", "8")) == []
        assert stores.ledger.verify() == 2


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE ledger SET actor = 'somebody' WHERE seq = 2",
        "DELETE FROM ledger WHERE seq = 2",
        "UPDATE ledger SET reasons = '[]' WHERE seq = 3",
    ],
)
def test_a_changed_ledger_is_noticed(database: SqlDatabase, tampering: str) -> None:
    with database.transaction() as stores:
        for event in ("one", "two", "three"):
            stores.ledger.append(entry(event))
    with database.engine.begin() as connection:
        connection.execute(text(tampering))

    with database.transaction() as stores, pytest.raises(LedgerBrokenError):
        stores.ledger.verify()


def test_many_writers_make_one_chain(database: SqlDatabase) -> None:
    def write(n: int) -> None:
        with database.transaction() as stores:
            stores.ledger.append(entry(str(n)))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(64)))

    with database.transaction() as stores:
        assert stores.ledger.verify() == 64


def test_nothing_of_a_failed_transaction_stays(database: SqlDatabase) -> None:
    def fail_half_way() -> None:
        with database.transaction() as stores:
            stores.ledger.append(entry("never"))
            stores.promotions.record(move(1, "1"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()

    with database.transaction() as stores:
        assert stores.ledger.verify() == 0
        assert stores.promotions.current("late") is None


def test_a_champion_moves_only_from_where_it_was_read(database: SqlDatabase) -> None:
    with database.transaction() as stores:
        stores.promotions.record(move(1, "1"))
        stores.promotions.record(move(2, "2"))

    for epoch in (1, 2, 4):
        with pytest.raises(StaleEpochError), database.transaction() as stores:
            stores.promotions.record(move(epoch, "3"))
    with database.transaction() as stores:
        assert stores.promotions.current("late") == move(2, "2")
        assert [p.version for p in stores.promotions.history("late")] == ["2", "1"]


def test_of_eight_promoters_one_wins(database: SqlDatabase) -> None:
    def promote(n: int) -> bool:
        try:
            with database.transaction() as stores:
                stores.promotions.record(move(1, str(n)))
        except StaleEpochError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(promote, range(8))) == 1


def test_a_model_has_one_open_request(database: SqlDatabase) -> None:
    with database.transaction() as stores:
        assert stores.requests.ask(ask("a"))
        assert not stores.requests.ask(ask("b"))
        assert stores.requests.ask(ask("c", model="other"))

    with database.transaction() as stores:
        assert [r.id for r in stores.requests.recent("late")] == ["a"]


def test_a_request_keeps_what_stood_in_its_way_and_what_was_foretold(
    database: SqlDatabase,
) -> None:
    preview = Preview(
        metric="log_loss",
        before=0.5,
        after=0.6,
        low=-0.2,
        high=0.0,
        judged_on=300,
        fitted_before=900,
        fitted_after=1000,
    )
    with database.transaction() as stores:
        stores.requests.ask(replace(ask("a"), cause="drift i1", override="put right"))
        held = stores.requests.claim(["late"], "worker", MINUTE)
        assert held is not None
        declined = replace(
            held,
            state=RequestState.DECLINED,
            obstacles=(Obstacle.PREVIEW, Obstacle.ROWS),
            not_before=NOON,
            new_rows=310,
            preview=preview,
        )
        stores.requests.finish(declined, "worker")

    with database.transaction() as stores:
        assert stores.requests.recent("late") == [declined]


def test_the_newest_count_of_rows_counts(database: SqlDatabase) -> None:
    arrival = Arrival(labelled=9, expected=12, share=0.95, after=MINUTE, enough_at=NOON)
    first = RowCount(model="late", epoch=1, counted_at=NOON, new_rows=3, arrival=arrival)
    with database.transaction() as stores:
        assert stores.row_counts.get("late") is None
        stores.row_counts.put(first)
    with database.transaction() as stores:
        assert stores.row_counts.get("late") == first
        stores.row_counts.put(replace(first, epoch=2, new_rows=0, arrival=None))
    with database.transaction() as stores:
        found = stores.row_counts.get("late")
        assert found is not None
        assert (found.epoch, found.new_rows, found.arrival) == (2, 0, None)


def test_of_eight_workers_one_claims_a_request(database: SqlDatabase) -> None:
    with database.transaction() as stores:
        stores.requests.ask(ask("a"))

    def claim(n: int) -> bool:
        with database.transaction() as stores:
            return stores.requests.claim(["late"], f"worker {n}", MINUTE) is not None

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(claim, range(8))) == 1


def test_a_lease_that_ran_out_is_taken_over_and_its_old_holder_fenced(
    database: SqlDatabase,
) -> None:
    with database.transaction() as stores:
        stores.requests.ask(ask("a"))
        first = stores.requests.claim(["late"], "dead", timedelta(seconds=-1))
    with database.transaction() as stores:
        second = stores.requests.claim(["late"], "alive", MINUTE)

    assert first is not None
    assert second == first
    with pytest.raises(LeaseLostError), database.transaction() as stores:
        stores.requests.renew("a", "dead", MINUTE)
    with pytest.raises(LeaseLostError), database.transaction() as stores:
        stores.requests.finish(replace(first, state=RequestState.PROMOTED), "dead")
    with database.transaction() as stores:
        stores.requests.renew("a", "alive", MINUTE)
        stores.requests.finish(replace(first, state=RequestState.REJECTED), "alive")
        assert stores.requests.recent("late")[0].state is RequestState.REJECTED
        assert stores.requests.ask(ask("b"))


def test_only_a_person_ends_a_request_that_waits(database: SqlDatabase) -> None:
    with database.transaction() as stores:
        stores.requests.ask(ask("a"))
        held = stores.requests.claim(["late"], "worker", MINUTE)
        assert held is not None
        stores.requests.finish(replace(held, state=RequestState.WAITING), "worker")
        assert stores.requests.claim(["late"], "worker", MINUTE) is None
        stores.requests.finish(replace(held, state=RequestState.PROMOTED), None)

    with pytest.raises(LeaseLostError), database.transaction() as stores:
        stores.requests.finish(replace(held, state=RequestState.FAILED), None)


def verdict(day: int, version: str = "1") -> Verdict:
    window = Window.around(NOON + timedelta(days=day), timedelta(days=1))
    return Verdict(
        model="late",
        version=version,
        window=window,
        kind=VerdictKind.DRIFT,
        rows=900,
        rows_needed=200,
        findings=(
            Finding(column="temp", kind=FindingKind.DRIFTED, distance=0.4, limit=0.2),
            Finding(column="wind", kind=FindingKind.NOT_JUDGED, note="no values"),
        ),
        quality=Quality(metric="log_loss", value=0.5, limit=0.6, labelled=800, completeness=0.9),
        refused=1,
        judged_at=NOON,
    )


def test_judging_a_window_again_replaces_its_verdict(database: SqlDatabase) -> None:
    with database.transaction() as stores:
        for day in range(3):
            stores.verdicts.add(verdict(day))
        stores.verdicts.add(replace(verdict(2), rows=901))
        stores.verdicts.add(verdict(2, version="2"))

    with database.transaction() as stores:
        assert list(stores.verdicts.recent("late", "1", limit=2)) == [
            replace(verdict(2), rows=901),
            verdict(1),
        ]
        assert len(stores.verdicts.recent("late")) == 4
        at = verdict(2).window
        for moment in (at.start, at.end - timedelta(microseconds=1)):
            assert [v.version for v in stores.verdicts.at("late", moment)] == ["2", "1"]
        assert stores.verdicts.at("late", at.end) == []
        assert stores.verdicts.at("early", at.start) == []


def test_an_endpoint_keeps_its_last_word(database: SqlDatabase) -> None:
    status = EndpointStatus(
        model="late",
        url="http://127.0.0.1:3000",
        version=None,
        device=None,
        answered=3_000_000_000,
        captured=2_999_999_999,
        dropped=1,
        shipped_through=None,
        seen_at=NOON,
    )
    with database.transaction() as stores:
        assert stores.endpoints.get("late") is None
        stores.endpoints.put(status)
        stores.endpoints.put(replace(status, version="2", shipped_through=NOON))

    with database.transaction() as stores:
        assert stores.endpoints.get("late") == replace(status, version="2", shipped_through=NOON)


def test_the_migrations_make_the_tables_that_the_code_knows(database: SqlDatabase) -> None:
    with database.engine.connect() as connection:
        known = MigrationContext.configure(connection)

        assert compare_metadata(known, Table.metadata) == []


def a_trial(id: str = "t1", model: str = "late", kind: TrialKind = TrialKind.CANARY) -> Trial:
    return Trial(
        id=id,
        model=model,
        kind=kind,
        champion="7",
        epoch=3,
        challenger="8",
        manifest_sha256="0" * 64,
        by="ada",
        why="it is faster",
        began_at=NOON,
        since=NOON,
        until=NOON + 60 * MINUTE,
        share=0.1 if kind is TrialKind.CANARY else None,
        compared_through=NOON,
    )


def evidence() -> Evidence:
    shares = np.random.default_rng(0).random((300, 1))
    said = Said(output=np.hstack([1 - shares, shares]))
    contract = Contract(
        model="late", task=Task.BINARY, target="y", schema=Schema(columns=()), classes=(0, 1)
    )
    seconds = NOON.timestamp() + np.linspace(0, 18000, 300)
    tally = with_pairs(begin(make_plan(contract, said, {})), seconds, said, said, {})
    result = conclude(
        tally, champion="7", challenger="8", through=NOON, confidence=0.95, min_rows=100
    )
    return Evidence(tally=tally, result=result)


def test_a_model_has_one_running_trial_at_a_time(database: SqlDatabase) -> None:
    with database.transaction() as stores:
        assert stores.trials.begin(a_trial())
        assert not stores.trials.begin(a_trial("t2", kind=TrialKind.SHADOW))
        assert stores.trials.begin(a_trial("t3", "other", TrialKind.SHADOW))

    with database.transaction() as stores:
        assert stores.trials.running("late") == a_trial()
        assert list(stores.trials.recent("late")) == [a_trial()]
        assert stores.trials.running("third") is None


def test_of_two_that_go_on_with_a_trial_one_wins(database: SqlDatabase) -> None:
    with database.transaction() as stores:
        stores.trials.begin(a_trial())
    further = replace(a_trial(), compared_through=NOON + MINUTE, revision=2)
    with database.transaction() as stores:
        stores.trials.save(further, evidence())
    with pytest.raises(StaleTrialError), database.transaction() as stores:
        stores.trials.save(replace(further, compared_through=NOON + 2 * MINUTE))

    with database.transaction() as stores:
        assert stores.trials.running("late") == further
        assert stores.trials.evidence("t1") == evidence()
        assert stores.trials.evidence("t2") is None


def test_an_ended_trial_stays_as_it_ended(database: SqlDatabase) -> None:
    ended = replace(
        a_trial(),
        state=TrialState.ENDED,
        ended_at=NOON + MINUTE,
        ended_because=("ada ended it",),
        revision=2,
    )
    with database.transaction() as stores:
        stores.trials.begin(a_trial())
        stores.trials.save(ended)
    with pytest.raises(StaleTrialError), database.transaction() as stores:
        stores.trials.save(replace(ended, state=TrialState.RUNNING, revision=3))

    with database.transaction() as stores:
        assert stores.trials.running("late") is None
        assert stores.trials.begin(replace(a_trial("t2"), began_at=NOON + MINUTE))
        assert [trial.id for trial in stores.trials.recent("late")] == ["t2", "t1"]
        assert stores.trials.recent("late")[1] == ended


def test_of_eight_that_begin_a_trial_one_does(database: SqlDatabase) -> None:
    def begin_one(n: int) -> bool:
        with database.transaction() as stores:
            return stores.trials.begin(a_trial(f"t{n}"))

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(begin_one, range(8))) == [False] * 7 + [True]


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, float("nan"), None])
def test_a_canary_has_a_share_between_none_and_all(share: float | None) -> None:
    with pytest.raises(ValueError, match="share"):
        replace(a_trial(), share=share)


def test_eight_processes_may_open_a_new_database_at_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new' / 'trimtab.db'}"
    with ThreadPoolExecutor(8) as pool:
        databases = list(pool.map(lambda _: open_database(url), range(8)))

    with databases[0].transaction() as stores:
        assert stores.ledger.verify() == 0
    for database in databases:
        database.close()


def test_a_database_of_a_newer_trimtab_is_left_alone(database: SqlDatabase) -> None:
    url = database.engine.url.render_as_string(hide_password=False)
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'future'"))

    with pytest.raises(DatabaseVersionError, match="newer"):
        open_database(url)


def test_a_moment_without_a_time_zone_is_refused(database: SqlDatabase) -> None:
    naive = replace(entry("naive"), at=datetime(2013, 4, 1))
    with pytest.raises(Exception, match="no time zone"), database.transaction() as stores:
        stores.ledger.append(naive)
