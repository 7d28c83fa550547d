"""Alerts arrive, once a key, also when the receiver is down at first."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from trimtab.adapters.sql import SqlDatabase, open_database
from trimtab.errors import SettingsError
from trimtab.records.incidents import Alert
from trimtab.testing.manual_clock import ManualClock
from trimtab_monitoring.alerts import Delivery, resolve_urls, send_by_apprise

ALERT = Alert(
    key="incident opened:i1",
    model="late",
    title="late: drift (version 1)",
    body="wind: distance 0.24, limit 0.10",
    at=datetime(2013, 4, 1, tzinfo=UTC),
)

CLOCK = ManualClock(ALERT.at)


@dataclass
class Receiver:
    """A webhook that answers what it is told to."""

    port: int
    statuses: list[int]
    bodies: list[dict[str, Any]] = field(default_factory=list)

    @contextmanager
    def up(self) -> Iterator[None]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.bodies.append(json.loads(body))
                self.send_response(receiver.statuses.pop(0) if receiver.statuses else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Keep quiet."""

        server = HTTPServer(("127.0.0.1", self.port), Handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


@pytest.fixture
def database(tmp_path: Path) -> SqlDatabase:
    return open_database(f"sqlite:///{tmp_path / 'trimtab.db'}")


def put(database: SqlDatabase, alert: Alert = ALERT) -> None:
    with database.transaction() as stores:
        stores.outbox.put(alert)


def deliver_within(delivery: Delivery, seconds: float) -> int:
    """Take rounds until something is delivered."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if count := delivery.step():
            return count
    return 0


def test_an_alert_arrives_once_though_the_receiver_was_down_and_then_failed(
    database: SqlDatabase, free_port: Callable[[], int]
) -> None:
    receiver = Receiver(port=free_port(), statuses=[500, 200])
    delivery = Delivery(
        database=database, clock=CLOCK, urls=(f"json://127.0.0.1:{receiver.port}/",)
    )
    put(database)

    assert delivery.step() == 0  # nobody listens
    with receiver.up():
        assert deliver_within(delivery, 30) == 1  # a 500, and then it is taken
        put(database)  # the same key again, as after a repeated judgement
        assert delivery.step() == 0

    assert [body["title"] for body in receiver.bodies] == [ALERT.title] * 2
    assert receiver.bodies[-1]["message"] == ALERT.body
    assert receiver.statuses == []


def test_a_failed_attempt_is_not_repeated_at_once(database: SqlDatabase) -> None:
    tried: list[str] = []

    def refuse(url: str, _: Alert) -> bool:
        tried.append(url)
        return False

    delivery = Delivery(database=database, clock=CLOCK, urls=("json://nowhere/",), send=refuse)
    put(database)
    for _ in range(3):
        delivery.step()

    assert tried == ["json://nowhere/"]


def test_who_has_an_alert_does_not_get_it_again_when_another_address_fails(
    database: SqlDatabase,
) -> None:
    sent: list[str] = []
    failing = [True]

    def send(url: str, _: Alert) -> bool:
        sent.append(url)
        return not (url == "b://" and failing and failing.pop())

    delivery = Delivery(database=database, clock=CLOCK, urls=("a://", "b://"), send=send)
    put(database)

    assert delivery.step() == 0
    assert deliver_within(delivery, 30) == 1
    assert sent == ["a://", "b://", "b://"]


def test_every_alert_is_shown_in_the_log_once(
    database: SqlDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    put(database)

    with caplog.at_level(logging.WARNING):
        assert Delivery(database=database, clock=CLOCK, urls=()).step() == 1

    (shown,) = [record.getMessage() for record in caplog.records]
    assert shown.startswith(f"ALERT {ALERT.title}")
    assert ALERT.body in shown


def test_a_delivery_is_in_the_ledger_once_and_without_the_address(database: SqlDatabase) -> None:
    answers = [False, True]
    delivery = Delivery(
        database=database,
        clock=CLOCK,
        urls=("slack://token",),
        send=lambda url, alert: answers.pop(0),
    )
    put(database)
    assert delivery.step() == 0
    assert deliver_within(delivery, 30) == 1

    with database.transaction() as stores:
        (entry,) = stores.ledger.entries("late")
    assert (entry.event, entry.subject) == ("alert delivered", ALERT.title)
    assert entry.reasons == ("to: log and 1 of alerts.urls",)


def test_an_address_may_come_from_the_environment() -> None:
    urls = ["json://127.0.0.1/", "env:HOOK"]

    assert resolve_urls(urls, {"HOOK": "slack://token"}) == ["json://127.0.0.1/", "slack://token"]
    with pytest.raises(SettingsError, match="env:HOOK"):
        resolve_urls(urls, {})


def test_an_address_that_nobody_knows_is_named_without_its_secrets(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert not send_by_apprise("carrierpigeon://token@home", ALERT)
    assert "carrierpigeon" in caplog.text
    assert "token@home" not in caplog.text
