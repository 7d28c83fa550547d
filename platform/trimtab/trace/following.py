"""Following the thread: one prediction, and everything it rests on."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from trimtab.adapters.mlflow_links import version_page
from trimtab.adapters.opening import open_database
from trimtab.policy.tenures import tenure_at
from trimtab.ports import Stores
from trimtab.records.contracts import Contract
from trimtab.records.documents import from_json
from trimtab.records.predictions import LoggedPrediction
from trimtab.records.requests import RetrainRequest
from trimtab.records.traces import Role, Tenure, Trace, TracedPackage
from trimtab.records.versions import ModelVersion
from trimtab.settings import Settings, load

from .finding import find, open_serving
from .hops import (
    Gaps,
    label_of,
    not_judged,
    reference_of,
    verdicts_of,
)
from .version_hops import files_of, look_up

_REQUEST_TAG = "trimtab.request"
_ALL = 10_000  # requests or trials of one model; more there will not be


def trace(prediction_id: str, *, model: str | None = None, project: Path | str = ".") -> Trace:
    """Tell everything that is known of one prediction.

    `prediction_id` as the endpoint's answer gave it; without `model` the records of all models are
    searched. `project` is the folder that holds `trimtab.toml`. What a store could not tell, also
    because it does not answer, is in the trace's `gaps`.

    Raises what `load` raises, UnknownModelError, SettingsError when it is no prediction's id,
    DatabaseUnreachableError, and UnknownPredictionError, whose message says whether it was erased
    or what else may have become of it.
    """
    return follow(load(Path(project)), prediction_id, model)


def follow(settings: Settings, prediction_id: str, model: str | None = None) -> Trace:
    """Do what `trace` does, with settings that are loaded already."""
    models = [model] if model else list(settings.project.models)
    for name in models:
        settings.model(name)
    database, gaps = open_database(settings), Gaps()
    found = find(settings, database, models, prediction_id)
    prediction = found.prediction
    with database.transaction() as stores:
        tenure = _tenure(stores, prediction, gaps)
        verdicts = verdicts_of(stores, prediction)
        if not verdicts:
            gaps.note("verdict", not_judged(stores, prediction))
        label = gaps.told("label", lambda: label_of(stores, prediction), "none has come yet")
        requests = stores.requests.recent(prediction.model, limit=_ALL)
    registered = look_up(settings, prediction, gaps)
    version = registered.version
    manifest = _manifest(version, tenure)
    files = gaps.told("files", lambda: files_of(settings, registered, prediction, manifest), "")
    return Trace(
        prediction=prediction,
        found_in=found.found_in,
        classes=_classes(files),
        tenure=tenure,
        manifest_sha256=manifest,
        version_page=version_page(settings.tracking_uri, prediction.model, prediction.version),
        request=gaps.told(
            "request",
            lambda: _request(version, requests, prediction),
            "none is known to have led here",
        ),
        run=registered.run,
        snapshot=registered.snapshot,
        requirements=_lines(files),
        package=_package(settings, prediction, gaps),
        reference=reference_of(files["reference.json"]) if files else None,
        verdicts=tuple(verdicts),
        label=label,
        gaps=tuple(gaps.found),
    )


def _tenure(stores: Stores, prediction: LoggedPrediction, gaps: Gaps) -> Tenure:
    """Tell the version's role, by the server's clock or, in a replay, by the event's."""
    tenure = tenure_at(
        prediction.version,
        (prediction.received, prediction.time),
        stores.promotions.history(prediction.model),
        stores.trials.recent(prediction.model, limit=_ALL),
    )
    if tenure.role is Role.UNKNOWN:
        gaps.note("role", f"no promotion or trial explains version {prediction.version} then")
    return tenure


def _manifest(version: ModelVersion | None, tenure: Tenure) -> str | None:
    """Give the hash of what was judged, or else of what is registered."""
    for judged in (tenure.promotion, tenure.trial, version):
        if judged is not None:
            return judged.manifest_sha256
    return None


def _request(
    version: ModelVersion | None, requests: Sequence[RetrainRequest], prediction: LoggedPrediction
) -> RetrainRequest | None:
    """Find what asked for the version: by the tag that training left, or by how it ended."""
    id = version.tags.get(_REQUEST_TAG) if version else None
    for request in requests:
        if request.id == id or (id is None and request.version == prediction.version):
            return request
    return None


def _package(settings: Settings, prediction: LoggedPrediction, gaps: Gaps) -> TracedPackage | None:
    serving = open_serving(settings)
    if serving is None:
        gaps.note("bento", "trimtab-services, which knows of bentos, is not installed here")
        return None
    return gaps.told(
        "bento",
        lambda: serving.package(prediction.model, prediction.version),
        "it is not on this machine: never built here, or pruned (serve.keep_versions)",
    )


def _classes(files: Mapping[str, bytes] | None) -> tuple[str, ...]:
    if files is None:
        return ()
    return tuple(map(str, from_json(Contract, files["contract.json"]).classes))


def _lines(files: Mapping[str, bytes] | None) -> tuple[str, ...]:
    return () if files is None else tuple(files["requirements.txt"].decode().split())
