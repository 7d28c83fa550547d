"""One contract for registries and their reports, held by memory and by a real MLflow server."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol
from urllib.request import urlopen
from uuid import uuid4

import pytest
from mlflow import MlflowClient

from trimtab.adapters.manifest import verify_manifest, write_manifest
from trimtab.adapters.mlflow_links import run_page, version_page
from trimtab.adapters.mlflow_registry import MANIFEST_TAG, TRAINED_UNTIL_TAG, MlflowRegistry
from trimtab.adapters.mlflow_reports import MlflowReports
from trimtab.errors import ManifestError, RegistryUnreachableError, UnknownVersionError
from trimtab.ports import ModelRegistry
from trimtab.ports.reports import Reports
from trimtab.records.versions import Alias, ModelVersion
from trimtab.testing.memory_registry import MemoryRegistry, MemoryReports

APRIL = datetime(2013, 4, 1, tzinfo=UTC)


class Shelf(Protocol):
    """What a test needs besides the ports: to put versions in and to damage them."""

    @property
    def registry(self) -> ModelRegistry: ...

    @property
    def reports(self) -> Reports: ...

    def add(self, model: str, folder: Path) -> str:
        """Register a folder as the next version."""
        ...

    def delete(self, model: str, version: str) -> None: ...

    def damage(self, model: str, version: str) -> None:
        """Change a byte of the version's model file where it is kept."""
        ...

    def text(self, version: ModelVersion) -> str:
        """Give the version's description."""
        ...

    def curve(self, version: ModelVersion, name: str) -> list[tuple[int, datetime, float]]:
        """Give the points of a curve: step, moment, figure."""
        ...


@dataclass
class MemoryShelf:
    registry: MemoryRegistry
    reports: MemoryReports
    root: Path

    def add(self, model: str, folder: Path) -> str:
        number = str(len(self.registry.versions(model)) + 1)
        kept = self.root / model / number
        kept.parent.mkdir(parents=True, exist_ok=True)
        folder.rename(kept)
        self.registry.add(
            ModelVersion(
                model=model,
                version=number,
                run_id=f"run-{number}",
                trained_until=APRIL,
                manifest_sha256=write_manifest(kept),
            ),
            kept,
        )
        return number

    def delete(self, model: str, version: str) -> None:
        self.registry.delete(model, version)

    def damage(self, model: str, version: str) -> None:
        (self.root / model / version / "model.skops").write_bytes(b"other")

    def text(self, version: ModelVersion) -> str:
        return self.reports.texts[version.model, version.version]

    def curve(self, version: ModelVersion, name: str) -> list[tuple[int, datetime, float]]:
        points = self.reports.curves[version.model, version.version][name]
        return [(step, *points[step]) for step in sorted(points)]


@dataclass
class MlflowShelf:
    registry: MlflowRegistry
    reports: MlflowReports
    client: MlflowClient
    scratch: Path

    def add(self, model: str, folder: Path, tags: Mapping[str, str] | None = None) -> str:
        run = self.client.create_run("0")
        logged = self.client.create_logged_model("0", name="model", source_run_id=run.info.run_id)
        sha256 = write_manifest(folder)
        self.client.log_model_artifacts(logged.model_id, str(folder))
        self.client.finalize_logged_model(logged.model_id, "READY")
        self.client.set_terminated(run.info.run_id)
        if not self.client.search_registered_models(f"name = '{model}'"):
            self.client.create_registered_model(model)
        ours = {MANIFEST_TAG: sha256, TRAINED_UNTIL_TAG: APRIL.isoformat()}
        version = self.client.create_model_version(
            model,
            f"models:/{logged.model_id}",
            run.info.run_id,
            tags=dict(ours if tags is None else tags),
            model_id=logged.model_id,
        )
        return str(version.version)

    def delete(self, model: str, version: str) -> None:
        self.client.delete_model_version(model, version)

    def damage(self, model: str, version: str) -> None:
        source = str(self.client.get_model_version(model, version).source)
        other = self.scratch / "model.skops"
        other.write_bytes(b"other")
        self.client.log_model_artifacts(source.removeprefix("models:/"), str(self.scratch))

    def text(self, version: ModelVersion) -> str:
        found = self.client.get_model_version(version.model, version.version)
        return str(found.description)

    def curve(self, version: ModelVersion, name: str) -> list[tuple[int, datetime, float]]:
        watches = f"tags.`trimtab.watches` = '{version.run_id}'"
        (run,) = self.client.search_runs(["0"], watches)
        points = self.client.get_metric_history(run.info.run_id, name)
        return sorted(
            (p.step, datetime.fromtimestamp(p.timestamp / 1000, UTC), p.value) for p in points
        )


