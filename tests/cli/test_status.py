"""What `trimtab status` shows stands in the stores, whatever the data are called."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console

from trimtab.adapters.sql import open_database
from trimtab.cli.status import ModelStatus, look, table_of
from trimtab.records.contracts import Task
from trimtab.records.deliveries import Standing
from trimtab.records.endpoints import EndpointStatus
from trimtab.records.promotions import Promotion
from trimtab.records.requests import RequestState, RetrainRequest, Trigger
from trimtab.records.trials import Trial, TrialKind
from trimtab.settings import ModelSettings

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


BAKE = Trial(
    id="b",
    model="orders",
    kind=TrialKind.BAKE,
    champion="1",
    epoch=1,
    challenger="0",
    manifest_sha256="0" * 64,
    by="gate",
    why="",
    began_at=NOW,
    since=NOW,
    until=NOW + timedelta(days=1),
    compared_through=NOW,
)


def shown(
    *,
    seen_ago: timedelta = timedelta(),
    version: str | None = "1",
    why: str = "ok",
    alerts: tuple[Standing, ...] = (),
    request: RetrainRequest | None = None,
    bake: str = "",
    waits_for: str = "",
    is_given_up: bool = False,
) -> str:
    endpoint = EndpointStatus(
        model="orders",
        url="http://127.0.0.1:3000",
        version=version,
        device=version and "cpu",
        answered=3,
        captured=3,
        dropped=0,
        shipped_through=None,
        seen_at=NOW - seen_ago,
    )
    champion = Promotion(
        model="orders",
        epoch=1,
        version="1",
        previous=None,
        manifest_sha256="0" * 64,
        actor="tester",
        reasons=(why,),
        at=NOW,
    )
    status = ModelStatus(
        model="orders",
        champion=champion,
        endpoint=endpoint,
        verdict=None,
        incidents=(),
        request=request,
        trial=BAKE if bake else None,
        bake=bake,
        labels=0,
        alerts=alerts,
        waits_for=waits_for,
        is_given_up=is_given_up,
    )
    console = Console(width=160)
    with console.capture() as capture:
        console.print(table_of(status, NOW))
    return capture.get()


@pytest.mark.parametrize("why", ["kind=[/]: 92 rows", "kind=[bold]: 92 rows"])
def test_values_of_the_data_are_shown_as_they_are(why: str) -> None:
    assert why in shown(why=why)


def test_an_endpoint_that_fell_silent_is_not_said_to_serve() -> None:
    found = shown(seen_ago=timedelta(hours=2))

    assert "is silent since 2026-03-01 10:00" in found
    assert "serves version" not in found
    assert "the endpoint is down" in found


def test_an_endpoint_without_a_version_is_not_said_to_be_silent() -> None:
    assert "has no version to serve" in shown(version=None)
    assert "serves version 1 on cpu" in shown()


@pytest.mark.parametrize(
    ("waits", "is_said"), [(timedelta(minutes=59), False), (timedelta(hours=1), True)]
)
def test_alerts_that_nobody_took_for_an_hour_are_somebody_s_business(
    waits: timedelta, is_said: bool
) -> None:
    chat = Standing(
        address="slack:1", waiting=2, since=NOW - waits, failures=9, error="it answered 500"
    )
    log = Standing(address="log", waiting=0, since=None, failures=0, error=None)

    text = "2 alerts not delivered to slack:1 since 2026-03-01 11:00: it answered 500"
    assert (text in shown(alerts=(log, chat))) == is_said


def waiting(since: datetime) -> RetrainRequest:
    return RetrainRequest(
        id="r",
        model="orders",
        trigger=Trigger.DRIFT,
        asked_by="monitoring",
        asked_at=since,
        state=RequestState.WAITING,
        version="2",
        finished_at=since,
    )


def test_a_winner_that_waits_is_somebody_s_business_for_as_long_as_it_does() -> None:
    found = shown(request=waiting(NOW + timedelta(seconds=1)))
    long_ago = shown(request=waiting(NOW - timedelta(days=3)))

    assert "version 2 won and waits for approval" in found
    assert "has moved meanwhile" not in found
    assert "(3 d): trimtab approve orders 2, or trimtab reject" in long_ago
    assert "the champion has moved meanwhile" in long_ago


def test_a_bake_is_told_with_how_it_stands() -> None:
    told = "version 1 until 2026-03-02 12:00 beside version 0; so far level"

    assert told in shown(bake=told)


def test_it_says_what_the_next_version_waits_for_and_when_a_person_has_to_look() -> None:
    waits = "drift: 310 new labelled rows; at least 500 are needed"

    assert waits in shown(waits_for=waits)
    assert "needs a person" not in shown(waits_for=waits)
    assert "retraining has stopped and needs a person" in shown(is_given_up=True)


def test_what_is_waited_for_stands_in_the_stores(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'trimtab.db'}")
    settings = ModelSettings(task=Task.BINARY, source="rows.csv", target="y")
    with database.transaction() as stores:
        before = look(stores, "orders", settings, NOW)
        stores.promotions.record(
            Promotion(
                model="orders",
                epoch=1,
                version="1",
                previous=None,
                manifest_sha256="0" * 64,
                actor="tester",
                reasons=(),
                at=NOW,
            )
        )
        after = look(stores, "orders", settings, NOW)

    assert before.waits_for == "a first version is asked for by itself"
    assert after.waits_for == "waits for drift or quality"
