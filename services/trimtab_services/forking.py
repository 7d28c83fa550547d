"""A process that has imported all that an endpoint needs, and forks ones that are ready at once.

Run as `python -P -m trimtab_services.forking FD`; FD is its end of a `Nursery`'s socket. It holds
no model, starts no thread and never touches a GPU: what it forks must find all of that fresh.
"""

import gc
import importlib
import json
import logging
import os
import selectors
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from trimtab.errors import ExitCode

from . import host, prove
from .bundle import installed_code
from .flood import log_to_stderr
from .inheritance import begin_child

logger = logging.getLogger(__name__)

_PRELOADED = (
    "_bentoml_impl.server.app",
    "bentoml",
    "bentoml._internal.server.http_app",
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "opentelemetry.instrumentation.asgi",
    "pandas.io.parquet",
    "pyarrow.parquet",
    "sklearn.linear_model",
    "trimtab_services.guard",
    "trimtab_services.bentoml_service",
    "uvicorn.lifespan.on",
    "uvicorn.protocols.http.httptools_impl",
    "xgboost",
)
"""Some are BentoML's own business: where one is gone, what is forked imports what it needs."""
_REAP_SECONDS = 0.5


def main() -> None:
    """Fork what is asked for until the parent is gone."""
    log_to_stderr()
    for name in _PRELOADED:
        with suppress(ImportError):
            importlib.import_module(name)
    threads = len(os.listdir("/proc/self/task"))
    if threads > 1:
        logger.warning("%d threads run after the imports; endpoints are started cold", threads)
        sys.exit(ExitCode.REFUSED)  # another try would find the same
    gc.collect()
    gc.freeze()  # a child that walks all of this would make a copy of it
    gc.disable()
    channel = socket.socket(fileno=int(sys.argv[1]))
    channel.send(json.dumps({"code_sha256": installed_code()}).encode())
    _serve(channel)


def _serve(first: socket.socket) -> None:
    with selectors.DefaultSelector() as asking:
        asking.register(first, selectors.EVENT_READ)
        while True:
            for key, _ in asking.select(_REAP_SECONDS):
                channel: Any = key.fileobj
                order, fds = _receive(channel)
                if order is None:
                    if channel is first:
                        return
                    asking.unregister(channel)
                    channel.close()
                elif order["do"] == "connect":
                    asking.register(socket.socket(fileno=fds[0]), selectors.EVENT_READ)
                else:
                    me = os.getpid()
                    pid = os.fork() or _run(order, fds, me, asking)
                    with suppress(OSError):  # whoever asked is gone
                        channel.send(json.dumps({"pid": pid}).encode())
                    for fd in fds:
                        os.close(fd)
            with suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass


def _receive(channel: socket.socket) -> tuple[Mapping[str, Any] | None, Sequence[int]]:
    try:
        data, fds, _, _ = socket.recv_fds(channel, 1 << 16, 4)
    except ConnectionError:
        return None, ()
    return (json.loads(data) if data else None), fds


def _let_go(asking: selectors.BaseSelector) -> None:
    """Close the parent's sockets, so that whoever asks it sees its end."""
    for key in list(asking.get_map().values()):
        channel: Any = key.fileobj
        channel.close()
    asking.close()


def _run(
    order: Mapping[str, Any], fds: Sequence[int], parent: int, asking: selectors.BaseSelector
) -> int:
    """Be the child: never returns."""
    code = 1
    try:
        _let_go(asking)
        gc.enable()
        os.environ.clear()
        os.environ.update(order["environment"])
        os.chdir(order["folder"])
        match order["do"]:
            case "host":  # outlives its parent, but not who ordered it
                host.run(fds[0], fds[1])
            case "prove":
                begin_child(parent)
                os.write(fds[0], prove.as_json(Path(order["path"])))
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:
        logger.exception("what was forked failed")
    finally:
        with suppress(Exception):
            logging.shutdown()
        os._exit(code)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    main()
