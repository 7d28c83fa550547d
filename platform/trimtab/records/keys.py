"""API keys: what a caller of an endpoint must have, kept as hashes only."""

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

_ID_BYTES, _SECRET_BYTES = 5, 32


class KeyScope(StrEnum):
    """What a key opens; none includes another."""

    PREDICT = "predict"
    """Asking for predictions, and reading how to ask."""
    LABEL = "label"
    """Telling what came true."""
    ADMIN = "admin"
    """Everything else: metrics, for example."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key as it is stored: without the secret."""

    id: str
    """Ten hexadecimal digits; they stand in the key too, so that its owner can name it."""
    name: str
    """Who or what uses it; a key and its replacement may share a name."""
    model: str | None
    """The one model it is for; None for every model."""
    scopes: tuple[KeyScope, ...]
    sha256: str
    """Of the whole key as callers send it, hexadecimal."""
    created_by: str
    created_at: datetime
    """By the system's clock, like the other times: a replay's time opens no door."""
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    def state(self, now: datetime) -> str:
        """Say in a word whether it opens anything: `active`, `expired` or `revoked`."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "active"


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmittedKey:
    """What an endpoint needs to know of a key."""

    id: str
    sha256: str
    scopes: tuple[KeyScope, ...]
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """Whom an endpoint lets in; kept in a file, for it has no database."""

    closed: bool = True
    """Whether callers need a key at all."""
    keys: tuple[AdmittedKey, ...] = ()


def make_key() -> tuple[str, str]:
    """Make a key at random: its id, and the whole of it, which is to be shown once.

    >>> id, key = make_key()
    >>> key.startswith(f"tt_{id}_")
    True
    """
    id = secrets.token_hex(_ID_BYTES)
    return id, f"tt_{id}_{secrets.token_urlsafe(_SECRET_BYTES)}"


def hash_key(key: bytes) -> str:
    """Hash a key (SHA-256, hexadecimal).

    Slow hashes protect what people think up; nobody can try 2**256 keys however fast they are
    hashed, and the endpoint hashes one for each request.
    """
    return hashlib.sha256(key).hexdigest()


def admit(keys: Iterable[ApiKey], now: datetime) -> Admission:
    """Say whom an endpoint lets in, of all the keys there ever were for its model.

    One that knows a key is closed, also when the last one expired or was revoked: what was
    protected must not open by itself.
    """
    known = tuple(keys)
    active = [key for key in known if key.state(now) == "active"]
    admitted = tuple(
        AdmittedKey(id=key.id, sha256=key.sha256, scopes=key.scopes, expires_at=key.expires_at)
        for key in sorted(active, key=lambda key: key.id)
    )
    return Admission(closed=bool(known), keys=admitted)
