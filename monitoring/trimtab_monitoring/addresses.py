"""Where alerts go: addresses read from the settings, known elsewhere by labels without secrets."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from trimtab.errors import SettingsError

from .webhooks import read_secrets

_FROM_ENVIRONMENT = "env:"
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]{0,19}")
_SALT = b"trimtab: label of an address"  # the same everywhere, so that a label stays the same


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One of `alerts.urls`."""

    label: str
    """What stores, logs and people see of it."""
    url: str = field(repr=False)
    """It may hold a token or a password."""
    secrets: tuple[bytes, ...] = field(default=(), repr=False)
    """What signs a webhook, the newest first; none for other kinds."""


def read_addresses(
    urls: Iterable[str], environ: Mapping[str, str], secret: str | None
) -> tuple[Address, ...]:
    """Read the addresses; `env:NAME` stands for what the environment holds.

    Raises SettingsError, which names what is missing and never an address.
    """
    found: dict[str, Address] = {}
    for written in urls:
        name = written.removeprefix(_FROM_ENVIRONMENT)
        if name != written and name not in environ:
            raise SettingsError(f"alerts.urls: {written} names a variable that is not set")
        url = written if name == written else environ[name]
        label = _label(url) if name == written else written
        secrets = _secrets(label, secret) if is_webhook(url) else ()
        found[label] = Address(label=label, url=url, secrets=secrets)
    return tuple(found.values())


def is_webhook(url: str) -> bool:
    """Tell whether an address is a webhook of ours; the others are for Apprise.

    >>> is_webhook("https://ops.example/hook"), is_webhook("slack://token")
    (True, False)
    """
    return url.lower().startswith(("http://", "https://"))


def _secrets(label: str, secret: str | None) -> tuple[bytes, ...]:
    if secret is None:
        raise SettingsError(
            f"alerts.urls: {label} is a webhook, and nothing is there to sign it with. Set "
            'TRIMTAB_WEBHOOK_KEY="whsec_$(openssl rand -base64 32)", here and at the receiver.'
        )
    return read_secrets(secret)


def _label(url: str) -> str:
    """Name an address by its scheme and a hash that is slow to guess passwords by."""
    scheme = url.split(":", 1)[0].lower()
    shown = scheme if _SCHEME.fullmatch(scheme) else "unknown"
    digest = hashlib.scrypt(url.encode(), salt=_SALT, n=2**14, r=8, p=1, dklen=5)
    return f"{shown}:{digest.hex()}"
