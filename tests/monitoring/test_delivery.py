"""Alerts arrive, once a key, whatever the receiver does and whoever is killed."""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from standardwebhooks.webhooks import Webhook

from trimtab.adapters.sql import SqlDatabase, open_database
from trimtab.records.deliveries import LOG, Attempt, Standing
from trimtab.records.incidents import Alert
from trimtab.testing.manual_clock import ManualClock
from trimtab_monitoring.addresses import Address, read_addresses
from trimtab_monitoring.delivery import Delivery
from trimtab_monitoring.sender import Outcome
from trimtab_monitoring.sending import send_apart

if TYPE_CHECKING:
    from tests.monitoring.receiver import Receiver

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ALERT = Alert(
    key="incident opened:i1",
    model="late",
    title="late: drift, version 1",
    body="wind: distance 0.24, limit 0.10",
    at=datetime(2013, 4, 1, tzinfo=UTC),
    command="trimtab watch late --once",
)
CLOCK = ManualClock(ALERT.at)
TAKEN = Outcome(error=None)


def load_receiver() -> Any:
    """Load the module beside this one; pytest imports tests in a mode without packages."""
    path = Path(__file__).with_name("receiver.py")
    spec = importlib.util.spec_from_file_location("trimtab_tests_receiver", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def receiver(free_port: Callable[[], int]) -> Receiver:
    made: Receiver = load_receiver().Receiver(port=free_port())
    return made


@pytest.fixture
def database(tmp_path: Path) -> SqlDatabase:
    return open_database(f"sqlite:///{tmp_path / 'trimtab.db'}")


def put(database: SqlDatabase, *alerts: Alert) -> None:
    with database.transaction() as stores:
        for alert in alerts or (ALERT,):
            stores.outbox.put(alert)


def standing(database: SqlDatabase, address: str) -> Standing:
    with database.transaction() as stores:
        return next(s for s in stores.outbox.standing() if s.address == address)


def delivery(
    database: SqlDatabase, *urls: str, send: Callable[[Address, Attempt], Outcome] | None = None
) -> Delivery:
    return Delivery(
        database=database,
        clock=CLOCK,
        addresses=read_addresses(urls, {}, SECRET),
        send=send or partial(send_apart, allow_private=True, seconds=3.0),
    )


def deliver_within(courier: Delivery, seconds: float) -> int:
    """Take steps until an alert is everywhere."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if count := courier.drain(5.0):
            return count
        time.sleep(0.05)
    return 0


def test_an_alert_arrives_signed_though_the_receiver_was_down_failed_and_hung_up(
    database: SqlDatabase, receiver: Receiver
) -> None:
    receiver.behaviours = [500, "close", 503]
    courier = delivery(database, receiver.url)
    put(database)

    assert courier.drain(10.0) == 0  # nobody listens
    label = courier.addresses[0].label
    assert standing(database, label).error == "it cannot be reached"
    with receiver.up():
        assert deliver_within(courier, 60) == 1
        put(database)  # the same key again, as after a repeated judgement
        assert courier.drain(5.0) == 0

    assert receiver.ids == ["incident%20opened:i1"] * 4
    said = Webhook(SECRET).verify(receiver.received[-1].body, receiver.received[-1].headers)
    assert said["type"] == "incident.opened"
    assert said["data"]["title"] == ALERT.title
    assert standing(database, label).failures == 4
    pauses = [b.at - a.at for a, b in zip(receiver.received, receiver.received[1:], strict=False)]
    assert all(pause > 0.5 for pause in pauses), "a failed attempt is not repeated at once"


def test_a_receiver_that_answers_for_ever_is_left_and_redirects_are_not_followed(
    database: SqlDatabase, receiver: Receiver
) -> None:
    courier = delivery(database, receiver.url)
    (address,) = courier.addresses
    attempt = Attempt(alert=ALERT, address=address.label, is_unsure=False)
    receiver.behaviours = ["dribble", "redirect"]

    with receiver.up():
        began = time.monotonic()
        slow = send_apart(address, attempt, allow_private=True, seconds=2.0)
        took = time.monotonic() - began
        redirected = send_apart(address, attempt, allow_private=True)

    assert slow == Outcome(error="it did not answer within 2 s", is_unsure=True)
    assert took < 4
    assert redirected == Outcome(error="it answered 307; redirects are not followed")
    assert [request.path for request in receiver.received] == ["/hook", "/hook"]


@pytest.mark.parametrize("scheme", ["http", "json"])
def test_nothing_reaches_a_private_target_unless_it_is_allowed(
    database: SqlDatabase, receiver: Receiver, scheme: str
) -> None:
    urls = [f"{scheme}://{host}:{receiver.port}/hook" for host in ("127.0.0.1", "localhost")]
    with receiver.up():
        for address in read_addresses(urls, {}, SECRET):
            attempt = Attempt(alert=ALERT, address=address.label, is_unsure=False)
            outcome = send_apart(address, attempt, allow_private=False)
            assert outcome.error is not None
            assert "private" in outcome.error
        assert receiver.received == []
        assert send_apart(address, attempt, allow_private=True) == TAKEN
    assert len(receiver.received) == 1


def test_chats_get_the_text_harmless_and_hear_when_they_may_have_it_already(
    receiver: Receiver,
) -> None:
    (address,) = read_addresses([f"json://127.0.0.1:{receiver.port}/"], {}, None)
    hostile = replace(ALERT, body="origin: <!channel> @everyone is unseen")
    receiver.behaviours = ["redirect"]
    with receiver.up():
        outcomes = [
            send_apart(
                address,
                Attempt(alert=hostile, address=address.label, is_unsure=is_unsure),
                allow_private=True,
            )
            for is_unsure in (False, False, True)
        ]

    assert [outcome.error for outcome in outcomes] == ["it did not take the message", None, None]
    _, sure, unsure = (json.loads(request.body)["message"] for request in receiver.received)
    assert "<" not in sure
    assert "@everyone" not in sure
    assert "Reproduce: trimtab watch late --once" in sure
    assert "You may have this already" not in sure
    assert "You may have this already" in unsure


def test_an_address_that_nobody_knows_is_an_error_without_its_secrets() -> None:
    (address,) = read_addresses(["carrierpigeon://token@home"], {}, None)
    attempt = Attempt(alert=ALERT, address=address.label, is_unsure=False)

    outcome = send_apart(address, attempt, allow_private=True)

    assert outcome == Outcome(error="Apprise does not know such an address")


def test_a_dead_or_slow_address_delays_no_other_and_no_step(database: SqlDatabase) -> None:
    sent: list[tuple[str, str]] = []
    stuck = threading.Event()

    def send(address: Address, attempt: Attempt) -> Outcome:
        sent.append((address.url, attempt.alert.key))
        if address.url == "a://":
            stuck.wait(30)
        return Outcome(error="it is down") if address.url == "b://" else TAKEN

    courier = delivery(database, "a://", "b://", "c://", send=send)
    put(database, *(replace(ALERT, key=f"k:{i}") for i in range(5)))
    deadline = time.monotonic() + 20
    while len([url for url, _ in sent if url == "c://"]) < 5 and time.monotonic() < deadline:
        began = time.monotonic()
        courier.step()
        assert time.monotonic() - began < 5
    stuck.set()
    courier.finish(10)

    assert [key for url, key in sent if url == "c://"] == [f"k:{i}" for i in range(5)]
    assert len([url for url, _ in sent if url == "a://"]) == 1
    assert len([url for url, _ in sent if url == "b://"]) < 5, "a dead address is left alone"


def test_who_has_an_alert_does_not_get_it_again_in_another_process(database: SqlDatabase) -> None:
    sent: list[str] = []

    def send(address: Address, _: Attempt) -> Outcome:
        sent.append(address.url)
        return Outcome(error="no") if sent.count("b://") == 1 and address.url == "b://" else TAKEN

    put(database)
    assert delivery(database, "a://", "b://", send=send).drain(5.0) == 0
    assert deliver_within(delivery(database, "a://", "b://", send=send), 20) == 1
    assert sorted(sent) == ["a://", "b://", "b://"]


def test_two_processes_that_deliver_at_once_send_an_alert_once(database: SqlDatabase) -> None:
    sent: list[str] = []

    def send(_: Address, attempt: Attempt) -> Outcome:
        sent.append(attempt.alert.key)
        time.sleep(0.01)
        return TAKEN

    put(database, *(replace(ALERT, key=f"k:{i}") for i in range(10)))
    couriers = [delivery(database, "a://", send=send) for _ in range(3)]
    threads = [threading.Thread(target=courier.drain, args=(20.0,)) for courier in couriers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(sent) == [f"k:{i}" for i in range(10)]


def test_every_alert_is_shown_in_the_log_once(
    database: SqlDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    put(database)

    with caplog.at_level(logging.WARNING):
        assert [delivery(database).step() for _ in range(3)] == [1, 0, 0]

    (shown,) = [record.getMessage() for record in caplog.records]
    assert shown.startswith(f"ALERT {ALERT.title}")
    assert ALERT.body in shown


def test_a_delivery_is_in_the_ledger_once_and_no_secret_is_anywhere(
    database: SqlDatabase, tmp_path: Path, caplog: pytest.LogCaptureFixture, receiver: Receiver
) -> None:
    receiver.behaviours = [500]
    secrets = ("hunter2", "tokentoken", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    url = f"http://ada:{secrets[0]}@127.0.0.1:{receiver.port}/hook/{secrets[1]}"
    courier = delivery(database, url)
    put(database)
    with receiver.up(), caplog.at_level(logging.DEBUG):
        assert deliver_within(courier, 30) == 1

    with database.transaction() as stores:
        (entry,) = stores.ledger.entries("late")
    assert (entry.event, entry.subject) == ("alert delivered", ALERT.title)
    assert entry.reasons == ("to: log and 1 of alerts.urls",)
    database.close()
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir()).decode(errors="replace")
    for secret in secrets:
        assert secret not in caplog.text + kept + repr(courier)


DELIVERS = """
import os, sys
from datetime import UTC, datetime
from functools import partial
from trimtab.adapters.sql import open_database
from trimtab.testing.manual_clock import ManualClock
from trimtab_monitoring.addresses import read_addresses
from trimtab_monitoring.delivery import Delivery
from trimtab_monitoring.sending import send_apart

database, *urls = sys.argv[1:]
Delivery(
    database=open_database(database),
    clock=ManualClock(datetime.now(UTC)),
    addresses=read_addresses(urls, {}, os.environ["KEY"]),
    send=partial(send_apart, allow_private=True),
).drain(30.0)
"""


def test_a_sender_killed_on_the_way_loses_nothing_and_repeats_only_what_was_open(
    database: SqlDatabase,
    tmp_path: Path,
    receiver: Receiver,
    free_port: Callable[[], int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The receiver that had answered gets nothing again; the other can tell it by its id."""
    other = load_receiver().Receiver(port=free_port())
    other.behaviours = ["dribble"]
    put(database)
    with receiver.up(), other.up():
        process = subprocess.Popen(
            [
                *(sys.executable, "-c", DELIVERS, f"sqlite:///{tmp_path / 'trimtab.db'}"),
                *(receiver.url, other.url),
            ],
            env={**os.environ, "KEY": SECRET},
        )
        courier = delivery(database, receiver.url, other.url)
        first, second = (address.label for address in courier.addresses)
        try:
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline:
                had = other.received and receiver.received
                if had and not standing(database, first).waiting:
                    break
                time.sleep(0.02)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert standing(database, second).waiting == 1

        at_kill = time.time()
        monkeypatch.setattr(time, "time", lambda: at_kill + 61)  # its hold is over
        assert deliver_within(courier, 30) == 1

    assert receiver.ids == ["incident%20opened:i1"]
    assert other.ids == ["incident%20opened:i1"] * 2
    with database.transaction() as stores:
        assert stores.outbox.due(LOG) == []