@pytest.fixture(params=["memory", pytest.param("mlflow", marks=pytest.mark.e2e)])
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Shelf:
    if request.param == "memory":
        return MemoryShelf(MemoryRegistry(verify_manifest), MemoryReports(), tmp_path / "kept")
    url = request.getfixturevalue("mlflow_server")
    scratch = tmp_path / "other"
    scratch.mkdir()
    return MlflowShelf(
        MlflowRegistry(url), MlflowReports(url), MlflowClient(tracking_uri=url), scratch
    )


@pytest.fixture
def model() -> str:
    """Name a model of the test's own: the server is shared."""
    return f"m-{uuid4().hex[:12]}"


def files(tmp_path: Path, content: str = "weights") -> Path:
    folder = tmp_path / f"made-{content}"
    (folder / "parts").mkdir(parents=True)
    (folder / "MLmodel").write_text("flavors: {}")
    (folder / "model.skops").write_text(content)
    (folder / "parts" / "a.json").write_text("{}")
    return folder


def test_versions_come_newest_first_with_what_they_carry(
    shelf: Shelf, model: str, tmp_path: Path
) -> None:
    names = [shelf.add(model, files(tmp_path, f"w{n}")) for n in range(11)]

    found = shelf.registry.versions(model)
    assert [version.version for version in found] == list(reversed(names))
    assert {version.trained_until for version in found} == {APRIL}
    assert len({version.manifest_sha256 for version in found}) == 11
    assert all(version.run_id for version in found)


def test_an_unknown_model_has_no_versions_and_no_aliases(shelf: Shelf) -> None:
    assert list(shelf.registry.versions("nobody")) == []
    assert list(shelf.registry.versions("no'body")) == []
    assert shelf.registry.aliased("nobody", Alias.CHAMPION) is None


def test_an_alias_follows_where_it_is_pointed_and_can_be_taken_away(
    shelf: Shelf, model: str, tmp_path: Path
) -> None:
    first, second = (shelf.add(model, files(tmp_path, name)) for name in "ab")
    registry = shelf.registry

    assert registry.aliased(model, Alias.CHAMPION) is None
    registry.point(model, Alias.CHAMPION, first)
    registry.point(model, Alias.CHALLENGER, second)
    assert registry.aliased(model, Alias.CHAMPION) == first
    registry.point(model, Alias.CHAMPION, second)
    assert registry.aliased(model, Alias.CHAMPION) == second
    for _ in range(2):  # taking away what is not there is no fault
        registry.point(model, Alias.CHALLENGER, None)
    assert registry.aliased(model, Alias.CHALLENGER) is None


def test_an_alias_cannot_point_at_a_version_that_is_not_there(
    shelf: Shelf, model: str, tmp_path: Path
) -> None:
    shelf.add(model, files(tmp_path))

    with pytest.raises(UnknownVersionError, match="99"):
        shelf.registry.point(model, Alias.CHAMPION, "99")


def test_deleting_a_version_takes_its_alias_along(shelf: Shelf, model: str, tmp_path: Path) -> None:
    version = shelf.add(model, files(tmp_path))
    shelf.registry.point(model, Alias.CHAMPION, version)

    shelf.delete(model, version)
    assert shelf.registry.aliased(model, Alias.CHAMPION) is None
    assert list(shelf.registry.versions(model)) == []


