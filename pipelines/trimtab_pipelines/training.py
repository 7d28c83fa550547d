"""A training: from rows to a registered version, with everything it rests on in MLflow."""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

import pandas as pd
from mlflow.entities.model_registry import ModelVersion as MlflowVersion
from mlflow.models import Model

from trimtab.adapters.mlflow_registry import MANIFEST_TAG, TRAINED_UNTIL_TAG
from trimtab.adapters.opening import open_database
from trimtab.records.searches import SearchState
from trimtab.records.versions import ModelVersion
from trimtab.settings.loading import Settings
from trimtab.settings.project import ModelSettings

from .candidates import parameters
from .check import Checked
from .collect import collect, known_rows
from .description import describe
from .facts import TRAINED_ROWS_TAG, WINDOW_TAG
from .fitting import Fitted
from .folds import fit_folds
from .held_out import hold_out
from .making import make_version
from .plots import draw
from .requirements import code_version
from .search_memory import Memory, OwnMemory, StoredMemory, basis_of
from .search_plot import draw_search
from .selecting import Ready, Selected, prepare, select
from .snapshot import Snapshot, dataset_input, take_snapshot
from .tracking import REQUEST_TAG, TrainingRun, registered_version, training_run
from .validation import metrics

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
    ready = prepare(known, model, chosen, until)
    split = ready.split
    say(f"{len(known):,} labelled rows; {len(split.gate):,} of them are kept for the gate")
    for note in ready.checked.notes:
        say(note)
    name = f"{model} until {split.trained_until:%Y-%m-%d}"
    with training_run(settings, model, request_id, name, code_version(settings.folder)) as run:
        return _train(run, settings, ready, request_id, say)


def _train(
    run: TrainingRun, settings: Settings, ready: Ready, request_id: str, say: Say
) -> ModelVersion:
    name = ready.checked.contract.model
    model = settings.model(name)
    run.log(params=_settings_of(model))
    memory = _memory(settings, ready.checked, request_id, model)
    run.search.keep(memory.trials())
    selected = select(ready, model, memory=memory, progress=say, on_trial=run.search.write)
    best, checked, split = selected.best, selected.checked, selected.split
    snapshot = take_snapshot(checked, split, model, settings.folder)
    run.log(tags=snapshot.tags)
    run.log_input(dataset_input(snapshot, split, name, model.target))
    for candidate in selected.candidates:
        _log_candidate(run, candidate, checked, model)
    say(f"{best.name} is the best; it is fitted again on all {len(checked.inputs):,} rows")
    measured = metrics(best, checked, model.metric)
    _log_choice(run, selected, measured)
    held_out = hold_out(fit_folds(best, checked), checked, model)
    checked = replace(checked, contract=held_out.contract)
    with tempfile.TemporaryDirectory(prefix="trimtab-") as scratch:
        draw(Path(scratch) / "plots", best, held_out, checked)
        draw_search(Path(scratch) / "plots", selected.searched, model.metric)
        run.log_folder(Path(scratch) / "plots", "plots")
        model_id, location = run.open_model(name)
        about = Model(artifact_path=location, run_id=run.id, model_id=model_id)
        sha256 = make_version(Path(scratch) / "model", best, held_out, checked, split, model, about)
        run.upload_model(model_id, Path(scratch) / "model")
    tags = _version_tags(snapshot, selected, sha256, request_id)
    text = describe(selected, measured, snapshot, model)
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


def _memory(settings: Settings, checked: Checked, request_id: str, model: ModelSettings) -> Memory:
    """Open what survives this process, where there is something to search for."""
    if not model.task.has_labels or not model.train.search.trials:
        return OwnMemory()
    return StoredMemory(
        database=open_database(settings), request_id=request_id, basis=basis_of(checked, model)
    )


def _log_choice(run: TrainingRun, selected: Selected, measured: Mapping[str, float]) -> None:
    searched = selected.searched
    pruned = sum(trial.state is SearchState.PRUNED for trial in searched.trials)
    run.log(
        params={"candidate": selected.best.name, "window": searched.window},
        metrics={
            **measured,
            "baseline": selected.baseline,
            "search.trials": len(searched.trials),
            "search.pruned": pruned,
            "search.seconds": searched.seconds,
        },
    )


def _log_candidate(
    run: TrainingRun, candidate: Fitted, checked: Checked, model: ModelSettings
) -> None:
    found = metrics(candidate, checked, model.metric)
    run.log(
        params={f"{candidate.name}.{k}": v for k, v in parameters(candidate.pipeline).items()},
        metrics={f"{candidate.name}.{k}": v for k, v in found.items()},
    )


def _version_tags(
    snapshot: Snapshot, selected: Selected, sha256: str, request_id: str
) -> dict[str, str]:
    split = selected.split
    return {
        MANIFEST_TAG: sha256,
        TRAINED_UNTIL_TAG: split.trained_until.isoformat(),
        TRAINED_ROWS_TAG: str(split.end),
        REQUEST_TAG: request_id,
        "trimtab.candidate": selected.best.name,
        WINDOW_TAG: str(selected.searched.window),
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
