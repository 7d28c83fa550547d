"""The worker: what it asks for by itself, and what is left when processes are killed under it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from mlflow import MlflowClient
from sqlalchemy import text

from trimtab.adapters.opening import open_clock, open_registry
from trimtab.adapters.sql import SqlDatabase, open_database
from trimtab.errors import RegistryUnreachableError
from trimtab.records.promotions import Promotion
from trimtab.records.requests import RequestState, RetrainRequest, Trigger
from trimtab.records.versions import Alias
from trimtab.settings import Settings, load
from trimtab_pipelines.firsts import FirstVersions
from trimtab_pipelines.worker import LEASE, Job, Worker, open_worker

Loop = Any  # the conftest's; it is no module that could be imported
SECONDS = 240.0
"""Until a wait has failed; on a busy machine the frameworks alone take half a minute to import."""


def until(
    holds: Callable[[], bool], what: str, meanwhile: Callable[[], None] = lambda: None
) -> None:
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"never came: {what}"
        meanwhile()
        time.sleep(0.02)


# --- what it asks for by itself ---


@dataclass
class Stopwatch:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_model_without_champion_gets_one_request_and_no_second(loop: Loop) -> None:
    firsts = FirstVersions(loop.database, loop.clock)
    for _ in range(3):
        firsts.ask(["late"])
    with loop.database.transaction() as stores:
        [request] = stores.requests.recent("late")

    assert (request.trigger, request.state) == (Trigger.FIRST, RequestState.ASKED)
    assert loop.events() == ["retrain requested"]


def test_a_model_with_a_champion_gets_none(loop: Loop) -> None:
    loop.crown(loop.shop.add(2.0))
    FirstVersions(loop.database, loop.clock).ask(["late"])

    assert loop.events() == []


def test_first_versions_that_fail_are_asked_for_again_after_longer_and_longer_pauses(
    loop: Loop,
) -> None:
    watch = Stopwatch()
    firsts = FirstVersions(loop.database, loop.clock, watch)
    asked_at = []
    for minute in range(0, 250, 10):
        watch.now = minute * 60.0
        firsts.ask(["late"])
        with loop.database.transaction() as stores:
            claimed = stores.requests.claim(["late"], "worker", LEASE)
            if claimed:
                asked_at.append(minute)
                stores.requests.finish(_failed(claimed), "worker")

    pauses = [after - before for before, after in pairwise(asked_at)]
    assert pauses == [20, 20, 20, 20, 30, 50, 70], "a pause begins at the look after the end"


def test_a_failure_that_another_worker_saw_coming_makes_this_one_pause_too(loop: Loop) -> None:
    mine, theirs = (FirstVersions(loop.database, loop.clock, Stopwatch()) for _ in range(2))
    mine.ask(["late"])
    theirs.ask(["late"])
    with loop.database.transaction() as stores:
        claimed = stores.requests.claim(["late"], "worker", LEASE)
        assert claimed is not None
        stores.requests.finish(_failed(claimed), "worker")
    theirs.ask(["late"])

    assert loop.events() == ["retrain requested"]


def _failed(request: RetrainRequest) -> RetrainRequest:
    return replace(request, state=RequestState.FAILED)


# --- with real processes and a real MLflow server ---


@dataclass
class Real:
    """A tiny project on a real MLflow server."""

    settings: Settings
    database: SqlDatabase
    client: MlflowClient
    model: str

    def events(self) -> list[str]:
        with self.database.transaction() as stores:
            return [entry.event for entry in reversed(stores.ledger.entries(self.model))]

    def newest(self) -> RetrainRequest | None:
        with self.database.transaction() as stores:
            return next(iter(stores.requests.recent(self.model)), None)

    def is_ended(self) -> bool:
        newest = self.newest()
        return newest is not None and not newest.state.is_open

    def moves(self) -> list[Promotion]:
        with self.database.transaction() as stores:
            return list(stores.promotions.history(self.model))

    def runs(self) -> dict[str, int]:
        """Count the model's runs by status."""
        counts: dict[str, int] = {}
        experiment = self.client.get_experiment_by_name(self.model)
        if experiment is None:
            return counts
        for run in self.client.search_runs([experiment.experiment_id]):
            counts[run.info.status] = counts.get(run.info.status, 0) + 1
        return counts

    def versions(self) -> list[str]:
        return [str(v.version) for v in self.client.search_model_versions(f"name='{self.model}'")]

    def lapse(self) -> None:
        """Let the time of every lease pass."""
        with self.database.engine.begin() as connection:
            connection.execute(text("UPDATE retrain_requests SET lease_until = 0"))

    def ask(self) -> None:
        with self.database.transaction() as stores:
            assert stores.requests.ask(
                RetrainRequest(
                    id=uuid4().hex,
                    model=self.model,
                    trigger=Trigger.MANUAL,
                    asked_by="tests",
                    asked_at=open_clock(self.settings).now(),
                )
            )