def test_a_download_gives_every_file_and_mends_a_damaged_copy(
    shelf: Shelf, model: str, tmp_path: Path
) -> None:
    version = shelf.add(model, files(tmp_path))
    to = tmp_path / "versions" / model / version

    assert shelf.registry.download(model, version, to) == to
    assert (to / "model.skops").read_text() == "weights"
    assert (to / "parts" / "a.json").read_text() == "{}"
    (to / "model.skops").write_text("damaged")
    shelf.registry.download(model, version, to)
    assert (to / "model.skops").read_text() == "weights"
    assert [path.name for path in to.parent.iterdir()] == [version], "nothing is left behind"


def test_bytes_that_were_changed_in_the_registry_are_refused(
    shelf: Shelf, model: str, tmp_path: Path
) -> None:
    version = shelf.add(model, files(tmp_path))
    shelf.damage(model, version)
    to = tmp_path / "versions" / version

    with pytest.raises(ManifestError, match=r"model\.skops was changed"):
        shelf.registry.download(model, version, to)
    assert not to.exists()
    assert list(to.parent.iterdir()) == [] if to.parent.exists() else True


def test_an_unknown_version_cannot_be_downloaded(shelf: Shelf, tmp_path: Path) -> None:
    for version in ("1", "latest"):
        with pytest.raises(UnknownVersionError):
            shelf.registry.download("nobody", version, tmp_path / "v")


def test_reports_stand_beside_the_version_and_text_is_added_once(
    shelf: Shelf, model: str, tmp_path: Path
) -> None:
    shelf.add(model, files(tmp_path))
    [version] = shelf.registry.versions(model)
    page = tmp_path / "local.html"
    page.write_text("<p>drift</p>")

    assert shelf.reports.publish(version, "drift/2013-04-01.html", page) == "drift/2013-04-01.html"
    for _ in range(2):
        shelf.reports.annotate(version, text="## Gate", tags={"gate": "x"}, metrics={"gain": 0.5})
    shelf.reports.annotate(version, text="## Later")
    if isinstance(shelf, MlflowShelf):
        kept = shelf.client.get_model_version(model, version.version)
        run = shelf.client.get_run(version.run_id)
        (listed,) = shelf.client.list_artifacts(version.run_id, "drift")
        assert (listed.path, kept.description) == (
            "drift/2013-04-01.html",
            "## Gate\n\n## Later",
        )
        assert (kept.tags["gate"], run.data.metrics["gain"]) == ("x", 0.5)


@pytest.mark.e2e
def test_versions_that_training_did_not_make_are_passed_over(
    mlflow_server: str, model: str, tmp_path: Path
) -> None:
    url = mlflow_server
    shelf = MlflowShelf(
        MlflowRegistry(url), MlflowReports(url), MlflowClient(tracking_uri=url), tmp_path
    )
    foreign = shelf.add(model, files(tmp_path, "a"), tags={})
    odd = shelf.add(
        model, files(tmp_path, "b"), tags={MANIFEST_TAG: "0" * 64, TRAINED_UNTIL_TAG: "spring"}
    )
    ours = shelf.add(model, files(tmp_path, "c"))

    assert [version.version for version in shelf.registry.versions(model)] == [ours]
    for version, why in ((foreign, TRAINED_UNTIL_TAG), (odd, "is no time")):
        with pytest.raises(UnknownVersionError, match=why):
            shelf.registry.download(model, version, tmp_path / "v")


@pytest.mark.e2e
def test_links_lead_to_where_people_open_mlflow(
    mlflow_server: str, model: str, tmp_path: Path
) -> None:
    shelf = MlflowShelf(
        MlflowRegistry(mlflow_server),
        MlflowReports(mlflow_server, pages="https://ada:pw@mlflow.example.org/"),
        MlflowClient(tracking_uri=mlflow_server),
        tmp_path,
    )
    number = shelf.add(model, files(tmp_path, "a"))
    (version,) = [v for v in shelf.registry.versions(model) if v.version == number]
    found = shelf.reports.link(version, "monitoring/a b.html")

    assert found.startswith("https://mlflow.example.org/#/experiments/")
    assert found.endswith(f"/runs/{version.run_id}/artifactPath/monitoring/a%20b.html")


