from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from trimtab.adapters.frames import FrameError
from trimtab.adapters.predictor import MODEL_FILE, Predictor, UntrustedModelError

from .conftest import MakeFolder


@pytest.mark.parametrize("learner", ["linear", "trees"])
def test_a_classifier_answers_with_classes_and_their_probabilities(
    make_folder: MakeFolder, rows: pd.DataFrame, learner: str
) -> None:
    answers = Predictor.load(make_folder(learner), "cpu").predict(rows)

    assert answers.probabilities is not None
    assert answers.probabilities.shape == (200, 2)
    np.testing.assert_allclose(answers.probabilities.sum(axis=1), 1, atol=1e-6)
    late = answers.probabilities[:, 1] > 0.5
    assert answers.predictions == ["late" if is_late else "early" for is_late in late]
    is_late = (rows["temp [C]"] - 10 + 3 * (rows["origin"] == "JFK")) > 0
    assert (late == is_late).mean() > 0.9


def test_a_regressor_answers_with_numbers(make_folder: MakeFolder, rows: pd.DataFrame) -> None:
    answers = Predictor.load(make_folder("number"), "cpu").predict(rows)

    assert answers.probabilities is None
    assert all(type(value) is float for value in answers.predictions)


def test_one_row_gives_the_same_answer_as_many(make_folder: MakeFolder, rows: pd.DataFrame) -> None:
    predictor = Predictor.load(make_folder("trees"), "cpu")
    together = predictor.predict(rows).probabilities
    alone = predictor.predict(rows.iloc[[7]]).probabilities

    assert together is not None
    assert alone is not None
    np.testing.assert_array_equal(together[7], alone[0])


def test_the_order_of_the_columns_and_others_beside_them_do_not_matter(
    make_folder: MakeFolder, rows: pd.DataFrame
) -> None:
    predictor = Predictor.load(make_folder("linear"), "cpu")
    shuffled = rows[["origin", "temp [C]"]].assign(note="x")

    assert predictor.predict(shuffled).predictions == predictor.predict(rows).predictions


def test_a_missing_column_is_named(make_folder: MakeFolder, rows: pd.DataFrame) -> None:
    predictor = Predictor.load(make_folder("linear"), "cpu")

    with pytest.raises(FrameError, match="'origin' is missing"):
        predictor.predict(rows[["temp [C]"]])


def test_a_model_file_with_foreign_types_is_not_loaded(make_folder: MakeFolder) -> None:
    folder = make_folder("linear")
    skops.io.dump(Pipeline([("f", FunctionTransformer(Path.exists))]), folder / MODEL_FILE)

    with pytest.raises(UntrustedModelError, match="exists"):
        Predictor.load(folder)


def test_a_linear_model_runs_on_the_cpu_whatever_is_asked(make_folder: MakeFolder) -> None:
    predictor = Predictor.load(make_folder("linear"), "cuda")

    assert predictor.device == "cpu"
    assert "no GPU code" in predictor.device_note
