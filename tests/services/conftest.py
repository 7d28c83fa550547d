"""Real versions, small enough to be made in a second, and bentos built from them."""

import http.client
import json
import shutil
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from trimtab.adapters.golden import write_golden
from trimtab.adapters.manifest import verify_manifest, write_manifest
from trimtab.adapters.predictor import Predictor
from trimtab.policy.serving import plan_serving
from trimtab.records.contracts import Contract, Task
from trimtab.records.documents import to_json
from trimtab.records.keys import Admission
from trimtab.records.plans import Cost
from trimtab.records.schema import Column, ColumnType, Schema
from trimtab.records.versions import ModelVersion
from trimtab.settings import Environment, Settings, load
from trimtab.testing.memory_registry import MemoryRegistry
from trimtab_pipelines.preparation import for_linear
from trimtab_services.bento import build
from trimtab_services.bundle import (
    VERSION_FOLDER,
    Bundle,
    installed_code,
    write_bundle,
    write_plan,
)
from trimtab_services.children import Host
from trimtab_services.keys import write_admission
from trimtab_services.nursery import Channel, Nursery
from trimtab_services.orders import HostReport
from trimtab_services.pointer import Pointer

MODEL = "late-arrival"
JSON = "application/json"
COLUMNS = (
    Column(name="temp °C", type=ColumnType.DOUBLE, required=True),
    Column(name="model_age", type=ColumnType.LONG, required=True),
    Column(name="class", type=ColumnType.STRING, required=True),
    Column(name="_wind.gust", type=ColumnType.DOUBLE, required=False),
    Column(name="is holiday", type=ColumnType.BOOLEAN, required=True),
    Column(name="seats", type=ColumnType.INTEGER, required=True),
    Column(name="json", type=ColumnType.FLOAT, required=True),
    Column(name="scheduled", type=ColumnType.DATETIME, required=True),
)
"""Names that trip code generators: spaces, dots, keywords, pydantic's own words."""


def contract(task: Task = Task.BINARY, columns: tuple[Column, ...] = COLUMNS) -> Contract:
    classes: tuple[bool | int | str, ...] = (
        (False, True) if task is Task.BINARY else ("a", "b", "c")
    )
    return Contract(
        model=MODEL,
        task=task,
        target="late",
        schema=Schema(columns=columns),
        classes=classes if task.is_classification else (),
    )


def a_row(**changes: object) -> dict[str, object]:
    row: dict[str, object] = {
        "temp °C": 11.5,
        "model_age": 7,
        "class": "JFK",
        "_wind.gust": None,
        "is holiday": False,
        "seats": 180,
        "json": 0.25,
        "scheduled": "2013-04-01T12:00:00Z",
    }
    return {**row, **changes}


def training_rows(count: int, seed: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    start = pd.Timestamp("2013-01-01")
    return pd.DataFrame(
        {
            "temp °C": random.normal(10, 8, count),
            "model_age": random.integers(0, 30, count),
            "class": random.choice(["JFK", "LGA", "EWR"], count),
            "_wind.gust": np.where(random.random(count) < 0.3, np.nan, random.gamma(2, 5, count)),
            "is holiday": random.random(count) < 0.1,
            "seats": random.integers(50, 400, count).astype("int32"),
            "json": random.random(count).astype("float32"),
            "scheduled": start + pd.to_timedelta(random.integers(0, 90 * 24, count), unit="h"),
        }
    )


def make_version(
    folder: Path,
    seed: int = 0,
    task: Task = Task.BINARY,
    extra: bool = False,
    is_strict: bool = False,
) -> str:
    """Train, and write a version folder, and beside it the plan as in a bento.

    Different seeds answer differently; one that is strict fails where the class is unknown to it.
    """
    frame = training_rows(400, seed)
    columns: tuple[Column, ...] = COLUMNS
    if extra:
        frame["humidity"] = 0.5
        columns = (*COLUMNS, Column(name="humidity", type=ColumnType.DOUBLE, required=True))
    promise = contract(task, columns)
    score = frame["temp °C"] * (seed + 1) / 10 + frame["model_age"] / 10
    targets: Any = {
        Task.BINARY: score > score.median(),
        Task.MULTICLASS: pd.qcut(score, 3, labels=["a", "b", "c"]).astype(str),
        Task.REGRESSION: score,
    }[task]
    learner = Ridge() if task is Task.REGRESSION else LogisticRegression(max_iter=300)
    preparation = for_linear(promise.schema, frame)
    if is_strict:
        known = OneHotEncoder(handle_unknown="error")
        preparation = make_column_transformer((known, ["class"]), (StandardScaler(), ["seats"]))
    pipeline = make_pipeline(preparation, learner).fit(frame, targets)
    folder.mkdir(parents=True)
    skops.io.dump(pipeline, folder / "model.skops")
    (folder / "contract.json").write_bytes(to_json(promise))
    (folder / "requirements.txt").write_text("")
    golden = training_rows(100, seed + 1000).assign(humidity=0.5)
    write_golden(folder, Predictor.load(folder, "cpu"), golden)
    cost = Cost(one_row=20, sixteen_rows=40)
    write_plan(folder.parent, plan_serving(Cost(one_row=4000, sixteen_rows=4000), cost))
    return write_manifest(folder)


@pytest.fixture
def bento_source(tmp_path: Path) -> Path:
    """What lies in a bento's `src`, as far as the endpoint reads it: version 1."""
    folder = tmp_path / "src"
    folder.mkdir()
    bundle = Bundle(
        model=MODEL,
        version="1",
        manifest_sha256=make_version(folder / VERSION_FOLDER),
        code_sha256="",
        requirements=("numpy==2",),
        device="cpu",
        max_rows=100,
    )
    write_bundle(folder, bundle)
    return folder


@dataclass(frozen=True)
class Shelf:
    """A project with versions that are registered, and their bentos."""

    settings: Settings
    registry: MemoryRegistry
    hashes: dict[str, str]
    files: Path
    prover: Channel

    def add(self, version: str, sha256: str, files: Path) -> None:
        self.hashes[version] = sha256
        self.registry.add(
            ModelVersion(
                model=MODEL,
                version=version,
                run_id="run",
                trained_until=datetime(2013, 4, 1, tzinfo=UTC),
                manifest_sha256=sha256,
            ),
            files,
        )

    def lend(self, settings: Settings, *versions: str) -> None:
        """Copy built bentos into another home."""
        for version in versions:
            shutil.copytree(self.bento(version), settings.home.bento(MODEL, version))

    def bento(self, version: str) -> Path:
        sha256 = self.hashes[version]
        return build(self.settings, self.registry, MODEL, version, sha256, self.prover)


def make_project(folder: Path, port: int = 3000) -> Settings:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "trimtab.toml").write_text(
        f'[models.{MODEL}]\ntask = "binary"\nsource = "rows.csv"\ntarget = "late"\n'
        f'[models.{MODEL}.serve]\nport = {port}\ndevice = "cpu"\nmax_rows = 100\n'
    )
    return load(folder, Environment(home=folder / "home"))


