"""Webhooks by the Standard Webhooks scheme: what they say, and how they are signed."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import orjson

from trimtab.errors import SettingsError
from trimtab.records.documents import to_json
from trimtab.records.incidents import Alert, Incident

from .messages import text_of

_PREFIX = "whsec_"
_SECRET_BYTES = range(24, 65)
_WINDOWS = 3  # of an incident; receivers expect less than 20 kB


def read_secrets(text: str) -> tuple[bytes, ...]:
    """Read `whsec_...` secrets with spaces between them. Raises SettingsError."""
    found = tuple(_secret(part) for part in text.split())
    if not found:
        raise SettingsError("TRIMTAB_WEBHOOK_KEY is empty")
    return found


def message_id(alert: Alert) -> str:
    """Give the `webhook-id`: the alert's key, the same at each attempt, without full stops.

    >>> from datetime import UTC, datetime
    >>> at = datetime(2026, 1, 1, tzinfo=UTC)
    >>> message_id(Alert(key="incident opened:m-v1.2", model="m", title="", body="", at=at))
    'incident%20opened:m-v1%2E2'
    """
    return quote(alert.key, safe=":").replace(".", "%2E")


def payload(alert: Alert) -> bytes:
    """Write what a webhook carries: type, timestamp, and the facts under `data`."""
    facts: dict[str, Any] = {
        "key": alert.key,
        "model": alert.model,
        "title": alert.title,
        "text": text_of(alert),
        "link": alert.link,
        "command": alert.command,
        "incident": _facts(alert.incident) if alert.incident else None,
    }
    return orjson.dumps({"type": _type(alert.key), "timestamp": alert.at, "data": facts})


def signatures(secrets: Sequence[bytes], id: str, timestamp: int, body: bytes) -> str:
    """Sign by HMAC-SHA256 over id, timestamp and body: a `v1,...` for each secret.

    Standard Webhooks 1.0.0, "Signature scheme" (https://www.standardwebhooks.com).
    """
    signed = b".".join([id.encode(), str(timestamp).encode(), body])
    digests = (hmac.digest(secret, signed, hashlib.sha256) for secret in secrets)
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)


def _secret(text: str) -> bytes:
    try:
        secret = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        secret = b""
    if not text.startswith(_PREFIX) or len(secret) not in _SECRET_BYTES:
        raise SettingsError(
            "TRIMTAB_WEBHOOK_KEY is not `whsec_` and the base64 of 24 to 64 bytes; make one: "
            "echo whsec_$(openssl rand -base64 32)"
        )
    return secret


def _type(key: str) -> str:
    """Name the kind of event: `incident came back:...` is `incident.came_back`."""
    noun, _, event = key.split(":", 1)[0].partition(" ")
    return f"{noun}.{event.replace(' ', '_')}"


def _facts(incident: Incident) -> Any:
    bounded = replace(incident, windows=incident.windows[-_WINDOWS:])
    return {**orjson.loads(to_json(bounded)), "columns": incident.columns[:20]}