@pytest.fixture
def real(project: Path, mlflow_server: str) -> Iterator[Real]:
    model = f"m-{uuid4().hex[:10]}"
    toml = (project / "trimtab.toml").read_text().replace("models.late", f"models.{model}")
    (project / "trimtab.toml").write_text(
        f'{toml}\n[models.{model}.train]\ncandidates = ["logistic"]\nsearch.trials = 0\n'
        f"[platform]\nmlflow_port = {mlflow_server.rpartition(':')[2]}\n"
    )
    settings = load(project)
    database = open_database(settings.database_url)
    yield Real(settings, database, MlflowClient(tracking_uri=mlflow_server), model)
    database.close()


@contextmanager
def running(real: Real) -> Iterator["subprocess.Popen[bytes]"]:
    """A worker as the supervisor runs it."""
    worker = subprocess.Popen(
        [sys.executable, "-m", "trimtab_pipelines.worker", str(real.settings.folder)],
        env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"},
    )
    try:
        yield worker
    finally:
        worker.kill()
        worker.wait()


def descendants(pid: int) -> list[int]:
    """Give the living processes below one, its fork server and jobs included."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            parents[int(stat.parent.name)] = int(fields[1])
    found, frontier = [], [pid]
    while frontier:
        frontier = [child for child, parent in parents.items() if parent in frontier]
        found += frontier
    return found


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.mark.e2e
@pytest.mark.timeout(900)
def test_whenever_the_worker_is_killed_there_is_one_version_and_one_promotion_in_the_end(
    real: Real,
) -> None:
    for moment, signalled in (
        ("training started", signal.SIGTERM),
        ("version registered", signal.SIGKILL),
    ):
        before = real.events().count(moment)
        with running(real) as worker:
            until(lambda n=before, m=moment: real.events().count(m) > n, moment)  # type: ignore[misc]
            below = descendants(worker.pid)
            worker.send_signal(signalled)
            worker.wait(10)
            assert len(below) >= 2, "a fork server and a job"
            until(lambda pids=below: not any(map(is_alive, pids)), "the end of its children")  # type: ignore[misc]
        newest = real.newest()
        assert newest is not None
        assert newest.state is RequestState.RUNNING, "ended in the middle of it"
        if signalled == signal.SIGKILL:
            real.lapse()  # who ends in good order gives the lease back
    with running(real) as worker:
        until(lambda: "alias moved" in real.events(), "the alias")
        worker.terminate()
        assert worker.wait(10) == 0

    [promotion] = real.moves()
    assert real.versions() == [promotion.version]
    registry = open_registry(real.settings)
    assert registry.aliased(real.model, Alias.CHAMPION) == promotion.version
    assert "RUNNING" not in real.runs()
    assert real.events().count("version registered") == 1
    assert real.events().count("version promoted") == 1
    with real.database.transaction() as stores:
        assert stores.ledger.verify() > 0


@pytest.fixture
def workers(real: Real) -> Iterator[list[Worker]]:
    """Two workers in this process; their jobs are processes all the same."""
    pair = [open_worker(real.settings), open_worker(real.settings)]
    yield pair
    for worker in pair:
        worker.drop()


def step(workers: list[Worker]) -> Callable[[], None]:
    def both() -> None:
        for worker in workers:
            worker.step()

    return both


@pytest.mark.e2e
@pytest.mark.timeout(900)
def test_a_killed_job_is_begun_again_by_one_of_two_workers(
    real: Real, workers: list[Worker]
) -> None:
    both = step(workers)
    until(lambda: "training started" in real.events(), "a start", both)
    until(lambda: "RUNNING" in real.runs(), "its run", both)
    kill_job(workers)
    until(real.is_ended, "the end of the request", both)

    newest = real.newest()
    assert newest is not None
    assert newest.state is RequestState.PROMOTED
    until(lambda: "RUNNING" not in real.runs(), "the end of the dead training's run", both)
    [promotion] = real.moves()
    assert real.versions() == [promotion.version]
    assert real.events().count("training broken off") == 1
    assert real.events().count("training started") == 2, "one for the dead, one for the living"


@pytest.mark.e2e
@pytest.mark.timeout(900)
def test_a_job_that_dies_three_times_has_failed_though_it_never_came_to_training(
    real: Real, workers: list[Worker]
) -> None:
    worker = workers[0]
    for _ in range(3):
        until(
            lambda: worker.job is not None and worker.job.request is not None, "a job", worker.step
        )
        dead = kill_job([worker])
        until(lambda job=dead: worker.job is not job, "the notice of its death", worker.step)  # type: ignore[misc]

    newest = real.newest()
    assert newest is not None
    assert newest.state is RequestState.FAILED
    assert newest.reasons[-1] == "the training's process died (SIGKILL)"
    assert real.events().count("training broken off") == 2
    assert real.versions() == []


def kill_job(workers: list[Worker]) -> Job:
    """Kill the process of the one job that pursues a request, as the kernel does."""
    [job] = [worker.job for worker in workers if worker.job and worker.job.request]
    assert job.process.pid is not None
    os.kill(job.process.pid, signal.SIGKILL)
    job.process.join(10)
    return job


@pytest.mark.e2e
@pytest.mark.timeout(900)
def test_a_worker_whose_lease_was_taken_lets_go_of_its_job(
    real: Real, workers: list[Worker]
) -> None:
    first, second = workers
    until(lambda: first.job is not None and first.job.request is not None, "a job", first.step)
    assert first.job is not None
    process = first.job.process
    real.lapse()
    with real.database.transaction() as stores:
        assert stores.requests.claim([real.model], second.holder, LEASE) is not None
    first.job.renew_at = 0.0
    first.step()

    assert first.job is None
    assert not process.is_alive()
    newest = real.newest()
    assert newest is not None
    assert newest.state is RequestState.RUNNING, "it is the other one's now"


def test_without_mlflow_nothing_is_begun_and_nothing_is_lost(project: Path) -> None:
    (project / "trimtab.toml").write_text(
        (project / "trimtab.toml").read_text() + "\n[platform]\nmlflow_port = 9\n"
    )
    settings = load(project)
    worker = open_worker(settings, Away())
    for _ in range(3):
        worker.step()

    with worker.database.transaction() as stores:
        assert list(stores.requests.recent("late")) == []
    assert worker.job is None


class Away:
    """A registry that does not answer."""

    def versions(self, model: str) -> list[Any]:
        raise RegistryUnreachableError("http://127.0.0.1:9")

    def aliased(self, model: str, alias: Alias) -> str | None:
        raise RegistryUnreachableError("http://127.0.0.1:9")

    def point(self, model: str, alias: Alias, version: str | None) -> None:
        raise RegistryUnreachableError("http://127.0.0.1:9")

    def download(self, model: str, version: str, to: Path) -> Path:
        raise RegistryUnreachableError("http://127.0.0.1:9")


def test_a_dropped_job_can_be_claimed_at_once(project: Path, loop: Loop) -> None:
    loop.ask()
    with loop.database.transaction() as stores:
        stores.requests.renew("r1", "worker", timedelta(0))
    time.sleep(0.002)
    with loop.database.transaction() as stores:
        assert stores.requests.claim(["late"], "next", LEASE) is not None
