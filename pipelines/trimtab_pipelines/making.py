"""Make a version out of the chosen candidate: the final fit, its reference, and its folder."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from mlflow.models import Model

from trimtab.adapters.predictor import answers_of
from trimtab.policy.estimating import Answered
from trimtab.policy.losses import numbers
from trimtab.policy.promises import promise_quality
from trimtab.policy.reference import build_reference
from trimtab.policy.slicing import find_slices, masks
from trimtab.records.reference import Reference
from trimtab.settings.project import ModelSettings

from .check import Checked
from .estimating import KnownRows, fit_estimator
from .fitting import Fitted
from .requirements import pinned_requirements
from .split import Split
from .version_folder import watched_output, write_evidence, write_model


def make_version(
    folder: Path, best: Fitted, checked: Checked, split: Split, model: ModelSettings, about: Model
) -> str:
    """Fit the best candidate on all rows and write its folder; gives the manifest's SHA-256."""
    final = best.recipe.refit(best.pipeline, checked.inputs, checked.truth)
    output = watched_output(checked.contract, answers_of(checked.contract, final.output))
    write_model(folder, final.pipeline, checked, pinned_requirements(final.pipeline), about)
    reference = _reference(best, checked, split, output, model)
    return write_evidence(folder, final.pipeline, checked, reference, output, model.train.seed)


def _reference(
    best: Fitted, checked: Checked, split: Split, output: np.ndarray, model: ModelSettings
) -> Reference:
    """Calibrate the limits; quality is promised from rows that the candidate did not know."""
    times = None if model.time is None else split.seen[model.time].reset_index(drop=True)
    watch, seed = model.monitor, model.train.seed
    rate = watch.false_alarms.per(watch.window)
    reference = build_reference(
        checked.inputs,
        output,
        times,
        checked.contract.schema,
        importance={},
        window=watch.window,
        false_alarms=rate,
        min_rows=watch.min_rows,
        seed=seed,
    )
    hidden = model.capture.redacts(checked.contract.schema.names)
    seen = checked.inputs.drop(columns=hidden)  # the log will not hold the others as they came
    known = _known_rows(best, seen, checked.truth, split.fitted, times)
    slices = find_slices(seen, checked.contract.schema, model.gate.slices)
    quality = promise_quality(
        known.losses,
        known.times,
        metric=model.metric,
        window=watch.window,
        false_alarms=rate,
        seed=seed,
        slices=masks(slices, known.answered.inputs, checked.contract.schema),
    )
    estimator = fit_estimator(
        checked.contract,
        model.metric,
        known,
        window=watch.window,
        false_alarms=rate,
        seed=seed,
    )
    return replace(reference, quality=quality, estimator=estimator)


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
