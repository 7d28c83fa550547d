"""Tasks without labels through the whole platform: trained, judged, served, watched."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from trimtab.adapters.clock import FileClock
from trimtab.adapters.opening import open_database
from trimtab.records.verdicts import FindingKind, Verdict, VerdictKind
from trimtab.settings import Environment, Settings, load

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.timeout(700)]

END = datetime(2019, 1, 7, tzinfo=UTC)
WINDOW = timedelta(hours=6)
MODELS = ("clustering", "anomaly", "embedding")
ROWS = 6 * 60
UP = [sys.executable, "-c", "from trimtab.cli import main; main()", "up"]


def machines(rows: int, until: datetime, seed: int) -> pd.DataFrame:
    """A row a minute of three kinds of machines; one in fifty runs hot."""
    random = np.random.default_rng(seed)
    kind = random.integers(0, 3, rows)
    heat = np.where(random.random(rows) < 0.02, 30.0, 0.0)
    return pd.DataFrame(
        {
            "at": [until - timedelta(minutes=n) for n in range(rows, 0, -1)],
            "speed": np.choose(kind, [10.0, 40.0, 80.0]) + random.normal(size=rows),
            "load": np.choose(kind, [3.0, 9.0, 6.0]) + random.normal(size=rows) / 4,
            "heat": 60 + heat + random.normal(size=rows),
        }
    )


@dataclass(frozen=True)
class Platform:
    """`trimtab up` in a world whose time stands still until it is moved."""

    settings: Settings
    clock: FileClock

    def ask(self, model: str, rows: pd.DataFrame) -> list[dict[str, Any]]:
        port = self.settings.model(model).serve.port
        body = {
            "rows": rows.drop(columns="at").to_dict("records"),
            "times": [moment.isoformat() for moment in rows["at"]],
        }
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/predict",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return list(json.load(answer)["predictions"])

    def serves(self) -> bool:
        with open_database(self.settings).transaction() as stores:
            seen = [stores.endpoints.get(model) for model in self.settings.project.models]
        return all(status is not None and status.version == "1" for status in seen)

    def verdict(self, model: str, start: datetime) -> Verdict | None:
        with open_database(self.settings).transaction() as stores:
            found = stores.verdicts.recent(model)
        return next((v for v in found if v.window.start == start), None)


@pytest.fixture(scope="module")
def platform(
    tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]
) -> Iterator[Platform]:
    folder = tmp_path_factory.mktemp("unlabelled")
    machines(6 * 24 * 60, END, seed=0).to_parquet(folder / "rows.parquet")
    models = "".join(
        f"""
[models.{task}]
task = "{task}"
source = "rows.parquet"
time = "at"

[models.{task}.monitor]
window = "6h"

