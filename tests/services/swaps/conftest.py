"""A worker with real processes, and callers that count what they get."""

import http.client
import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from trimtab.adapters.opening import open_log
from trimtab.adapters.predictor import Predictor
from trimtab.adapters.sql import open_database
from trimtab.ports import Database
from trimtab.records.endpoints import EndpointStatus
from trimtab.records.promotions import Promotion
from trimtab.settings import Settings

MODEL = "late-arrival"
JSON = {"content-type": "application/json"}


@dataclass(frozen=True)
class Platform:
    """A home with built bentos, its database, and a worker."""

    settings: Settings
    database: Database
    worker: "subprocess.Popen[bytes]"
    caller: Any
    shelf: Any
    wait: Callable[..., None]

    @property
    def port(self) -> int:
        return self.settings.model(MODEL).serve.port

    def promote(self, version: str) -> None:
        with self.database.transaction() as stores:
            current = stores.promotions.current(MODEL)
            stores.promotions.record(
                Promotion(
                    model=MODEL,
                    epoch=current.epoch + 1 if current else 1,
                    version=version,
                    previous=current.version if current else None,
                    manifest_sha256=self.shelf.hashes[version],
                    actor="tests",
                    reasons=("because",),
                    at=datetime.now(UTC),
                )
            )

    @property
    def status(self) -> EndpointStatus | None:
        with self.database.transaction() as stores:
            return stores.endpoints.get(MODEL)

    @property
    def note(self) -> str:
        status = self.status
        return status.note if status else ""

    def until_served(self, version: str) -> None:
        self.wait(lambda: self.status and self.status.version == version, f"version {version}")

    @property
    def events(self) -> list[tuple[str, str]]:
        with self.database.transaction() as stores:
            return [
                (e.event, e.subject) for e in reversed(stores.ledger.entries(MODEL, limit=10_000))
            ]

    @property
    def hosts(self) -> dict[int, str]:
        """The processes that hold the listening socket, by what they are for."""
        found = {pid: name_of(pid) for pid in holders(self.port) if pid != self.worker.pid}
        return {pid: name for pid, name in found.items() if "endpoint" in name}

    @property
    def answering(self) -> int:
        """The process that lets callers in."""
        (found,) = [pid for pid, name in self.hosts.items() if name == "endpoint"]
        return found

    @property
    def is_alive(self) -> bool:
        """Tell whether somebody answers, be it only to say why nobody does."""
        try:
            return bool(self.caller.call("GET", "/livez")[0] == 200)
        except OSError:
            return False

    @property
    def readiness(self) -> dict[str, Any]:
        """What the endpoint says of itself."""
        found: dict[str, Any] = json.loads(self.caller.call("GET", "/readyz")[1])
        return found

    def until_spared(self) -> None:
        """Wait for one process that answers, and one that is ready to."""
        both = ["endpoint", "endpoint spare"]
        self.wait(lambda: sorted(self.hosts.values()) == both, "a spare")

    def assert_recomputed(
        self, answers: list[dict[str, Any]], row: dict[str, object], rows: int = 1
    ) -> None:
        """Every answer is what the version it names says, and no other version does."""
        said = {v: self._said(v, row, rows) for v in {answer["version"] for answer in answers}}
        for one, other in combinations(said.values(), 2):
            assert not np.allclose(one, other, rtol=0, atol=1e-3)
        for answer in answers:
            shares = [[*each["probabilities"].values()] for each in answer["predictions"]]
            assert np.allclose(shares, said[answer["version"]], rtol=0, atol=1e-9)

    def _said(self, version: str, row: dict[str, object], rows: int) -> list[list[float]]:
        predictor = Predictor.load(self.shelf.files / "versions" / version, "cpu")
        shares = predictor.predict(pd.DataFrame([row] * rows)).probabilities
        assert shares is not None
        said: list[list[float]] = shares.tolist()
        return said

    def assert_captured_once(self, answers: list[dict[str, Any]]) -> None:
        """Every answer is in the log under its version, exactly once, and the counts add up."""
        end = datetime.now(UTC)
        self.wait(lambda: self.status and (self.status.shipped_through or end) > end, "shipping")
        status = self.status
        assert status is not None
        assert (status.answered, status.dropped) == (status.captured, 0)
        log = open_log(self.settings)
        for version in "123":
            logged = log.read(MODEL, version)
            ids = Counter(logged.rows["request_id"]) if logged else Counter()
            requests = {
                a["request_id"]: len(a["predictions"]) for a in answers if a["version"] == version
            }
            assert requests.items() <= ids.items()


