"""A receiver of alerts on loopback, in the place of whoever is alerted otherwise."""

import base64
import hashlib
import hmac
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_LONGEST_BODY = 1 << 20


@dataclass(slots=True)
class Receiver:
    """What came in; threads of a server write it."""

    url: str
    key: str
    """The secret that webhooks are signed with, as TRIMTAB_WEBHOOK_KEY takes it."""
    _ids: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def count(self) -> int:
        """How many different alerts came, with a good signature."""
        with self._lock:
            return len(self._ids)

    def forget(self) -> None:
        """Count from nothing: the alerts of another drill may have the same ids."""
        with self._lock:
            self._ids.clear()

    def take(self, id: str, timestamp: str, signatures: str, body: bytes) -> bool:
        """Take an alert if its signature is good (Standard Webhooks 1.0.0)."""
        secret = base64.b64decode(self.key.removeprefix("whsec_"))
        signed = b".".join([id.encode(), timestamp.encode(), body])
        digest = base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()
        if not any(hmac.compare_digest(f"v1,{digest}", one) for one in signatures.split()):
            return False
        with self._lock:
            self._ids.add(id)
        return True


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Receive for as long as the context is open."""
    key = f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
    receiver = Receiver(url="", key=key)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = min(int(self.headers.get("content-length", 0)), _LONGEST_BODY)
            body = self.rfile.read(length)
            id, timestamp, signatures = (
                self.headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature")
            )
            is_good = receiver.take(id, timestamp, signatures, body)
            self.send_response(204 if is_good else 401)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}/alerts"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
