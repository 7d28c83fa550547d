"""Old packages make way, and none that is in use does."""

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from trimtab.adapters.clock import SystemClock
from trimtab.adapters.sql import open_database
from trimtab.adapters.sql.database import SqlDatabase
from trimtab.records.promotions import Promotion
from trimtab.records.trials import Trial, TrialKind
from trimtab.settings import Environment, Settings, load
from trimtab_services.pointer import Pointer, write_pointer
from trimtab_services.pruning import prune

MODEL = "late"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "trimtab.toml").write_text(
        f'[models.{MODEL}]\ntask = "binary"\nsource = "rows.csv"\ntarget = "y"\n'
        f"[models.{MODEL}.serve]\nkeep_versions = 2\n"
    )
    settings = load(tmp_path, Environment(home=tmp_path / "home"))
    for version in range(1, 13):
        for folder in (settings.home.bento, settings.home.version):
            path = folder(MODEL, str(version))
            path.mkdir(parents=True)
            (path / "file").write_text("x")
            os.utime(path, (0, 0))
    return settings


@pytest.fixture
def database(settings: Settings) -> Iterator[SqlDatabase]:
    database = open_database(settings.database_url)
    yield database
    database.close()


def promote(database: SqlDatabase, *versions: str) -> None:
    for epoch, version in enumerate(versions, start=1):
        promotion = Promotion(
            model=MODEL,
            epoch=epoch,
            version=version,
            previous=None,
            manifest_sha256="0" * 64,
            actor="tests",
            reasons=("because",),
            at=datetime.now(UTC),
        )
        with database.transaction() as stores:
            stores.promotions.record(promotion)


def serve(settings: Settings, version: str) -> None:
    bento = settings.home.bento(MODEL, version)
    pointer = Pointer(epoch=1, version=version, manifest_sha256="0" * 64, bento=bento)
    write_pointer(settings.home.serving(MODEL), pointer)


def left(settings: Settings) -> list[int]:
    folder = settings.home.bento(MODEL, "x").parent
    return sorted(int(path.name) for path in folder.glob("[!.]*"))


def test_champions_the_served_and_the_newest_stay(
    settings: Settings, database: SqlDatabase
) -> None:
    promote(database, "1", "2", "4", "2")
    serve(settings, "7")
    for _ in range(2):
        prune(settings, MODEL, database, SystemClock())

    assert left(settings) == [2, 4, 7, 11, 12]
    copies = settings.home.version(MODEL, "x").parent
    assert sorted(int(p.name) for p in copies.glob("[!.]*")) == [2, 4, 7, 11, 12]
    with database.transaction() as stores:
        (entry,) = stores.ledger.entries(MODEL)
    assert (entry.event, entry.subject) == ("packages removed", "versions 1, 3, 5, 6, 8, 9, 10")


def test_what_was_made_today_stays(settings: Settings, database: SqlDatabase) -> None:
    os.utime(settings.home.bento(MODEL, "3"))
    prune(settings, MODEL, database, SystemClock())

    assert left(settings) == [3, 11, 12]


def test_killed_halfway_it_leaves_whole_packages_and_goes_on(
    settings: Settings, database: SqlDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    removed: list[object] = []
    remove = shutil.rmtree

    def killed(path: Path, ignore_errors: bool = False) -> None:
        if len(removed) == 3:
            raise KeyboardInterrupt
        removed.append(path)
        remove(path)

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            prune(settings, MODEL, database, SystemClock())
    folder = settings.home.bento(MODEL, "x").parent
    assert all((path / "file").exists() for path in folder.glob("[!.]*"))

    prune(settings, MODEL, database, SystemClock())
    assert left(settings) == [11, 12]
    assert [path.name for path in folder.glob(".pruned-*")] == []


def test_a_model_that_was_never_served_has_nothing_to_prune(
    settings: Settings, database: SqlDatabase
) -> None:
    shutil.rmtree(settings.home.root / "bentos")
    shutil.rmtree(settings.home.root / "versions")
    prune(settings, MODEL, database, SystemClock())

    with database.transaction() as stores:
        assert list(stores.ledger.entries(MODEL)) == []


def test_the_version_on_trial_stays(settings: Settings, database: SqlDatabase) -> None:
    promote(database, "1")
    now = datetime.now(UTC)
    trial = Trial(
        id="t",
        model=MODEL,
        kind=TrialKind.CANARY,
        champion="1",
        epoch=1,
        challenger="3",
        manifest_sha256="0" * 64,
        by="tests",
        why="because",
        began_at=now,
        since=now,
        share=0.1,
        compared_through=now,
    )
    with database.transaction() as stores:
        stores.trials.begin(trial)
    prune(settings, MODEL, database, SystemClock())

    assert left(settings) == [1, 3, 11, 12]
