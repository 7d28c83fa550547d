import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, log_loss

from trimtab.policy.losses import class_indices, losses
from trimtab.records.contracts import Contract, Task
from trimtab.records.schema import Schema


def contract(task: Task, classes: tuple[bool | int | str, ...] = ()) -> Contract:
    return Contract(model="m", task=task, target="y", schema=Schema(columns=()), classes=classes)


BINARY = contract(Task.BINARY, (False, True))
COLOURS = contract(Task.MULTICLASS, ("blue", "green", "red"))
NUMBER = contract(Task.REGRESSION)
shares = st.floats(0, 1)


@given(st.lists(st.tuples(shares, st.booleans()), min_size=2, max_size=50))
def test_binary_losses_are_those_of_scikit_learn(rows: list[tuple[float, bool]]) -> None:
    said = np.array([p for p, _ in rows])
    truth = [label for _, label in rows]
    both = np.column_stack([1 - said, said])
    clipped = np.clip(both, 1e-7, 1 - 1e-7)

    found = losses("log_loss", BINARY, both, [], truth).mean()
    assert found == pytest.approx(log_loss(truth, clipped, labels=[False, True]), abs=1e-6)
    found = losses("brier", BINARY, both, [], truth).mean()
    assert found == pytest.approx(brier_score_loss(truth, said, pos_label=True), abs=1e-9)


@given(st.lists(st.tuples(shares, shares, st.integers(0, 2)), min_size=1, max_size=30))
def test_multiclass_brier_is_the_distance_from_the_truth(
    rows: list[tuple[float, float, int]],
) -> None:
    said = np.array([[a, b, 1.0] for a, b, _ in rows])
    said /= said.sum(axis=1, keepdims=True)
    truth = [COLOURS.classes[index] for _, _, index in rows]
    distance = ((said - np.eye(3)[[index for _, _, index in rows]]) ** 2).sum(axis=1)

    np.testing.assert_allclose(losses("brier", COLOURS, said, [], truth), distance, atol=1e-12)


def test_one_sure_and_wrong_answer_costs_much_and_not_infinity() -> None:
    found = losses("log_loss", BINARY, np.array([[1.0, 0.0]]), [], [True])

    assert found.tolist() == pytest.approx([16.118], abs=1e-3)


@pytest.mark.parametrize("label", [True, 1, 1.0, "1", "true", "True", np.True_, np.int64(1)])
def test_a_class_is_known_however_it_was_written(label: object) -> None:
    assert class_indices(BINARY, [label]).tolist() == [1.0]


@pytest.mark.parametrize("label", [None, float("nan"), "yes", 2])
def test_a_label_that_is_no_class_has_no_loss(label: object) -> None:
    found = losses("log_loss", BINARY, np.array([[0.5, 0.5]] * 2), [], [label, False])

    assert np.isnan(found).tolist() == [True, False]


def test_errors_of_numbers_are_squared_or_absolute() -> None:
    said, truth = [1.0, 2.0, 3.0], ["3", 2.0, None]

    np.testing.assert_equal(losses("squared_error", NUMBER, None, said, truth), [4, 0, np.nan])
    np.testing.assert_equal(losses("absolute_error", NUMBER, None, said, truth), [2, 0, np.nan])


@pytest.mark.parametrize(
    ("metric", "of"), [("log_loss", NUMBER), ("squared_error", BINARY), ("auc", BINARY)]
)
def test_a_metric_that_does_not_fit_the_task_is_an_error(metric: str, of: Contract) -> None:
    with pytest.raises(ValueError, match="is no loss of a"):
        losses(metric, of, None, [1.0], [1.0])
