"""The services' worker with real processes: swaps, deaths and bad versions, under load."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pydantic import SecretStr

from trimtab.adapters.clock import SystemClock
from trimtab.adapters.opening import open_log
from trimtab.adapters.predictor import Predictor
from trimtab.adapters.sql import open_database
from trimtab.errors import SettingsError
from trimtab.ports import Database
from trimtab.records.endpoints import EndpointStatus
from trimtab.records.promotions import Promotion
from trimtab.settings import Environment, Settings, load
from trimtab.supervisor import PortInUseError
from trimtab_services.listening import listen
from trimtab_services.nursery import Nursery
from trimtab_services.reconcile import Keeper
from trimtab_services.shipper import Shipper, SpoolTakenError
from trimtab_services.worker import Attendant, Crew

MODEL = "late-arrival"
Wait = Callable[..., None]


@dataclass(frozen=True)
class Platform:
    """A home with built bentos, its database, and a worker."""

    settings: Settings
    database: Database
    worker: "subprocess.Popen[bytes]"
    caller: Any
    shelf: Any
    wait: Wait

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

    def until_served(self, version: str) -> None:
        self.wait(lambda: self.status and self.status.version == version, f"version {version}")

    @property
    def events(self) -> list[tuple[str, str]]:
        with self.database.transaction() as stores:
            return [(e.event, e.subject) for e in reversed(stores.ledger.entries(MODEL))]

    @property
    def hosts(self) -> list[int]:
        """The endpoint's processes: started by the worker, or forked by its nursery."""
        mine = children(self.worker.pid)
        forking = [pid for pid in mine if runs(pid, "trimtab_services.forking")]
        cold = [pid for pid in mine if runs(pid, "trimtab_services.host")]
        return cold + [child for pid in forking for child in children(pid)]


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def runs(pid: int, module: str) -> bool:
    return module.encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")


@contextmanager
def platform(folder: Path, shelf: Any, project: Any, caller: Any, wait: Wait) -> Iterator[Platform]:
    settings: Settings = project(folder)
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


@pytest.fixture(scope="module")
def up(
    tmp_path_factory: pytest.TempPathFactory, shelf: Any, project: Any, caller: Any, wait: Wait
) -> Iterator[Platform]:
    with platform(tmp_path_factory.mktemp("up"), shelf, project, caller, wait) as started:
        yield started
        started.worker.terminate()
        assert started.worker.wait(10) == 0


