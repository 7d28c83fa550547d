"""Webhooks as receivers of the Standard Webhooks scheme expect them."""

import base64
import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from trimtab.errors import SettingsError
from trimtab.records.incidents import Alert, Incident, Observation, Situation
from trimtab.records.windows import Window
from trimtab_monitoring.addresses import read_addresses
from trimtab_monitoring.webhooks import message_id, payload, read_secrets, signatures

AT = datetime(2026, 3, 1, tzinfo=UTC)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ALERT = Alert(
    key="incident came back:late-v1-drift:1",
    model="late",
    title="late: drift",
    body="wind: distance 0.24",
    at=AT,
    link="http://mlflow/#/runs/1",
    command="trimtab watch late --once",
)


def test_the_signature_is_the_published_example_s() -> None:
    secrets = read_secrets(SECRET)
    body = b'{"test": 2432232314}'

    signed = signatures(secrets, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)

    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_library_of_the_receivers_accepts_what_is_sent_and_nothing_else() -> None:
    body, id, now = payload(ALERT), message_id(ALERT), int(time.time())
    headers = {
        "webhook-id": id,
        "webhook-timestamp": str(now),
        "webhook-signature": signatures(read_secrets(SECRET), id, now, body),
    }

    assert Webhook(SECRET).verify(body, headers)["type"] == "incident.came_back"
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body, {**headers, "webhook-id": "another"})
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body.replace(b"late", b"soon"), headers)


def test_two_secrets_sign_both_so_that_one_can_be_changed() -> None:
    other = "whsec_" + base64.b64encode(b"y" * 32).decode()
    both = signatures(read_secrets(f"{other} {SECRET}"), "id", 1, b"{}").split()

    assert both == [signatures(read_secrets(one), "id", 1, b"{}") for one in (other, SECRET)]


@pytest.mark.parametrize(
    "text",
    ["", "secret", "whsec_", "whsec_!!!!", "whsec_c2hvcnQ=", SECRET[6:], "whsec_" + "A" * 99],
)
def test_what_is_no_secret_of_the_scheme_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(SettingsError, match="TRIMTAB_WEBHOOK_KEY") as raised:
        read_secrets(text)
    assert not text or text not in str(raised.value) or text == "whsec_"


@given(st.text(), st.text())
def test_ids_tell_alerts_apart_and_fit_a_header(one: str, other: str) -> None:
    ids = [message_id(replace(ALERT, key=key)) for key in (one, other)]

    assert (ids[0] == ids[1]) == (one == other)
    assert all(id.isascii() and "." not in id and not set(id) & set(" \r\n") for id in ids)


def test_the_payload_holds_the_facts_for_machines_and_stays_small() -> None:
    day = timedelta(days=1)
    windows = tuple(
        Observation(
            window=Window(AT + i * day, AT + (i + 1) * day),
            shows=True,
            lines=tuple(f"{'c' * 40}{j}: distance 0.2, limit 0.1" for j in range(6)),
            columns=tuple(f"{'c' * 40}{j}" for j in range(20)),
        )
        for i in range(20)
    )
    incident = Incident(
        id="late-v1-drift",
        model="late",
        version="1",
        situation=Situation.DRIFT,
        opened_at=AT,
        evidence=("wind",),
        windows=windows,
        showing=20,
    )

    body = payload(replace(ALERT, incident=incident))
    said = json.loads(body)

    assert len(body) < 20_000
    assert said["type"] == "incident.came_back"
    assert said["timestamp"] == "2026-03-01T00:00:00+00:00"
    assert said["data"]["key"] == ALERT.key
    assert said["data"]["link"] == ALERT.link
    assert "Reproduce: trimtab watch late --once" in said["data"]["text"]
    facts = said["data"]["incident"]
    assert (facts["situation"], facts["severity"], facts["showing"]) == ("drift", "notice", 20)
    assert [w["window"]["start"] for w in facts["windows"]] == [
        f"2026-03-{day}T00:00:00Z" for day in (18, 19, 20)
    ]


def test_addresses_are_known_by_labels_that_hold_no_secret() -> None:
    urls = ["slack://token/of/slack", "https://ada:pw@ops.example/hook", "env:MAIL", "no address"]
    found = read_addresses(urls, {"MAIL": "mailto://ada:pw@mail.example"}, SECRET)

    assert [address.label.split(":")[0] for address in found] == [
        "slack",
        "https",
        "env",
        "unknown",
    ]
    assert found[2].label == "env:MAIL"
    assert found == read_addresses(urls, {"MAIL": "mailto://ada:pw@mail.example"}, SECRET)
    for secret in ("token", "pw", "ops.example", "no address", "MfKQ"):
        assert secret not in repr(found)


def test_a_webhook_without_a_secret_and_a_name_without_a_value_are_refused() -> None:
    with pytest.raises(SettingsError, match="TRIMTAB_WEBHOOK_KEY") as raised:
        read_addresses(["https://ops.example/hook"], {}, None)
    assert "ops.example" not in str(raised.value)
    with pytest.raises(SettingsError, match="env:HOOK"):
        read_addresses(["env:HOOK"], {}, None)
