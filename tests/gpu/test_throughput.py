"""How many rows a second a GPU and the CPU answer; the table goes into docs/benchmarks.md."""

import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from trimtab.adapters.cuda_driver import CudaDriver
from trimtab.adapters.predictor import Predictor
from trimtab.records.contracts import Task

pytestmark = pytest.mark.gpu
SECONDS = 1.0


def rows_per_second(predictor: Predictor, rows: pd.DataFrame) -> float:
    predictor.predict(rows)
    started, done = time.perf_counter(), 0
    while (passed := time.perf_counter() - started) < SECONDS:
        predictor.predict(rows)
        done += len(rows)
    return done / passed


@pytest.mark.parametrize("trees", [100, 1000])
def test_rows_a_second(
    gpu: CudaDriver,
    version: Callable[[Task, int], Path],
    rows: Callable[[int], pd.DataFrame],
    trees: int,
) -> None:
    folder = version(Task.BINARY, trees)
    found = {
        (device, count): rows_per_second(Predictor.load(folder, device), rows(count))
        for device in ("cpu", "cuda")
        for count in (1, 100, 1000, 100_000)
    }
    print(f"\n| {trees} trees, rows a request | CPU, rows/s | GPU, rows/s |\n| --- | --- | --- |")  # noqa: T201  # the result
    for count in (1, 100, 1000, 100_000):
        cpu, cuda = found["cpu", count], found["cuda", count]
        print(f"| {count} | {cpu:,.0f} | {cuda:,.0f} |")  # noqa: T201  # the result

    # Ten million nodes to walk are what a GPU is for; fewer may well be the CPU's.
    if trees == 1000:
        assert found["cuda", 100_000] > found["cpu", 100_000]
