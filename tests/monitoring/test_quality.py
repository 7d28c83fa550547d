"""The measured loss of a window, against what the version promised."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from trimtab.policy.quality import measure
from trimtab.policy.watched import WatchedVersion, frame_of
from trimtab.records.contracts import Contract, Task
from trimtab.records.documents import from_json, to_json
from trimtab.records.labels import Label
from trimtab.records.quality import Quality, QualityPromise
from trimtab.records.reference import OUTPUT

if TYPE_CHECKING:
    from tests.monitoring.conftest import Lab

NOON = datetime(2013, 4, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def answers(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "prediction_id": [f"id-{i}" for i in range(len(frame))],
            "key": [f"key-{i}" for i in range(len(frame))],
            "time": [NOON + i * MINUTE for i in range(len(frame))],
            "prediction": ["1" if late > 0.5 else "0" for late in frame[OUTPUT]],
            "probabilities": [[1 - late, late] for late in frame[OUTPUT]],
        }
    )


def labels(values: list[str], *, prefix: str = "key") -> dict[str, Label]:
    return {
        f"{prefix}-{i}": Label(key=f"{prefix}-{i}", value=value, known_at=NOON)
        for i, value in enumerate(values)
    }


def test_answers_as_good_as_promised_are_well(lab: Lab, watched: WatchedVersion) -> None:
    frame = lab.traffic(400, seed=1)

    found = measure(
        lab.contract, watched.reference, answers(frame), frame, labels(lab.truth(frame, seed=2))
    )

    assert found is not None
    assert not found.is_worse
    assert (found.metric, found.labelled, found.completeness) == ("log_loss", 400, 1.0)


def test_answers_that_no_longer_fit_the_world_are_worse(lab: Lab, watched: WatchedVersion) -> None:
    frame = lab.traffic(400, seed=1)
    other_world = frame.assign(**{OUTPUT: 1 - frame[OUTPUT]})

    found = measure(
        lab.contract,
        watched.reference,
        answers(frame),
        frame,
        labels(lab.truth(other_world, seed=2)),
    )

    assert found is not None
    assert found.is_worse


def test_the_value_is_the_mean_loss_of_the_labelled_rows(lab: Lab, watched: WatchedVersion) -> None:
    frame = lab.traffic(400, seed=1)
    truth = lab.truth(frame, seed=2)[:300]
    late = frame[OUTPUT].to_numpy()[:300]
    expected = -np.mean(np.log(np.where(np.array(truth) == "1", late, 1 - late)))

    found = measure(lab.contract, watched.reference, answers(frame), frame, labels(truth))

    assert found is not None
    assert found.value == pytest.approx(expected)
    assert found.completeness == 0.75


def test_too_few_labels_prove_nothing(lab: Lab, watched: WatchedVersion) -> None:
    frame = lab.traffic(400, seed=1)

    found = measure(lab.contract, watched.reference, answers(frame), frame, labels(["0"] * 199))

    assert found is not None
    assert (found.value, found.labelled, found.is_worse) == (None, 199, False)


def test_labels_that_are_no_class_do_not_count(lab: Lab, watched: WatchedVersion) -> None:
    frame = lab.traffic(400, seed=1)

    found = measure(lab.contract, watched.reference, answers(frame), frame, labels(["maybe"] * 400))

    assert found is not None
    assert (found.value, found.labelled, found.completeness) == (None, 0, 0.0)


def test_fewer_labels_widen_the_limit(lab: Lab, watched: WatchedVersion) -> None:
    frame = lab.traffic(400, seed=1)
    truth = lab.truth(frame, seed=2)

    few, all_ = (
        measure(lab.contract, watched.reference, answers(frame), frame, labels(truth[:n]))
        for n in (200, 400)
    )

    assert few is not None
    assert all_ is not None
    assert few.limit > all_.limit


def test_a_row_without_a_key_goes_by_its_prediction_id(lab: Lab, watched: WatchedVersion) -> None:
    frame = lab.traffic(300, seed=1)
    keyless = answers(frame).assign(key=None)

    found = measure(
        lab.contract,
        watched.reference,
        keyless,
        frame,
        labels(lab.truth(frame, seed=2), prefix="id"),
    )

    assert found is not None
    assert found.labelled == 300


def test_a_version_that_promised_nothing_is_not_measured(lab: Lab, watched: WatchedVersion) -> None:
    frame = lab.traffic(300, seed=1)

    assert (
        measure(lab.contract, replace(watched.reference, quality=None), answers(frame), frame, {})
        is None
    )


def test_a_regression_is_measured_by_its_errors(lab: Lab, watched: WatchedVersion) -> None:
    contract = Contract(
        model="delay", task=Task.REGRESSION, target="delay", schema=lab.contract.schema
    )
    promise = QualityPromise(metric="absolute_error", expected=1.0, limit=1.5)
    frame = lab.traffic(300, seed=1)
    rows = answers(frame).assign(prediction=10.0, probabilities=None)
    reference = replace(watched.reference, quality=promise, estimator=None)

    found = measure(contract, reference, rows, frame, labels(["12"] * 300))

    assert found is not None
    assert found.value == 2.0
    assert found.is_worse


@pytest.mark.parametrize(
    ("task", "classes", "prediction", "probabilities", "output"),
    [
        (Task.BINARY, (0, 1), "1", [0.3, 0.7], 0.7),
        (Task.MULTICLASS, ("a", "b", "c"), "b", [0.1, 0.8, 0.1], "b"),
        (Task.MULTICLASS, (1, 2, 3), "2.0", [0.1, 0.8, 0.1], "2"),
        (Task.REGRESSION, (), 3.5, None, 3.5),
    ],
)
def test_the_output_is_what_the_reference_summarises(
    task: Task,
    classes: tuple[int | str, ...],
    prediction: object,
    probabilities: list[float] | None,
    output: object,
    lab: Lab,
) -> None:
    contract = Contract(
        model="m", task=task, target="y", schema=lab.contract.schema, classes=classes
    )
    rows = pd.DataFrame({"prediction": [prediction], "probabilities": [probabilities]})

    assert frame_of(contract, rows, pd.DataFrame({"wind": [1.0]}))[OUTPUT].tolist() == [output]


def broken_answers(frame: pd.DataFrame) -> pd.DataFrame:
    """Every third answer has no probabilities that can be used."""
    odd: list[object] = [None, [0.5], [float("nan"), float("nan")]]
    table = [
        odd[i // 3 % 3] if i % 3 == 0 else [1 - late, late] for i, late in enumerate(frame[OUTPUT])
    ]
    return answers(frame).assign(probabilities=pd.Series(table, dtype=object))


def test_answers_without_probabilities_are_neither_measured_nor_estimated(
    lab: Lab, watched: WatchedVersion
) -> None:
    frame = lab.traffic(600, seed=1)

    found = measure(
        lab.contract,
        watched.reference,
        broken_answers(frame),
        frame,
        labels(lab.truth(frame, seed=2)),
    )

    assert found is not None
    assert found.labelled == 400
    assert found.value is not None
    assert found.estimate is not None
    assert found.estimate.rows == 400
    assert found.estimate.grade is not None


@pytest.mark.parametrize("rows", [1, 199])
def test_too_few_rows_are_not_estimated(lab: Lab, watched: WatchedVersion, rows: int) -> None:
    frame = lab.traffic(rows, seed=1)

    found = measure(lab.contract, watched.reference, answers(frame), frame, {})

    assert found is not None
    assert found.estimate is None


def test_labels_of_one_class_are_measured_as_they_are(lab: Lab, watched: WatchedVersion) -> None:
    frame = lab.traffic(400, seed=1)

    found = measure(lab.contract, watched.reference, answers(frame), frame, labels(["1"] * 400))

    assert found is not None
    assert found.is_worse
    assert found.estimate is not None
    assert found.estimate.grade is not None
    assert not found.estimate.grade.held


def test_inputs_that_were_withheld_have_no_slices(lab: Lab, watched: WatchedVersion) -> None:
    frame = lab.traffic(400, seed=1)

    found = measure(
        lab.contract,
        watched.reference,
        answers(frame),
        frame.assign(carrier="3fa9"),
        labels(lab.truth(frame, seed=2)),
        withheld={"carrier": "kept as a hash"},
    )

    assert found is not None
    names = {part.name for part in found.slices}
    assert "holiday=true" in names
    assert not any(name.startswith("carrier") for name in names)


def test_a_version_without_an_estimator_is_still_measured(
    lab: Lab, watched: WatchedVersion
) -> None:
    frame = lab.traffic(400, seed=1)
    old = replace(watched.reference, estimator=None)

    found = measure(lab.contract, old, answers(frame), frame, labels(lab.truth(frame, seed=2)))

    assert found is not None
    assert found.value is not None
    assert found.estimate is None


def test_what_is_found_is_the_same_after_it_was_stored(lab: Lab, watched: WatchedVersion) -> None:
    frame = lab.traffic(400, seed=1)

    found = measure(
        lab.contract, watched.reference, answers(frame), frame, labels(lab.truth(frame, seed=2))
    )

    assert found is not None
    assert from_json(Quality, to_json(found)) == found  # else each look back would find a change


def test_quality_that_was_stored_before_there_were_estimates_can_be_read() -> None:
    stored = (
        '{"metric": "log_loss", "value": 0.4, "limit": 0.5, "labelled": 9, "completeness": 0.9}'
    )
    promised = '{"metric": "log_loss", "expected": 0.4, "limit": 0.5}'

    assert not from_json(Quality, stored).is_worse
    assert from_json(QualityPromise, promised).slices == ()
