"""Make a version out of the chosen candidate: the final fit, its reference, and its folder."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from mlflow.models import Model

from trimtab.adapters.predictor import answers_of
from trimtab.policy.reference import build_reference, promise_quality
from trimtab.records.reference import Reference
from trimtab.settings.project import ModelSettings

from .check import Checked
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
    quality = promise_quality(
        best.losses[split.fitted :],
        None if times is None else times.iloc[split.fitted :],
        metric=model.metric,
        window=watch.window,
        false_alarms=rate,
        seed=seed,
    )
    return replace(reference, quality=quality)
