"""The secret behind the keyed hashes of captured values: given, or made once and kept."""

import os
import secrets
from pathlib import Path

from trimtab.policy.redaction import Redaction, secret_of
from trimtab.settings import Settings

from .durable_files import make_folder, sync_folder


def open_redaction(settings: Settings, model: str) -> Redaction:
    """Give what the settings of a model ask to redact, with the secret where it takes one."""
    wanted = settings.model(model).capture
    return Redaction(
        dropped=frozenset(wanted.drop),
        hashed=frozenset(wanted.hash),
        hashes_keys=wanted.hash_keys,
        secret=secret_of(capture_key(settings)) if wanted.needs_key else b"",
    )


def capture_key(settings: Settings) -> str:
    """Give the secret: TRIMTAB_CAPTURE_KEY, or one that is made at first use and kept in the home.

    It must stay the same, or equal values get unequal hashes from then on.
    """
    given = settings.environment.capture_key
    if given is not None:
        return given.get_secret_value()
    path = settings.home.capture_key
    try:
        return _read(path)
    except FileNotFoundError:
        _make(path)
        return _read(path)


def _read(path: Path) -> str:
    found = path.read_text().strip()
    if len(found) < 32:
        raise OSError(f"{path} is damaged; put it back from a copy, or set TRIMTAB_CAPTURE_KEY")
    return found


def _make(path: Path) -> None:
    """Write a new secret, unless another process was faster."""
    make_folder(path.parent)
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    fd = os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        os.write(fd, secrets.token_hex(32).encode())
        os.fsync(fd)
    finally:
        os.close(fd)
    try:
        os.link(fresh, path)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
    sync_folder(path.parent)
