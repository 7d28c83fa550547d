"""Who may call an endpoint: keys as hashes, compared in a time that does not depend on them."""

import hmac
import logging
import math
import os
import time
from pathlib import Path
from typing import NamedTuple

from pydantic import SecretStr

from trimtab.records.documents import from_json, to_json
from trimtab.records.keys import Admission, AdmittedKey, KeyScope, hash_key

from .loopback import is_loopback

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
"""How old the knowledge of a file may be: a key is known, or refused, so much later."""


class _Known(NamedTuple):
    id: str
    sha256: bytes
    scopes: frozenset[str]
    until: float
    """POSIX seconds, by the system's clock."""


class Keyring:
    """Says whether a caller may come in; where no key was ever made, everybody may."""

    def __init__(
        self, key: SecretStr | None = None, file: Path | None = None, host: str | None = None
    ) -> None:
        """Take a plain key (for `predict` and `admin`), a file with an `Admission`, or both.

        The file is read again when it is replaced; while it cannot be read, what it said last
        stays in force. Raises OSError or ValueError when it cannot be read now, and ValueError
        when others can reach the host and need no key.
        """
        self._plain = _plain(key)
        self._file = file
        self._stamp: tuple[int, int, int] | None = None
        self._next_look = math.inf
        self.is_closed = bool(self._plain)
        """Whether callers need a key at all."""
        self._known = self._plain
        if file is not None:
            self._read(file)
        if host and not is_loopback(host) and not self.is_closed:
            raise ValueError(
                f"the endpoint is to listen on {host}, where others can reach it; set "
                "TRIMTAB_API_KEY to the key that callers must send, or TRIMTAB_API_KEYS_FILE to "
                "what `trimtab key export` wrote"
            )

    def allows(self, authorization: bytes, scope: str) -> bool:
        """Tell whether what a caller sent as `Authorization` opens something.

        Whatever the bytes are, they are compared with every key, and nothing is raised.
        """
        if time.monotonic() >= self._next_look:
            self._look()
        if not self.is_closed:
            return True
        scheme, _, key = authorization.partition(b" ")
        digest, now, is_right = hash_key(key.strip()).encode(), time.time(), False
        for known in self._known:
            is_it = hmac.compare_digest(known.sha256, digest)
            is_right |= is_it & (scope in known.scopes) & (now < known.until)
        return is_right & (scheme.lower() == b"bearer")

    def holder(self, authorization: bytes) -> str:
        """Name who calls, by the id of the key; of a caller that `allows` lets in."""
        digest = hash_key(authorization.partition(b" ")[2].strip()).encode()
        found = [key.id for key in self._known if hmac.compare_digest(key.sha256, digest)]
        return f"key {found[0]}" if found else "a caller without a key"

    def _look(self) -> None:
        assert self._file is not None
        try:
            self._read(self._file)
        except (OSError, ValueError) as error:
            logger.warning("%s; what it said before stays in force", error)

    def _read(self, file: Path) -> None:
        self._next_look = time.monotonic() + LOOK_SECONDS
        found = os.stat(file)
        stamp = (found.st_ino, found.st_mtime_ns, found.st_size)
        if stamp == self._stamp:
            return
        content = file.read_bytes()
        try:
            admission = from_json(Admission, content)
            known = [_known(key) for key in admission.keys]
        except (ValueError, OverflowError):  # whose text would show what stands in the file
            raise ValueError(
                f"{file} is no file of keys; `trimtab key export` writes one"
            ) from None
        self._known = (*self._plain, *known)
        self.is_closed = bool(self._plain) or admission.closed
        self._stamp = stamp


def write_admission(file: Path, admission: Admission) -> None:
    """Put a file in place that only we can read, in one step, unless it says so already."""
    content = to_json(admission, indent=2)
    try:
        if file.read_bytes() == content:
            return
    except OSError:
        file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_suffix(".new")
    fresh.unlink(missing_ok=True)  # one that was left behind could be open to others
    fd = os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(fd, "wb") as writing:
        writing.write(content)
    fresh.replace(file)


def _plain(key: SecretStr | None) -> tuple[_Known, ...]:
    if key is None:
        return ()
    text = key.get_secret_value().encode("utf-8", "surrogateescape").strip()
    scopes = (KeyScope.PREDICT, KeyScope.ADMIN)
    return (_known(AdmittedKey(id="environment", sha256=hash_key(text), scopes=scopes)),)


def _known(key: AdmittedKey) -> _Known:
    until = math.inf if key.expires_at is None else key.expires_at.timestamp()
    return _Known(key.id, key.sha256.encode(), frozenset(key.scopes), until)