@pytest.fixture(scope="session")
def promise() -> Callable[..., Contract]:
    """A contract with names that trip code generators."""
    return contract


@pytest.fixture(scope="session")
def row() -> Callable[..., dict[str, object]]:
    """A row that fits the contract, with changes."""
    return a_row


@pytest.fixture(scope="session")
def version_files() -> Callable[..., str]:
    """Trains, writes a version folder and gives the hash of its manifest."""
    return make_version


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """One that is warm."""
    nursery = Nursery()
    wait_until(lambda: nursery.fits(installed_code()), "the nursery to be warm")
    yield nursery
    nursery.end()


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory, nursery: Nursery) -> Shelf:
    """Versions 1 and 2 answer differently, 3 has one more column."""
    folder = tmp_path_factory.mktemp("shelf")
    registry, prover = MemoryRegistry(verify_manifest), Channel(nursery.another_channel())
    shelf = Shelf(make_project(folder / "project"), registry, {}, folder, prover)
    for version, seed, extra in (("1", 0, False), ("2", 50, False), ("3", 3, True)):
        files = folder / "versions" / version
        shelf.add(version, make_version(files, seed, extra=extra), files)
    return shelf


@dataclass(frozen=True)
class Caller:
    """Calls an endpoint the way people do."""

    port: int

    def call(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] = {}
    ) -> tuple[int, bytes, Mapping[str, str]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            return answer.status, answer.read(), {k.lower(): v for k, v in answer.getheaders()}
        finally:
            connection.close()

    @property
    def is_ready(self) -> bool:
        try:
            return self.call("GET", "/readyz")[0] == 200
        except OSError:
            return False

    def predict(self, body: bytes, **headers: str) -> tuple[int, dict[str, Any]]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        status, answer, _ = self.call("POST", "/predict", body, {"content-type": JSON, **named})
        return status, json.loads(answer)


def free_socket() -> socket.socket:
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(100)
    return listening


@dataclass(frozen=True)
class Live:
    """An endpoint's process that serves, and its caller."""

    host: Host
    caller: Caller
    settings: Settings

    def hear(self) -> HostReport:
        """Wait for the next thing it says."""
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            for report in self.host.reports():
                return report
            time.sleep(0.02)
        raise TimeoutError("the endpoint's process said nothing")


@contextmanager
def serving(shelf: Shelf, version: str, settings: Settings) -> Iterator[Live]:
    pointer = Pointer(
        epoch=1,
        version=version,
        manifest_sha256=shelf.hashes[version],
        bento=shelf.bento(version),
    )
    write_admission(settings.home.keys(MODEL), Admission(closed=False))
    with free_socket() as listening:
        host = Host.start(settings, MODEL, pointer, listening)
        host.accept()
        live = Live(host, Caller(listening.getsockname()[1]), settings)
        try:
            yield live
        finally:
            host.end()
            host.wait(15)


@pytest.fixture(scope="session")
def live(shelf: Shelf, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Version 1, served and captured."""
    settings = make_project(tmp_path_factory.mktemp("live"))
    with serving(shelf, "1", settings) as live:
        assert live.hear().refused is None
        yield live


@pytest.fixture(scope="session")
def wait() -> Callable[..., None]:
    """Waits until something is so, with a deadline."""
    return wait_until


@pytest.fixture(scope="session")
def caller() -> type[Caller]:
    """Makes a caller of a port."""
    return Caller


@pytest.fixture(scope="session")
def project(free_port: Callable[[], int]) -> Callable[[Path], Settings]:
    """Makes a project that serves on a free port."""

    def make(folder: Path) -> Settings:
        return make_project(folder, free_port())

    return make


def wait_until(is_so: Callable[[], Any], what: str, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(0.02)
