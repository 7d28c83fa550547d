"""A proxy that passes every call on to MLflow, and loses some of the answers."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from .tape import READS, shape

Loses = Callable[[str], str]
"""Tells what becomes of the answer to a call, by its name: "503", "cut", or "" for nothing."""


@contextmanager
def losing(upstream: str, loses: Loses) -> Iterator[str]:
    """Stand between a client and a server; gives the address. Every call reaches the server."""
    host, port = upstream.removeprefix("http://").split(":")
    seen: dict[str, int] = {}
    lock = threading.Lock()

    def fate(method: str, path: str) -> str:
        if method == "GET" or path.endswith(READS):
            return ""
        what = f"{method} {shape(path)}"
        with lock:
            number = seen[what] = seen.get(what, 0) + 1
        return loses(f"{what} #{number}")

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {k: v for k, v in self.headers.items() if k.lower() != "host"}
            there = HTTPConnection(host, int(port), timeout=60)
            there.request(self.command, self.path, body, headers)
            answer = there.getresponse()
            content = answer.read()
            there.close()
            match fate(self.command, urlsplit(self.path).path):
                case "cut":
                    self.close_connection = True
                    return
                case "503":
                    self.send_response(503)
                    content = b"the answer was lost"
                case _:
                    self.send_response(answer.status)
                    for name, value in answer.getheaders():
                        if name.lower() not in (
                            "transfer-encoding",
                            "content-length",
                            "connection",
                        ):
                            self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = pass_on

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
