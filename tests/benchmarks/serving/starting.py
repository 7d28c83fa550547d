"""How each server is started on a subject, with one worker, and ended."""

import json
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from trimtab.records.keys import Admission
from trimtab_services.bundle import source_of
from trimtab_services.children import Host
from trimtab_services.keys import write_admission
from trimtab_services.nursery import Nursery

from .accounting import cpu_seconds, tree
from .mlserver_environment import mlserver
from .ports import free_port
from .processes import NotServedError, await_answer, complaints_in, last_words, running
from .results import Started
from .subject import Subject

_SERVERS = Path(__file__).with_name("servers")
_END_SECONDS = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A server that answers."""

    port: int
    pid: int
    """The process that all others of it descend from."""
    start_seconds: float
    """From its start to the first 200 that says it is ready."""
    start_cpu: float
    """CPU seconds of all of its processes until then."""
    spool: Path | None = None
    """Where it captures."""


Start = Callable[[Subject, Path], AbstractContextManager[Served]]
"""Serves a subject's first version; the folder is for whatever the server writes."""


@contextmanager
def trimtab_host(subject: Subject, folder: Path) -> Iterator[Served]:
    """Our endpoint's process, as `trimtab serve` starts it."""
    with hosted(subject, folder) as (_, served):
        yield served


@contextmanager
def hosted(
    subject: Subject, folder: Path, nursery: Nursery | None = None
) -> Iterator[tuple[Host, Served]]:
    """The same, with the handle that its supervisor holds; forked if there is a nursery."""
    settings, model = subject.settings, subject.shape.model
    write_admission(settings.home.keys(model), Admission(closed=False))
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(2048)
        port = listening.getsockname()[1]
        began = monotonic()
        with complaints_in(folder):
            host = Host.start(settings, model, subject.first.pointer(epoch=1), listening, nursery)
        host.accept()
        try:
            seconds = _awaited(port, "/readyz", lambda: host.is_running, folder) - began
            yield host, _served(port, host.pid, seconds, settings.home.spool(model))
        finally:
            host.end()
            host.wait(_END_SECONDS)


@contextmanager
def trimtab_in_bentoml(subject: Subject, folder: Path) -> Iterator[Served]:
    """Our bento under plain `bentoml serve`, as people deploy it elsewhere."""
    port, spool = free_port(), folder / "spool"
    argv = [*_bentoml(), "serve", str(subject.first.bento), *_at(port)]
    own = {"TRIMTAB_SPOOL": str(spool), "PYTHONDONTWRITEBYTECODE": "1"}  # a bento stays as built
    with _command(argv, port, folder, "/readyz", **own) as (pid, seconds):
        yield _served(port, pid, seconds, spool)


@contextmanager
def floor(subject: Subject, folder: Path) -> Iterator[Served]:
    """A bare ASGI loop with our predictor and our capture."""
    port, spool = free_port(), folder / "spool"
    script, source = _SERVERS / "floor.py", source_of(subject.first.bento)
    argv = [sys.executable, str(script), str(source), str(spool), str(port)]
    with _command(argv, port, folder, "/readyz") as (pid, seconds):
        yield _served(port, pid, seconds, spool)


@contextmanager
def mlflow_serve(subject: Subject, folder: Path) -> Iterator[Served]:
    """`mlflow models serve` on the version as it was registered."""
    port = free_port()
    model = str(subject.first.files)
    argv = [sys.executable, "-m", "mlflow", "models", "serve", "-m", model]
    argv += ["--env-manager", "local", "--workers", "1", *_at(port)]
    with _command(argv, port, folder, "/ping") as (pid, seconds):
        yield _served(port, pid, seconds)


def plain_bento(name: str) -> Start:
    """Serve one of the services in `servers/plain_bento.py`."""

    @contextmanager
    def start(subject: Subject, folder: Path) -> Iterator[Served]:
        port, first = free_port(), subject.first
        argv = [*_bentoml(), "serve", f"plain_bento:{name}", "--working-dir", str(_SERVERS)]
        named = {"LEARNER": str(first.learner), "FILES": str(first.files)}
        with _command([*argv, *_at(port)], port, folder, "/readyz", **named) as (pid, seconds):
            yield _served(port, pid, seconds)

    return start


@contextmanager
def fast_api(subject: Subject, folder: Path) -> Iterator[Served]:
    """A hand-written FastAPI that captures nothing."""
    port, first = free_port(), subject.first
    argv = [sys.executable, str(_SERVERS / "fast_api.py"), subject.shape.model]
    argv += [str(first.learner), str(first.files), str(port)]
    with _command(argv, port, folder, "/readyz") as (pid, seconds):
        yield _served(port, pid, seconds)


@contextmanager
def mlserver_xgboost(subject: Subject, folder: Path) -> Iterator[Served]:
    """MLServer with its own XGBoost runtime, which answers in the server's process."""
    command, port = mlserver(), free_port()
    folder.mkdir(parents=True, exist_ok=True)
    model = {
        "name": "bench",
        "implementation": "mlserver_xgboost.XGBoostModel",
        "parameters": {"uri": str(subject.first.learner)},
    }
    server = {
        "host": "127.0.0.1",
        "http_port": port,
        "grpc_port": free_port(),
        "metrics_port": free_port(),
        "parallel_workers": 0,
        "debug": False,
    }
    (folder / "model-settings.json").write_text(json.dumps(model))
    (folder / "settings.json").write_text(json.dumps(server))
    argv, ready = [str(command), "start", str(folder)], "/v2/models/bench/ready"
    with _command(argv, port, folder, ready) as (pid, seconds):
        yield _served(port, pid, seconds)


def started(subject: Subject, server: str, served: Served) -> Started:
    """Note what a start took."""
    return Started(
        shape=subject.shape.model,
        server=server,
        seconds=served.start_seconds,
        cpu_seconds=served.start_cpu,
    )


def _served(port: int, pid: int, seconds: float, spool: Path | None = None) -> Served:
    """Describe a server that has just become ready."""
    cpu = cpu_seconds(tree(pid))
    return Served(port=port, pid=pid, start_seconds=seconds, start_cpu=cpu, spool=spool)


@contextmanager
def _command(
    argv: list[str], port: int, folder: Path, ready: str, **environment: str
) -> Iterator[tuple[int, float]]:
    """Run a server and wait until it is ready; gives its process and the seconds it took."""
    began = monotonic()
    with running(argv, {**environment, "BENTOML_HOME": str(folder)}, folder) as process:
        yield process.pid, _awaited(port, ready, lambda: process.poll() is None, folder) - began


def _awaited(port: int, ready: str, is_alive: Callable[[], bool], folder: Path) -> float:
    """Wait as `await_answer` does; a server that did not come up is quoted."""
    try:
        return await_answer(port, ready, is_alive)
    except NotServedError as error:
        raise NotServedError(f"{error}; its last words:\n{last_words(folder)}") from None


def _bentoml() -> list[str]:
    return [sys.executable, "-m", "bentoml"]


def _at(port: int) -> list[str]:
    return ["--host", "127.0.0.1", "--port", str(port)]