@dataclass
class Load:
    """Callers that keep their connections and pause between requests."""

    port: int
    row: dict[str, object]
    answers: list[dict[str, Any]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    refusals: Counter[int] = field(default_factory=Counter)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> "Load":
        for number in range(6):
            thread = threading.Thread(target=self._call, args=(number,))
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _call(self, number: int) -> None:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        body = json.dumps({"rows": [self.row], "source": f"caller {number}"})
        pause = 0.01 + 0.03 * number  # some come back long after a drain has begun
        while not self._stop.wait(pause):
            try:
                connection.request("POST", "/predict", body, {"content-type": "application/json"})
                answer = connection.getresponse()
                text = answer.read()
            except OSError as error:
                self.failures.append(repr(error))
                connection.close()
                continue
            if answer.status == 200:
                self.answers.append(json.loads(text))
            else:
                self.refusals[answer.status] += 1


@pytest.mark.e2e
def test_swaps_lose_nothing_mix_nothing_and_all_is_captured_once(up: Platform, row: Any) -> None:
    up.promote("1")
    up.until_served("1")
    told = len(up.events)
    wide = row(humidity=0.5)
    with Load(up.caller.port, row()) as load:
        for version in ("2", "1", "2"):
            up.promote(version)
            up.until_served(version)
        processes = len(up.hosts)
    with Load(up.caller.port, wide) as wide_load:  # its rows fit only version 3
        up.promote("3")
        up.until_served("3")
        up.wait(lambda: len(up.hosts) == 1, "the old process to end")
        enough = len(wide_load.answers) + 20
        up.wait(lambda: len(wide_load.answers) > enough, "answers of version 3")

    assert processes == 1
    assert (load.failures, dict(load.refusals)) == ([], {})
    assert wide_load.failures == []
    assert set(wide_load.refusals) <= {400}
    assert {answer["version"] for answer in load.answers} <= {"1", "2"}
    assert {answer["version"] for answer in wide_load.answers} == {"3"}
    for answers, asked in ((load.answers, row()), (wide_load.answers, wide)):
        assert_recomputed(up, answers, asked)
    assert up.events[told:] == [("version served", version) for version in "2123"]
    assert_captured_once(up, [*load.answers, *wide_load.answers])


def assert_recomputed(up: Platform, answers: list[dict[str, Any]], row: dict[str, object]) -> None:
    """Every answer is what the version it names says, to the last bit."""
    for version in {answer["version"] for answer in answers}:
        predictor = Predictor.load(up.shelf.files / "versions" / version, "cpu")
        said = predictor.predict(pd.DataFrame([row])).probabilities
        assert said is not None
        for answer in answers:
            if answer["version"] == version:
                shares = answer["predictions"][0]["probabilities"]
                assert list(shares.values()) == said[0].tolist()


def assert_captured_once(up: Platform, answers: list[dict[str, Any]]) -> None:
    end = datetime.now(UTC)
    up.wait(lambda: (up.status.shipped_through or end) > end if up.status else False, "shipping")
    status = up.status
    assert status is not None
    assert (status.answered, status.dropped) == (status.captured, 0)
    log = open_log(up.settings)
    for version in "123":
        logged = log.read(MODEL, version)
        ids = Counter(logged.rows["request_id"]) if logged else Counter()
        answered = {a["request_id"] for a in answers if a["version"] == version}
        assert answered <= set(ids)
        assert set(ids.values()) <= {1}


@pytest.mark.e2e
def test_a_killed_endpoint_comes_back_and_callers_wait_for_it(up: Platform, row: Any) -> None:
    up.promote("1")
    up.until_served("1")
    told = len(up.events)
    with Load(up.caller.port, row()) as load:
        up.wait(lambda: len(load.answers) > 20, "answers")
        up.wait(lambda: len(up.hosts) == 1, "one process")
        (victim,) = up.hosts
        os.kill(victim, signal.SIGKILL)
        before = len(load.answers)
        up.wait(lambda: len(load.answers) > before + 20, "answers after the kill")

    assert len(load.failures) <= 6  # at most what each caller had under way
    assert victim not in up.hosts
    assert up.events[told:] == []


@pytest.mark.e2e
def test_a_version_with_changed_bytes_never_answers(up: Platform, row: Any) -> None:
    up.promote("1")
    up.until_served("1")
    told = len(up.events)
    model = up.settings.home.bento(MODEL, "2") / "src" / "version" / "model.skops"
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(content)
    up.promote("2")
    up.wait(lambda: up.status and "version 2 is not served" in up.status.note, "the refusal")
    status, answer = up.caller.predict(json.dumps({"rows": [row()]}).encode())
    _, ready, _ = up.caller.call("GET", "/readyz")

    assert (status, answer["version"]) == (200, "1")
    assert up.status is not None
    assert "model.skops was changed" in up.status.note
    assert "version 2" in json.loads(ready)["note"]
    assert up.events[told:] == [("version not served", "2")]


@pytest.mark.e2e
def test_a_killed_worker_leaves_no_orphan_and_its_port_is_free_again(
    tmp_path: Path, shelf: Any, project: Any, caller: Any, wait: Wait
) -> None:
    with platform(tmp_path, shelf, project, caller, wait) as up:
        up.promote("1")
        up.until_served("1")
        (child,) = up.hosts
        up.worker.kill()
        listen(up.settings, MODEL).close()
        wait(lambda: not Path(f"/proc/{child}").exists(), "the endpoint to end")

    assert not up.caller.is_ready


def test_without_a_champion_the_status_says_so(tmp_path: Path, project: Any) -> None:
    settings: Settings = project(tmp_path)
    database = open_database(settings.database_url)
    nursery = Nursery()
    log, clock = open_log(settings), SystemClock()
    attendant = Attendant(settings, MODEL, database, log, clock, nursery)
    attendant.look()
    attendant.keeper.step()
    attendant.finish(0)
    nursery.end()
    with database.transaction() as stores:
        status = stores.endpoints.get(MODEL)

    assert status is not None
    assert status.version is None
    assert "no champion yet" in status.note
    assert status.shipped_through is not None


def test_a_port_in_use_is_named_with_its_setting(tmp_path: Path, project: Any) -> None:
    settings: Settings = project(tmp_path)
    with listen(settings, MODEL), pytest.raises(PortInUseError, match=r"serve\.port"):
        listen(settings, MODEL, patience=0)


def test_without_a_key_only_this_machine_may_call(tmp_path: Path, project: Any) -> None:
    open_to_all = project(tmp_path).folder / "trimtab.toml"
    open_to_all.write_text(open_to_all.read_text() + 'host = "0.0.0.0"\n')

    with pytest.raises(SettingsError, match=f"trimtab key create NAME --model {MODEL}"):
        listen(load(tmp_path, Environment()), MODEL)
    listen(load(tmp_path, Environment(api_key=SecretStr("key"))), MODEL).close()
    listen(load(tmp_path, Environment()), MODEL, has_keys=True).close()


def two_models(settings: Settings) -> Settings:
    """Add a model on another port."""
    file = settings.folder / "trimtab.toml"
    port = settings.model(MODEL).serve.port
    text = file.read_text()
    other = text.replace(MODEL, "other").replace(f"port = {port}", f"port = {port + 1}")
    file.write_text(text + other)
    return load(settings.folder, settings.environment)


def test_a_model_that_cannot_be_attended_does_not_keep_the_others(
    tmp_path: Path, project: Any
) -> None:
    settings = two_models(project(tmp_path))
    nursery = Nursery()
    crew = Crew(
        settings=settings,
        database=open_database(settings.database_url),
        log=open_log(settings),
        clock=SystemClock(),
        nursery=nursery,
    )
    spool = settings.home.spool("other")
    taken = Shipper(spool, "other", crew.log, lambda _: pytest.fail("nothing to ship"))
    try:
        with pytest.raises(SpoolTakenError):
            crew.gather(["other"])
        crew.gather(["other", MODEL])
        attended = [attendant.keeper.model for attendant in crew.attendants]
        taken.close()
        deadline = time.monotonic() + 20  # a child that just forks may hold the lock a moment
        while crew.missing and time.monotonic() < deadline:
            crew.missing["other"].next_try = 0.0
            crew.complete()
    finally:
        for attendant in crew.attendants:
            attendant.finish(0)
        nursery.end()

    assert attended == [MODEL]
    assert [attendant.keeper.model for attendant in crew.attendants] == [MODEL, "other"]
    assert crew.missing == {}


def test_a_version_whose_process_cannot_be_started_is_tried_again_later(
    tmp_path: Path, project: Any, shelf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: Settings = project(tmp_path)
    shelf.lend(settings, "1")
    nursery = Nursery()
    nursery.end()  # neither warm nor warming
    promotion = Promotion(
        model=MODEL,
        epoch=1,
        version="1",
        previous=None,
        manifest_sha256=shelf.hashes["1"],
        actor="tests",
        reasons=(),
        at=datetime.now(UTC),
    )
    keeper = Keeper(settings, MODEL, listen(settings, MODEL), nursery)
    keeper.want(promotion)
    with monkeypatch.context() as broken:
        broken.setattr(sys, "executable", str(tmp_path / "gone"))
        keeper.step()
    note = keeper.note
    deadline = time.monotonic() + 60
    while keeper.version != "1" and time.monotonic() < deadline:
        keeper.step()
        time.sleep(0.02)
    version = keeper.version
    keeper.end()
    keeper.wait(time.monotonic() + 10)

    assert "version 1 is not served" in note
    assert version == "1"
