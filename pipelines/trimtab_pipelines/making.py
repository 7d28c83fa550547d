"""Make a version out of the chosen candidate: the final fit, its reference, and its folder."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from mlflow.models import Model

from trimtab.policy.budget import shared
from trimtab.policy.estimating import Answered
from trimtab.policy.losses import losses, numbers
from trimtab.policy.promises import promise_quality
from trimtab.policy.reference import build_reference
from trimtab.policy.slicing import find_slices, masks
from trimtab.records.reference import Reference
from trimtab.records.schema import Column, ColumnType, Schema
from trimtab.records.versions import Trained
from trimtab.settings.project import ModelSettings

from .check import Checked
from .estimating import KnownRows, fit_estimator
from .fitting import Fitted
from .held_out import HeldOut
from .requirements import pinned_requirements
from .split import Split
from .trained import write_trained
from .version_folder import watched_beside, watched_output, write_evidence, write_model


def make_version(
    folder: Path,
    best: Fitted,
    held_out: HeldOut,
    checked: Checked,
    split: Split,
    model: ModelSettings,
    about: Model,
) -> str:
    """Fit the best candidate on all rows and write its folder; gives the manifest's SHA-256.

    What the monitor compares outputs with is `held_out`: a model is surer of rows that it has
    seen, and honest traffic would look like drift beside those.
    """
    pipeline = best.recipe.refit(best.pipeline, checked.inputs, checked.truth, checked.weights)
    if checked.contract.threshold is not None:
        pipeline[-1].offset_ = -checked.contract.threshold  # for who asks scikit-learn's `predict`
    output = watched_output(checked.contract, held_out.answers)
    beside = watched_beside(checked.contract, held_out.answers)
    write_model(folder, pipeline, checked, pinned_requirements(pipeline), about)
    reference = _reference(best, held_out, checked, split, output, beside, model)
    write_trained(folder, Trained(until=split.trained_until, rows=split.end))
    return write_evidence(folder, pipeline, checked, reference, output, beside, model.train.seed)


def _reference(
    best: Fitted,
    held_out: HeldOut,
    checked: Checked,
    split: Split,
    output: np.ndarray,
    beside: Mapping[str, np.ndarray],
    model: ModelSettings,
) -> Reference:
    """Calibrate the limits; quality is promised from rows that the candidate did not know."""
    times = None if model.time is None else split.seen[model.time].reset_index(drop=True)
    watch, seed = model.monitor, model.train.seed
    rate = watch.false_alarms.per(watch.window)
    shares = shared(rate, has_labels=model.task.has_labels)
    hidden = model.capture.redacts(checked.contract.schema.names)
    reference = build_reference(
        checked.inputs.assign(**beside),
        output,
        times,
        _watched(checked.contract.schema, beside),
        importance=held_out.importance,
        window=watch.window,
        false_alarms=shares.drift,
        min_rows=watch.min_rows,
        seed=seed,
        losses=_held_out_losses(held_out, checked, model),
        hidden={*hidden, *beside},
    )
    if not model.task.has_labels:
        return reference
    seen = checked.inputs.drop(columns=hidden)  # the log will not hold the others as they came
    known = _known_rows(best, seen, checked.truth, split.fitted, times)
    slices = find_slices(seen, checked.contract.schema, model.gate.slices)
    quality = promise_quality(
        known.losses,
        known.times,
        metric=model.metric,
        window=watch.window,
        false_alarms=shares.quality,
        of_slices=shares.slices,
        seed=seed,
        slices=masks(slices, known.answered.inputs, checked.contract.schema),
    )
    estimator = fit_estimator(
        checked.contract,
        model.metric,
        known,
        window=watch.window,
        false_alarms=shares.quality,
        seed=seed,
    )
    return replace(reference, quality=quality, estimator=estimator)


def _held_out_losses(
    held_out: HeldOut, checked: Checked, model: ModelSettings
) -> np.ndarray | None:
    """Give the loss of every row by a model that had not seen it; None without labels."""
    if not model.task.has_labels:
        return None
    answers = held_out.answers
    truth = checked.labels.to_numpy(dtype=object)
    return losses(
        model.metric, held_out.contract, answers.probabilities, answers.predictions, truth
    )


def _known_rows(
    best: Fitted,
    inputs: pd.DataFrame,
    truth: np.ndarray,
    fitted: int,
    times: "pd.Series[pd.Timestamp] | None",
) -> KnownRows:
    """Give the rows that the candidate was not fitted on."""
    answers, rows = best.answers, slice(fitted, None)
    count = len(best.losses) - fitted
    is_number = answers.probabilities is None
    answered = Answered(
        inputs=inputs.iloc[rows],
        predictions=numbers(answers.predictions[rows]) if is_number else np.full(count, np.nan),
        probabilities=None if answers.probabilities is None else answers.probabilities[rows],
    )
    return KnownRows(
        answered=answered,
        truth=truth[rows],
        losses=best.losses[rows],
        times=None if times is None else times.iloc[rows],
    )


def _watched(schema: Schema, beside: Mapping[str, np.ndarray]) -> Schema:
    """Add what is watched of the answers to the inputs: to a reference all are columns."""
    added = [
        Column(
            name=name,
            type=ColumnType.BOOLEAN if values.dtype == bool else ColumnType.DOUBLE,
            required=True,
        )
        for name, values in beside.items()
    ]
    return Schema(columns=(*schema.columns, *added))
