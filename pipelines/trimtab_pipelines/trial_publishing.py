"""What a trial has shown, beside the challenger in MLflow."""

import tempfile
from contextlib import suppress
from pathlib import Path

from trimtab.errors import RegistryUnreachableError
from trimtab.records.documents import to_json
from trimtab.records.trials import Trial, TrialKind
from trimtab.records.versions import Alias

from .bench import Bench
from .contest import find_version
from .trial_words import as_markdown


def publish(bench: Bench, trial: Trial) -> None:
    """Add the comparison to the run of the version on trial and, at the end, to its description.

    Where MLflow is away, what is in the database has to do.
    """
    with bench.database.transaction() as stores:
        evidence = stores.trials.evidence(trial.id)
    with suppress(RegistryUnreachableError):
        version = find_version(bench.registry, trial.model, trial.on_trial)
        tags = {"trimtab.trial": f"{trial.kind} {trial.state}"}
        if trial.kind is TrialKind.BAKE:
            tags["trimtab.bake"] = trial.ended_because[0] if trial.ended_because else "running"
        if evidence is None:
            bench.reports.annotate(version, tags=tags)
        else:
            overall = evidence.result.overall
            with tempfile.TemporaryDirectory() as scratch:
                file = Path(scratch) / "trial.json"
                file.write_bytes(to_json(evidence.result, indent=2))
                bench.reports.publish(version, f"trials/{trial.kind}-{trial.id[:8]}.json", file)
            bench.reports.annotate(
                version,
                text="" if trial.is_running else as_markdown(trial, evidence),
                tags={**tags, "trimtab.trial.agreed": f"{overall.agreed:.4f}"},
                metrics={"trial.agreed": overall.agreed, "trial.distance": overall.distance},
            )
        if not trial.is_running and _is_challenger(bench, trial):
            bench.registry.point(trial.model, Alias.CHALLENGER, None)


def _is_challenger(bench: Bench, trial: Trial) -> bool:
    return bench.registry.aliased(trial.model, Alias.CHALLENGER) == trial.challenger
