"""The receiver counts each alert once, and only those that were signed for it."""

import base64
import hashlib
import hmac
import urllib.error
import urllib.request

import pytest

from trimtab_pipelines.drill.receiver import Receiver, receiving


def send(receiver: Receiver, id: str, body: bytes, *, signed: bytes | None = None) -> int:
    secret = base64.b64decode(receiver.key.removeprefix("whsec_"))
    content = b".".join([id.encode(), b"1", signed or body])
    digest = base64.b64encode(hmac.digest(secret, content, hashlib.sha256)).decode()
    request = urllib.request.Request(
        receiver.url,
        body,
        {
            "webhook-id": id,
            "webhook-timestamp": "1",
            "webhook-signature": f"v1,AAAA v1,{digest}",
        },
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return int(answer.status)


def test_an_alert_that_comes_twice_is_one() -> None:
    with receiving() as receiver:
        assert send(receiver, "opened:1", b"{}") == 204
        assert send(receiver, "opened:1", b"{}") == 204
        assert send(receiver, "resolved:1", b"{}") == 204
        assert receiver.count == 2
        receiver.forget()
        assert send(receiver, "opened:1", b"{}") == 204
        assert receiver.count == 1, "another drill has an alert of the same id"


def test_an_alert_of_somebody_else_is_turned_away() -> None:
    with receiving() as receiver:
        with pytest.raises(urllib.error.HTTPError, match="401"):
            send(receiver, "opened:1", b"{}", signed=b"other")
        assert receiver.count == 0
