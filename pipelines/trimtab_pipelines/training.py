"""A training: from rows to a registered version, with everything it rests on in MLflow."""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

import pandas as pd
from mlflow.entities.model_registry import ModelVersion as MlflowVersion
from mlflow.models import Model

from trimtab.adapters.mlflow_registry import MANIFEST_TAG, TRAINED_UNTIL_TAG
from trimtab.records.versions import ModelVersion
from trimtab.settings.loading import Settings
from trimtab.settings.project import ModelSettings

from .candidates import parameters
from .check import Checked, check
from .collect import collect, known_rows
from .description import describe
from .facts import TRAINED_ROWS_TAG
from .fitting import Fitted, fit_candidates
from .folds import fit_folds
from .held_out import hold_out
from .making import make_version
from .plots import draw
from .requirements import code_version
from .snapshot import Snapshot, dataset_input, take_snapshot
from .split import Split, split_by_time
from .tracking import REQUEST_TAG, TrainingRun, registered_version, training_run
from .validation import baseline_loss, choose, metrics

Say = Callable[[str], None]
"""Tells people how far the work is."""


def train_version(
    settings: Settings,
    model: str,
    *,
    until: datetime,
    request_id: str,
    rows: pd.DataFrame | None = None,
    progress: Say | None = None,
) -> ModelVersion:
    """Make a version from what was known at `until`, or find the one this request already made.

    `rows` are used instead of the source where they are given. Raises DataRefusedError before
    anything is logged when the data is not fit for training.
    """
    say = progress or (lambda message: None)
    done = registered_version(settings, model, request_id)
    if done is not None:
        return _read(done)
    chosen = settings.model(model)
    known = collect(settings, model, until) if rows is None else known_rows(rows, chosen, until)
    split = split_by_time(known, chosen, until)
    checked = check(split.seen, split.fitted, model, chosen)
    say(f"{len(known):,} labelled rows; {len(split.gate):,} of them are kept for the gate")
    for note in checked.notes:
        say(note)
    name = f"{model} until {split.trained_until:%Y-%m-%d}"
    with training_run(settings, model, request_id, name, code_version(settings.folder)) as run:
        return _train(run, settings, checked, split, request_id, say)


def _train(
    run: TrainingRun, settings: Settings, checked: Checked, split: Split, request_id: str, say: Say
) -> ModelVersion:
    name = checked.contract.model
    model = settings.model(name)
    snapshot = take_snapshot(checked, split, model, settings.folder)
    run.log(params=_settings_of(model), tags=snapshot.tags)
    run.log_input(dataset_input(snapshot, split, name, model.target))
    candidates = fit_candidates(checked, split.fitted, model, say)
    baseline = baseline_loss(checked, candidates[0], model)
    for candidate in candidates:
        _log_candidate(run, candidate, checked, model)
    best = choose(candidates, baseline, model)
    say(f"{best.name} is the best; it is fitted again on all {len(checked.inputs):,} rows")
    measured = metrics(best, checked, model.metric)
    run.log(
        params={"candidate": best.name},
        metrics={**measured, "baseline": baseline},
    )
    checked = replace(checked, contract=best.contract)
    held_out = hold_out(fit_folds(best, checked), checked, model)
    checked = replace(checked, contract=held_out.contract)
    with tempfile.TemporaryDirectory(prefix="trimtab-") as scratch:
        draw(Path(scratch) / "plots", best, held_out, checked)
        run.log_folder(Path(scratch) / "plots", "plots")
        model_id, location = run.open_model(name)
        about = Model(artifact_path=location, run_id=run.id, model_id=model_id)
        sha256 = make_version(Path(scratch) / "model", best, held_out, checked, split, model, about)
        run.upload_model(model_id, Path(scratch) / "model")
    tags = _version_tags(snapshot, split, best, sha256, request_id)
    text = describe(best, candidates, measured, baseline, snapshot, split, model)
    run.log(tags={"mlflow.note.content": text})
    version = _read(run.register(name, model_id, tags, text))
    say(f"registered as version {version.version}")
    return version


def _settings_of(model: ModelSettings) -> dict[str, object]:
    shown = model.train.model_dump(mode="json")
    return {
        "task": model.task.value,
        "metric": model.metric,
        **{f"train.{name}": value for name, value in shown.items()},
    }


def _log_candidate(
    run: TrainingRun, candidate: Fitted, checked: Checked, model: ModelSettings
) -> None:
    found = metrics(candidate, checked, model.metric)
    run.log(
        params={f"{candidate.name}.{k}": v for k, v in parameters(candidate.pipeline).items()},
        metrics={f"{candidate.name}.{k}": v for k, v in found.items()},
    )


def _version_tags(
    snapshot: Snapshot, split: Split, best: Fitted, sha256: str, request_id: str
) -> dict[str, str]:
    return {
        MANIFEST_TAG: sha256,
        TRAINED_UNTIL_TAG: split.trained_until.isoformat(),
        TRAINED_ROWS_TAG: str(split.end),
        REQUEST_TAG: request_id,
        "trimtab.candidate": best.name,
        **snapshot.tags,
    }


def _read(found: MlflowVersion) -> ModelVersion:
    tags = dict(found.tags)
    return ModelVersion(
        model=str(found.name),
        version=str(found.version),
        run_id=str(found.run_id),
        trained_until=datetime.fromisoformat(tags[TRAINED_UNTIL_TAG]),
        manifest_sha256=tags[MANIFEST_TAG],
        tags=MappingProxyType(tags),
    )
