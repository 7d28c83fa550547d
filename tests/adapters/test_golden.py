from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skops.io

from trimtab.adapters.golden import (
    FILE,
    GPU_TOLERANCE_OF_NUMBERS,
    GPU_TOLERANCE_OF_SHARES,
    GoldenReport,
    replay_golden,
    write_golden,
)
from trimtab.adapters.predictor import MODEL_FILE, Predictor

from .conftest import MakeFolder


@pytest.mark.parametrize("learner", ["linear", "trees", "number"])
def test_a_copy_reproduces_the_golden_rows(
    make_folder: MakeFolder, rows: pd.DataFrame, learner: str
) -> None:
    folder = make_folder(learner)
    write_golden(folder, Predictor.load(folder, "cpu"), rows)

    report = replay_golden(folder, Predictor.load(folder, "cpu"))

    assert report.matches
    assert report.rows == 200
    assert "all 200 golden rows reproduced" in report.message


@pytest.mark.parametrize("learner", ["linear", "number"])
def test_a_model_that_was_changed_a_little_does_not_match(
    make_folder: MakeFolder, rows: pd.DataFrame, learner: str
) -> None:
    folder = make_folder(learner)
    write_golden(folder, Predictor.load(folder, "cpu"), rows)
    pipeline = skops.io.load(folder / MODEL_FILE)
    pipeline[-1].coef_ *= 1.001
    skops.io.dump(pipeline, folder / MODEL_FILE)

    report = replay_golden(folder, Predictor.load(folder, "cpu"))

    assert not report.matches
    assert report.differing > 100
    assert "golden rows differ by more than 1e-06" in report.message
    assert len(report.first) == 5
    assert report.message.endswith(", and more")


def test_the_rows_that_differ_are_named_with_their_difference(
    make_folder: MakeFolder, rows: pd.DataFrame
) -> None:
    folder = make_folder("linear")
    write_golden(folder, Predictor.load(folder, "cpu"), rows)
    kept = pd.read_parquet(folder / FILE)
    kept.loc[[7, 190], "(output 0)"] += [0.25, -0.5]
    kept.to_parquet(folder / FILE)

    report = replay_golden(folder, Predictor.load(folder, "cpu"))

    assert report.message == (
        "2 of 200 golden rows differ by more than 1e-06 (worst difference 5.0e-01): "
        "row 7 by 2.5e-01, row 190 by 5.0e-01"
    )


def test_an_answer_that_is_no_number_does_not_match(
    make_folder: MakeFolder, rows: pd.DataFrame
) -> None:
    folder = make_folder("number")
    write_golden(folder, Predictor.load(folder, "cpu"), rows)
    kept = pd.read_parquet(folder / FILE)
    kept.loc[3, "(output 0)"] = np.nan
    kept.to_parquet(folder / FILE)

    report = replay_golden(folder, Predictor.load(folder, "cpu"))

    assert report.differing == 1
    assert report.worst == np.inf


def test_another_number_of_classes_does_not_match(
    make_folder: MakeFolder, rows: pd.DataFrame
) -> None:
    folder, other = make_folder("linear"), make_folder("number")
    write_golden(folder, Predictor.load(folder, "cpu"), rows)

    assert replay_golden(folder, Predictor.load(other, "cpu")).differing == 200


def test_golden_rows_keep_nulls(make_folder: MakeFolder, rows: pd.DataFrame) -> None:
    folder = make_folder("trees")
    rows.loc[5, "temp [C]"] = np.nan
    write_golden(folder, Predictor.load(folder, "cpu"), rows)

    assert replay_golden(folder, Predictor.load(folder, "cpu")).matches


def test_no_golden_rows_are_no_proof(tmp_path: Path) -> None:
    report = GoldenReport(rows=0, differing=0, worst=0.0)

    assert not report.matches
    assert report.message == "there are no golden rows"


@pytest.mark.parametrize("trees", [100, 1000])
def test_the_order_in_which_leaves_are_added_moves_answers_by_less_than_a_gpu_may(
    trees: int,
) -> None:
    random = np.random.default_rng(trees)
    leaves = (random.normal(0, 10 / trees, (500, trees)) + random.normal(0, 1 / trees)).astype("f4")
    orders = [leaves, leaves[:, ::-1], random.permuted(leaves, axis=1)]
    # `cumsum` adds one after the other, as a predictor does; `sum` would add in pairs
    sums = np.array([order.cumsum(axis=1, dtype="f4")[:, -1] for order in orders], dtype=float)
    shares = 1 / (1 + np.exp(-sums))

    assert 0 < np.ptp(shares, axis=0).max() < GPU_TOLERANCE_OF_SHARES / 10
    assert np.ptp(sums, axis=0).max() < GPU_TOLERANCE_OF_NUMBERS / 4


@pytest.mark.parametrize(("learner", "allowed"), [("linear", 1e-5), ("number", 1e-4)])
def test_a_gpu_may_differ_more_than_the_cpu_and_not_much(
    make_folder: MakeFolder, rows: pd.DataFrame, learner: str, allowed: float
) -> None:
    folder = make_folder(learner)
    write_golden(folder, Predictor.load(folder, "cpu"), rows)
    kept = pd.read_parquet(folder / FILE)
    there = Predictor.load(folder, "cpu")
    there.device = "cuda:1"  # what it says of itself is all that counts here

    for factor, matches in ((0.5, True), (2.0, False)):
        numbers = kept["(output 0)"].abs().clip(lower=1.0) if learner == "number" else 1.0
        moved = kept.assign(**{"(output 0)": kept["(output 0)"] + factor * allowed * numbers})
        moved.to_parquet(folder / FILE)
        report = replay_golden(folder, there)
        assert (report.matches, report.tolerance) == (matches, allowed)
        assert not replay_golden(folder, Predictor.load(folder, "cpu")).matches
