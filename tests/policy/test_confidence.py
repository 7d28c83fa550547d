"""Expected losses from probabilities: unbiased where those are calibrated, mended where not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.policy.calibration import (
    Learn,
    calibrated,
    fit_curves,
    isotonic,
    miscalibration,
    sigmoid,
)
from trimtab.policy.confidence import expected_confusion, expected_losses
from trimtab.policy.losses import losses, losses_by_class
from trimtab.records.contracts import Contract, Task
from trimtab.records.schema import Schema

METRICS = st.sampled_from(["log_loss", "brier"])
LEARN = st.sampled_from([isotonic, sigmoid])


def contract(classes: int) -> Contract:
    task = Task.BINARY if classes == 2 else Task.MULTICLASS
    return Contract(
        model="m", task=task, target="y", schema=Schema(columns=()), classes=tuple(range(classes))
    )


def drawn(
    rows: int, classes: int, rng: np.random.Generator, *, sure: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that are what they say, and what then happened."""
    table = rng.dirichlet(np.full(classes, sure), size=rows)
    happened = (rng.uniform(size=(rows, 1)) > table.cumsum(axis=1)[:, :-1]).sum(axis=1)
    return table, happened.astype(float)


def overconfident(table: np.ndarray, by: float = 2.5) -> np.ndarray:
    sharper = np.asarray(table**by)
    return np.asarray(sharper / sharper.sum(axis=1, keepdims=True))


@settings(max_examples=40, deadline=None)
@given(
    classes=st.integers(2, 5),
    metric=METRICS,
    sure=st.floats(0.3, 4),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_estimate_of_calibrated_probabilities_is_unbiased(
    classes: int, metric: str, sure: float, seed: int
) -> None:
    table, happened = drawn(4000, classes, np.random.default_rng(seed), sure=sure)
    measured = losses(metric, contract(classes), table, happened, happened.astype(int))

    missed = expected_losses(metric, (), table) - measured

    assert abs(missed.mean()) <= 5.5 * missed.std() / np.sqrt(len(missed))


@pytest.mark.parametrize("learn", [isotonic, sigmoid])
@pytest.mark.parametrize("classes", [2, 4])
def test_curves_mend_what_probabilities_claim_too_much(classes: int, learn: Learn) -> None:
    rng = np.random.default_rng(0)
    honest, happened = drawn(20_000, classes, rng)
    claimed = overconfident(honest)
    measured = losses("log_loss", contract(classes), claimed, happened, happened.astype(int))
    past, now = slice(0, 10_000), slice(10_000, None)

    curves = fit_curves(learn, claimed[past], happened[past])

    as_is = expected_losses("log_loss", (), claimed[now]).mean()
    mended = expected_losses("log_loss", curves, claimed[now]).mean()
    truth = measured[now].mean()
    assert abs(mended - truth) < 0.15 * abs(as_is - truth)
    assert miscalibration(curves, claimed[now], happened[now]) < miscalibration(
        (), claimed[now], happened[now]
    )


@settings(max_examples=60, deadline=None)
@given(
    classes=st.integers(2, 4),
    seed=st.integers(0, 2**32 - 1),
    rounding=st.sampled_from([1, 2, 12]),
    learn=LEARN,
)
def test_a_curve_never_falls_and_spans_the_mean(
    classes: int, seed: int, rounding: int, learn: Learn
) -> None:
    table, happened = drawn(600, classes, np.random.default_rng(seed))
    table = table.round(rounding)

    for k, curve in enumerate(fit_curves(learn, table, happened)):
        watched = 1 if classes == 2 else k
        assert (np.diff(curve.scores) > 0).all()
        assert (np.diff(curve.shares) >= 0).all()
        assert 0 <= curve.shares[0] <= np.mean(happened == watched) <= curve.shares[-1] <= 1


@settings(max_examples=60, deadline=None)
@given(classes=st.integers(2, 6), seed=st.integers(0, 2**32 - 1), learn=LEARN)
def test_calibrated_probabilities_add_up_to_one(classes: int, seed: int, learn: Learn) -> None:
    table, happened = drawn(500, classes, np.random.default_rng(seed))

    found = calibrated(fit_curves(learn, overconfident(table), happened), table)

    assert found.sum(axis=1) == pytest.approx(np.ones(500))
    assert (found >= 0).all()


@pytest.mark.parametrize("metric", ["log_loss", "brier"])
@pytest.mark.parametrize("classes", [2, 3])
def test_losses_by_class_are_the_losses_of_those_labels(metric: str, classes: int) -> None:
    table, _ = drawn(50, classes, np.random.default_rng(0))

    found = losses_by_class(metric, table)

    for k in range(classes):
        assert found[:, k] == pytest.approx(
            losses(metric, contract(classes), table, [k] * 50, [k] * 50)
        )


def test_a_loss_of_numbers_has_no_classes() -> None:
    with pytest.raises(ValueError, match="no loss of probabilities"):
        losses_by_class("squared_error", np.ones((1, 2)))


def test_rows_without_probabilities_have_no_estimate() -> None:
    table = np.array([[0.5, 0.5], [np.nan, np.nan], [0.9, 0.1]])

    found = expected_losses("log_loss", (), table)

    assert np.isnan(found).tolist() == [False, True, False]
    assert expected_confusion((), table).sum() == pytest.approx(2)
    assert expected_losses("log_loss", (), np.empty((0, 2))).size == 0


def test_a_class_that_hardly_occurred_gets_no_curve() -> None:
    table, _ = drawn(500, 2, np.random.default_rng(0))
    happened = np.zeros(500)
    happened[:9] = 1

    assert fit_curves(isotonic, table, happened) == ()
    assert fit_curves(sigmoid, table, np.full(500, np.nan)) == ()


def test_the_expected_confusions_are_those_that_happen() -> None:
    table, happened = drawn(20_000, 3, np.random.default_rng(0))
    answered = table.argmax(axis=1)
    counted = np.array([[np.sum((happened == t) & (answered == a)) for a in range(3)]
                        for t in range(3)])  # fmt: skip

    assert np.abs(expected_confusion((), table) - counted).max() < 4 * np.sqrt(20_000 / 9)


def test_a_sigmoid_tells_of_scores_that_were_never_seen() -> None:
    rng = np.random.default_rng(0)
    odds = rng.normal(size=20_000)
    happened = (rng.uniform(size=20_000) < 1 / (1 + np.exp(-odds))).astype(float)
    said = 1 / (1 + np.exp(-2 * odds))  # too sure
    table = np.column_stack([1 - said, said])
    surer = np.array([[1 / (1 + np.exp(10.0)), 1 / (1 + np.exp(-10.0))]])

    found = calibrated(fit_curves(sigmoid, table, happened), surer)

    assert found[0, 1] == pytest.approx(1 / (1 + np.exp(-5.0)), abs=0.005)


def test_scores_that_tell_all_apart_still_give_a_curve() -> None:
    said = np.repeat([0.0, 1.0], 50)
    table = np.column_stack([1 - said, said])

    (curve,) = fit_curves(sigmoid, table, said)

    assert np.isfinite(curve.shares).all()
    assert curve.shares[0] < 0.01
    assert curve.shares[-1] > 0.99
