"""The hops that lead through MLflow: a version, its run and its files."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from trimtab.adapters.manifest import read_verified
from trimtab.adapters.opening import open_registry, read_run
from trimtab.errors import TrimtabError, UnknownVersionError
from trimtab.ports import ModelRegistry
from trimtab.records.predictions import LoggedPrediction
from trimtab.records.traces import TracedRun, TracedSnapshot
from trimtab.records.versions import ModelVersion
from trimtab.settings import Settings

from .hops import Gaps, snapshot_of

_FILES = ("contract.json", "reference.json", "requirements.txt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """What MLflow has of a version."""

    registry: ModelRegistry
    version: ModelVersion | None
    run: TracedRun | None
    snapshot: TracedSnapshot | None


def look_up(settings: Settings, prediction: LoggedPrediction, gaps: Gaps) -> Registered:
    """Look a version and its run up; where MLflow does not answer, it is asked once."""
    model, number = prediction.model, prediction.version
    registry = open_registry(settings)
    version = gaps.told("version", lambda: _version(registry, model, number), "")
    if version is None:
        for hop in ("run", "snapshot"):
            gaps.note(hop, "it is found by the version, which MLflow did not tell")
        return Registered(registry=registry, version=None, run=None, snapshot=None)
    run = gaps.told("run", lambda: read_run(settings, version), "")
    snapshot = gaps.told("snapshot", lambda: snapshot_of(version), "the version's tags name none")
    return Registered(registry=registry, version=version, run=run, snapshot=snapshot)


def _version(registry: ModelRegistry, model: str, number: str) -> ModelVersion:
    found = next((v for v in registry.versions(model) if v.version == number), None)
    if found is None:
        raise UnknownVersionError(model, number, "it is not in MLflow, or lacks what ours carry")
    return found


def files_of(
    settings: Settings, registered: Registered, prediction: LoggedPrediction, sha256: str | None
) -> dict[str, bytes]:
    """Read a version's contract, reference and requirements, checked by its manifest.

    A copy on this machine will do; where there is none, the version is fetched for a moment.
    Raises UnknownVersionError, ManifestError and RegistryUnreachableError.
    """
    model, number, home = prediction.model, prediction.version, settings.home
    for folder in (home.version(model, number), home.bento(model, number) / "src" / "version"):
        try:
            return _read(folder, sha256)
        except (TrimtabError, OSError):
            continue  # not here, or not whole
    if registered.version is None:
        raise UnknownVersionError(model, number, "no copy is on this machine, nor does MLflow tell")
    with tempfile.TemporaryDirectory(prefix="trimtab-") as scratch:
        folder = registered.registry.download(model, number, Path(scratch) / "version")
        return _read(folder, sha256)


def _read(folder: Path, sha256: str | None) -> dict[str, bytes]:
    return {name: read_verified(folder, name, sha256) for name in _FILES}
