"""The same version on a GPU: the trainer's answers, within what a GPU may differ."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from trimtab.adapters.cuda_driver import CudaDriver
from trimtab.adapters.golden import replay_golden
from trimtab.adapters.predictor import Predictor
from trimtab.records.contracts import Task
from trimtab.records.devices import is_gpu

pytestmark = pytest.mark.gpu
Version = Callable[[Task, int], Path]
Rows = Callable[[int], pd.DataFrame]


@pytest.mark.parametrize("task", list(Task))
@pytest.mark.parametrize("trees", [20, 500])
def test_the_golden_rows_are_reproduced_on_every_gpu(
    gpu: CudaDriver, version: Version, task: Task, trees: int
) -> None:
    folder = version(task, trees)
    for ordinal in range(gpu.count):
        predictor = Predictor.load(folder, f"cuda:{ordinal}")
        assert predictor.device == f"cuda:{ordinal}", predictor.device_note
        for copy in (predictor, predictor.lowered()):
            report = replay_golden(folder, copy)
            assert report.matches, report.message
            print(f"{task}, {trees} trees, cuda:{ordinal}: {report.message}")  # noqa: T201  # for docs


def test_a_row_gets_the_same_answer_alone_and_among_others(
    gpu: CudaDriver, version: Version, rows: Rows
) -> None:
    predictor = Predictor.load(version(Task.BINARY, 100), "auto")
    together = predictor.predict(rows(500)).probabilities
    alone = predictor.predict(rows(500).iloc[[7]]).probabilities

    assert is_gpu(predictor.device), predictor.device_note
    assert together is not None
    assert alone is not None
    np.testing.assert_array_equal(together[7], alone[0])


def test_a_gpu_that_is_not_there_leaves_the_cpu(gpu: CudaDriver, version: Version) -> None:
    predictor = Predictor.load(version(Task.BINARY, 20), f"cuda:{gpu.count}")

    assert predictor.device == "cpu"
    assert f"{gpu.count} GPUs" in predictor.device_note


def test_a_hundred_swaps_leave_no_memory_behind(
    gpu: CudaDriver, version: Version, rows: Rows
) -> None:
    folder, asked = version(Task.BINARY, 100), rows(1000)
    Predictor.load(folder, "cuda").predict(asked)
    before = gpu.free_bytes(0)
    for _ in range(100):
        Predictor.load(folder, "cuda").predict(asked)

    assert before - gpu.free_bytes(0) < 64 << 20


def test_what_a_version_takes_is_within_its_budget(
    gpu: CudaDriver, version: Version, rows: Rows
) -> None:
    from trimtab.adapters.device import bytes_needed
    from trimtab.adapters.predictor import MODEL_FILE

    folder = version(Task.MULTICLASS, 500)
    before = gpu.free_bytes(0)
    predictor = Predictor.load(folder, "cuda")
    predictor.predict(rows(1000))

    assert before - gpu.free_bytes(0) <= bytes_needed((folder / MODEL_FILE).stat().st_size)