[models.{task}.serve]
port = {free_port()}
"""
        for task in MODELS
    )
    (folder / "trimtab.toml").write_text(f"[platform]\nmlflow_port = {free_port()}\n{models}")
    clock = FileClock(folder / "clock")
    clock.set(END)
    settings = load(folder, Environment(clock=clock.path))
    with (folder / "up.txt").open("wb") as output:
        up = subprocess.Popen(
            UP,
            cwd=folder,
            env={**os.environ, "TRIMTAB_CLOCK": str(clock.path)},
            stdout=output,
            stderr=output,
        )
    try:
        running = Platform(settings, clock)
        wait_until(running.serves, up, folder / "up.txt")
        yield running
    finally:
        up.send_signal(signal.SIGINT)
        up.wait(60)


def wait_until(
    is_so: Callable[[], object],
    up: "subprocess.Popen[bytes] | None" = None,
    log: Path | None = None,
) -> None:
    deadline = time.monotonic() + 300
    while not is_so():
        said = log.read_text() if log else ""
        assert up is None or up.poll() is None, said
        assert time.monotonic() < deadline, said
        time.sleep(0.2)


@pytest.fixture(scope="module")
def verdicts(platform: Platform) -> dict[tuple[str, int], Verdict]:
    """One window as the training rows were, and one in which machines are of a new kind."""
    usual = machines(ROWS, END + WINDOW, seed=1)
    other = machines(ROWS, END + 2 * WINDOW, seed=2).assign(speed=60.0, load=9.5, heat=85.0)
    other[["speed", "load", "heat"]] += np.random.default_rng(3).normal(size=(ROWS, 3)) / 4
    found: dict[tuple[str, int], Verdict] = {}
    for number, rows in enumerate((usual, other)):
        for model in platform.settings.project.models:
            platform.ask(model, rows)
        platform.clock.set(END + (number + 1) * WINDOW + timedelta(minutes=10))
        for model in platform.settings.project.models:
            start = END + number * WINDOW
            wait_until(lambda m=model, s=start: platform.verdict(m, s))  # type: ignore[misc]
            verdict = platform.verdict(model, start)
            assert verdict is not None
            found[model, number] = verdict
    return found


def test_each_row_gets_its_cluster_and_the_distance_from_its_centre(platform: Platform) -> None:
    rows = machines(300, END, seed=4)
    answers = platform.ask("clustering", rows.assign(heat=60.0))
    kinds = np.digitize(rows["speed"], [25, 60])

    assert {tuple(answer) for answer in answers} == {("prediction_id", "prediction", "distance")}
    pairs = {(int(kind), answer["prediction"]) for kind, answer in zip(kinds, answers, strict=True)}
    assert len({cluster for _, cluster in pairs}) >= 3
    assert len(pairs) == len({cluster for _, cluster in pairs}), "no cluster mixes two kinds"
    far = platform.ask("clustering", rows.head(1).assign(speed=200.0))
    assert far[0]["distance"] > 3 * max(answer["distance"] for answer in answers)


def test_what_is_odd_is_called_an_anomaly(platform: Platform) -> None:
    rows = machines(300, END, seed=5).assign(heat=60.0)
    usual = platform.ask("anomaly", rows)
    odd = platform.ask("anomaly", rows.head(20).assign(heat=95.0, speed=120.0))

    assert {tuple(answer) for answer in usual} == {("prediction_id", "prediction", "is_anomaly")}
    assert np.mean([answer["is_anomaly"] for answer in usual]) < 0.1
    assert all(answer["is_anomaly"] for answer in odd)
    assert min(a["prediction"] for a in odd) > np.median([a["prediction"] for a in usual])


def test_a_row_gets_its_place_and_what_is_lost_of_it(platform: Platform) -> None:
    rows = machines(300, END, seed=6).assign(heat=60.0)
    usual = platform.ask("embedding", rows)
    odd = platform.ask("embedding", rows.head(20).assign(speed=10.0, load=9.0, heat=95.0))

    wanted = ("prediction_id", "prediction", "reconstruction_error")
    assert {tuple(answer) for answer in usual} == {wanted}
    assert {len(answer["prediction"]) for answer in usual} == {2}
    lost = [answer["reconstruction_error"] for answer in usual]
    assert np.mean(lost) < 1.0
    assert np.mean([answer["reconstruction_error"] for answer in odd]) > 3 * np.mean(lost)


def test_the_gate_says_what_the_first_version_has_beaten(platform: Platform) -> None:
    with open_database(platform.settings).transaction() as stores:
        reasons = {m: stores.promotions.history(m)[0].reasons for m in MODELS}

    assert "ambiguity" in " ".join(reasons["clustering"])
    assert "rate_shift" in " ".join(reasons["anomaly"])
    assert "reconstruction_error" in " ".join(reasons["embedding"])


@pytest.mark.parametrize(
    ("model", "beside"),
    [("clustering", ["(distance)"]), ("anomaly", ["(anomaly)"]), ("embedding", [])],
)
def test_answers_are_watched_as_columns_beside_the_inputs(
    verdicts: dict[tuple[str, int], Verdict], model: str, beside: list[str]
) -> None:
    usual, other = verdicts[model, 0], verdicts[model, 1]

    inputs = {"speed", "load", "heat"}
    assert {f.column for f in usual.findings} == {*inputs, *beside, "(output)", "(together)"}
    assert usual.kind is VerdictKind.STABLE
    assert other.kind in (VerdictKind.DRIFT, VerdictKind.BROKEN_DATA)
    moved = {f.column for f in other.findings if f.kind is not FindingKind.STABLE}
    assert moved >= {*beside, "(output)"}
    assert usual.quality is None