def test_a_server_that_does_not_answer_is_named_with_what_to_do() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"

    with pytest.raises(RegistryUnreachableError, match="trimtab up") as raised:
        MlflowRegistry(url).aliased("m", Alias.CHAMPION)
    assert url in str(raised.value)


def test_links_lead_to_the_version_and_its_run() -> None:
    version = ModelVersion(
        model="late", version="3", run_id="abc", trained_until=APRIL, manifest_sha256=""
    )

    assert version_page("http://h:1/", "late", "3") == "http://h:1/#/models/late/versions/3"
    assert run_page("http://h:1", version) == "http://h:1/#/runs/abc"


def test_a_block_of_the_description_is_replaced_and_what_people_wrote_stays(
    shelf: Shelf, model: str, tmp_path: Path
) -> None:
    shelf.add(model, files(tmp_path))
    [version] = shelf.registry.versions(model)

    shelf.reports.annotate(version, text="Ours since May.")
    shelf.reports.describe(version, "monitoring", "stable")
    shelf.reports.annotate(version, text="Ask Ann first.")
    for _ in range(2):
        shelf.reports.describe(version, "monitoring", "drift in `wind`")

    block = "<!-- trimtab:monitoring -->\ndrift in `wind`\n<!-- /trimtab:monitoring -->"
    assert shelf.text(version) == f"Ours since May.\n\n{block}\n\nAsk Ann first."


def test_a_curve_gets_a_point_a_window_and_the_same_point_once(
    shelf: Shelf, model: str, tmp_path: Path
) -> None:
    shelf.add(model, files(tmp_path))
    [version] = shelf.registry.versions(model)

    for step, share in ((0, 0.25), (1, 0.5), (1, 0.5)):
        at = APRIL + step * timedelta(days=7)
        shelf.reports.plot(version, {"monitor/drifted": share}, at=at, step=step)

    points = [(0, APRIL, 0.25), (1, APRIL + timedelta(days=7), 0.5)]
    assert shelf.curve(version, "monitor/drifted") == points


def test_a_published_report_has_a_link(shelf: Shelf, model: str, tmp_path: Path) -> None:
    shelf.add(model, files(tmp_path))
    [version] = shelf.registry.versions(model)

    link = shelf.reports.link(version, "monitoring/a b.html")
    if isinstance(shelf, MlflowShelf):
        assert link.endswith(f"/runs/{version.run_id}/artifactPath/monitoring/a%20b.html")


@pytest.mark.e2e
def test_the_curves_of_a_version_are_one_run_below_that_of_its_training(
    mlflow_server: str, model: str, tmp_path: Path
) -> None:
    client = MlflowClient(tracking_uri=mlflow_server)
    shelf = MlflowShelf(
        MlflowRegistry(mlflow_server), MlflowReports(mlflow_server), client, tmp_path
    )
    shelf.add(model, files(tmp_path))
    [version] = shelf.registry.versions(model)

    for step in range(2):  # as two monitors do, one after the other
        MlflowReports(mlflow_server).plot(version, {"rows": 400.0}, at=APRIL, step=step)

    (run,) = client.search_runs(["0"], f"tags.`mlflow.parentRunId` = '{version.run_id}'")
    assert run.info.status == "FINISHED"
    assert run.info.run_name == f"monitoring of {model} version 1"
    assert "rows" not in client.get_run(version.run_id).data.metrics


def test_the_picture_in_a_description_is_where_the_server_serves_it(
    mlflow_server: str, model: str, tmp_path: Path
) -> None:
    """Relative to the page, so that it is found wherever people open MLflow."""
    client = MlflowClient(tracking_uri=mlflow_server)
    run = client.create_run("0")
    version = ModelVersion(
        model=model,
        version="1",
        run_id=run.info.run_id,
        trained_until=APRIL,
        manifest_sha256="",
    )
    picture = tmp_path / "drawn.png"
    picture.write_bytes(b"\x89PNG and so on")
    reports = MlflowReports(mlflow_server)
    path = reports.publish(version, "gates/gate & more.png", picture)

    with urlopen(f"{mlflow_server}/{reports.image(version, path)}", timeout=30) as answer:
        assert answer.read() == picture.read_bytes()