def holders(port: int) -> list[int]:
    """List the processes that have a socket which listens on a port of loopback."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ends = f":{port:04X}"
    wanted = {f"socket:[{row[9]}]" for row in rows if row[1].endswith(ends) and row[3] == "0A"}
    return [int(path.name) for path in Path("/proc").glob("[0-9]*") if wanted & set(files(path))]


def files(process: Path) -> Iterator[str]:
    with suppress(OSError):
        for link in (process / "fd").iterdir():
            with suppress(OSError):
                yield str(link.readlink())


def name_of(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


@contextmanager
def run_platform(
    folder: Path, shelf: Any, project: Any, caller: Any, wait: Any, more: str = ""
) -> Iterator[Platform]:
    settings: Settings = project(folder)
    if more:
        file = settings.folder / "trimtab.toml"
        file.write_text(file.read_text() + more)
    database = open_database(settings.database_url)
    shelf.lend(settings, "1", "2", "3")
    worker = subprocess.Popen(
        [sys.executable, "-m", "trimtab_services.worker", str(settings.folder)],
        env={**os.environ, "TRIMTAB_HOME": str(settings.home.root)},
    )
    port = settings.model(MODEL).serve.port
    try:
        yield Platform(settings, database, worker, caller(port), shelf, wait)
    finally:
        worker.kill()
        worker.wait()


@pytest.fixture(scope="session")
def platform(
    shelf: Any, project: Any, caller: Any, wait: Any
) -> Callable[..., AbstractContextManager[Platform]]:
    """Makes a platform in a folder."""

    def make(folder: Path, more: str = "") -> AbstractContextManager[Platform]:
        return run_platform(folder, shelf, project, caller, wait, more)

    return make


@pytest.fixture(scope="session")
def up(tmp_path_factory: pytest.TempPathFactory, platform: Any) -> Iterator[Platform]:
    """A platform for many tests, with two processes."""
    with platform(tmp_path_factory.mktemp("up")) as started:
        started.promote("1")
        yield started
        started.worker.terminate()
        assert started.worker.wait(12) == 0


@dataclass
class Load:
    """Callers of many kinds; every answer and every failure is kept."""

    port: int
    row: dict[str, object]
    answers: list[dict[str, Any]] = field(default_factory=list)
    batches: list[dict[str, Any]] = field(default_factory=list)
    """Answers of many rows."""
    failures: list[str] = field(default_factory=list)
    refusals: Counter[int] = field(default_factory=Counter)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def paced(self, callers: int, most_seconds: float) -> "Load":
        """Callers that keep their connections and pause between requests, each for as long."""
        for number in range(callers):
            self._begin(self._call, 0.01 + most_seconds * number / callers)
        return self

    def saturating(self) -> "Load":
        """A caller that asks again as soon as it is answered."""
        return self._begin(self._call, 0.0)

    def batching(self, rows: int) -> "Load":
        """A caller with many rows a request."""
        return self._begin(self._call, 0.5, rows)

    def dribbling(self, seconds: float) -> "Load":
        """A caller whose body takes so long to arrive."""
        return self._begin(self._dribble, seconds)

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _begin(self, call: Callable[..., None], *arguments: object) -> "Load":
        self._threads.append(threading.Thread(target=call, args=arguments))
        return self

    def _call(self, pause: float, rows: int = 1) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        body = json.dumps({"rows": [self.row] * rows})
        while not self._stop.wait(pause):
            try:
                connection.request("POST", "/predict", body, JSON)
                self._take(connection.getresponse(), rows)
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                connection.close()

    def _dribble(self, seconds: float) -> None:
        body = json.dumps({"rows": [self.row]}).encode()
        while not self._stop.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            try:
                connection.putrequest("POST", "/predict")
                for name, value in {**JSON, "content-length": str(len(body))}.items():
                    connection.putheader(name, value)
                connection.endheaders()
                for part in (body[:10], body[10:20], body[20:]):
                    self._stop.wait(seconds / 3)
                    connection.send(part)
                self._take(connection.getresponse(), 1)
            except OSError as error:
                self.failures.append(repr(error))
            connection.close()

    def _take(self, answer: http.client.HTTPResponse, rows: int) -> None:
        text = answer.read()
        if answer.status == 200:
            (self.answers if rows == 1 else self.batches).append(json.loads(text))
        else:
            self.refusals[answer.status] += 1


@pytest.fixture(scope="session")
def load() -> type[Load]:
    """Makes callers of a port."""
    return Load
