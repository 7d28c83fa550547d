"""Where MLflow's user interface shows a version and its run."""

from urllib.parse import quote

from trimtab.records.urls import without_userinfo
from trimtab.records.versions import ModelVersion


def version_page(tracking_uri: str, model: str, version: str) -> str:
    """Give the page of a version.

    >>> version_page("http://127.0.0.1:5000/", "late-arrival", "3")
    'http://127.0.0.1:5000/#/models/late-arrival/versions/3'
    """
    return f"{_root(tracking_uri)}/#/models/{quote(model)}/versions/{quote(version)}"


def run_page(tracking_uri: str, version: ModelVersion) -> str:
    """Give the page of the run that made a version, with its plots and reports."""
    return f"{_root(tracking_uri)}/#/runs/{quote(version.run_id)}"


def artifact_page(tracking_uri: str, experiment: str, run_id: str, path: str) -> str:
    """Give the page that shows an artifact of a run, a report for one."""
    run = f"#/experiments/{quote(experiment)}/runs/{quote(run_id)}"
    return f"{_root(tracking_uri)}/{run}/artifactPath/{quote(path)}"


def artifact_bytes(run_id: str, path: str) -> str:
    """Give where a page of MLflow finds an artifact's bytes, relative to that page.

    >>> artifact_bytes("b7", "gate.png")
    'get-artifact?path=gate.png&run_uuid=b7'
    """
    return f"get-artifact?path={quote(path, safe='')}&run_uuid={quote(run_id)}"


def _root(tracking_uri: str) -> str:
    return without_userinfo(tracking_uri).rstrip("/")
