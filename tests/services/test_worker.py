"""The services' worker: what it says, and what it tries again."""

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from trimtab.adapters.clock import SystemClock
from trimtab.adapters.opening import open_log
from trimtab.adapters.sql import open_database
from trimtab.errors import SettingsError
from trimtab.records.keys import Admission
from trimtab.records.promotions import Promotion
from trimtab.settings import Environment, Settings, load
from trimtab.supervisor import PortInUseError
from trimtab_services.attendant import Attendant
from trimtab_services.crew import Crew
from trimtab_services.keys import write_admission
from trimtab_services.listening import listen
from trimtab_services.nursery import Nursery
from trimtab_services.reconcile import Keeper
from trimtab_services.shipper import Shipper, SpoolTakenError

MODEL = "late-arrival"
Wait = Callable[..., None]


def test_without_a_champion_the_status_says_so(tmp_path: Path, project: Any) -> None:
    settings: Settings = project(tmp_path)
    database = open_database(settings.database_url)
    nursery = Nursery()
    log, clock = open_log(settings), SystemClock()
    attendant = Attendant(settings, MODEL, database, log, clock, nursery)
    attendant.keep_books(True)
    attendant.tend()
    attendant.finish(0)
    nursery.end()
    with database.transaction() as stores:
        status = stores.endpoints.get(MODEL)

    assert status is not None
    assert status.version is None
    assert "no champion yet" in status.note
    assert status.shipped_through is not None


def test_a_port_in_use_is_named_with_its_setting(tmp_path: Path, project: Any) -> None:
    settings: Settings = project(tmp_path)
    with listen(settings, MODEL), pytest.raises(PortInUseError, match=r"serve\.port"):
        listen(settings, MODEL, patience=0)


def test_without_a_key_only_this_machine_may_call(tmp_path: Path, project: Any) -> None:
    open_to_all = project(tmp_path).folder / "trimtab.toml"
    open_to_all.write_text(open_to_all.read_text() + 'host = "0.0.0.0"\n')

    with pytest.raises(SettingsError, match=f"trimtab key create NAME --model {MODEL}"):
        listen(load(tmp_path, Environment()), MODEL)
    listen(load(tmp_path, Environment(api_key=SecretStr("key"))), MODEL).close()
    listen(load(tmp_path, Environment()), MODEL, has_keys=True).close()


def two_models(settings: Settings) -> Settings:
    """Add a model on another port."""
    file = settings.folder / "trimtab.toml"
    port = settings.model(MODEL).serve.port
    text = file.read_text()
    other = text.replace(MODEL, "other").replace(f"port = {port}", f"port = {port + 1}")
    file.write_text(text + other)
    return load(settings.folder, settings.environment)


def test_a_model_that_cannot_be_attended_does_not_keep_the_others(
    tmp_path: Path, project: Any
) -> None:
    settings = two_models(project(tmp_path))
    nursery = Nursery()
    crew = Crew(
        settings=settings,
        database=open_database(settings.database_url),
        log=open_log(settings),
        clock=SystemClock(),
        nursery=nursery,
    )
    spool = settings.home.spool("other")
    taken = Shipper(spool, "other", crew.log, lambda _: pytest.fail("nothing to ship"))
    try:
        with pytest.raises(SpoolTakenError):
            crew.gather(["other"])
        crew.gather(["other", MODEL])
        attended = [attendant.keeper.model for attendant in crew.attendants]
        taken.close()
        deadline = time.monotonic() + 20  # a child that just forks may hold the lock a moment
        while crew.missing and time.monotonic() < deadline:
            crew.missing["other"].next_try = 0.0
            crew.complete()
    finally:
        for attendant in crew.attendants:
            attendant.finish(0)
        nursery.end()

    assert attended == [MODEL]
    assert [attendant.keeper.model for attendant in crew.attendants] == [MODEL, "other"]
    assert crew.missing == {}


def test_a_version_whose_process_cannot_be_started_is_tried_again_later(
    tmp_path: Path, project: Any, shelf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: Settings = project(tmp_path)
    shelf.lend(settings, "1")
    write_admission(settings.home.keys(MODEL), Admission(closed=False))
    nursery = Nursery()
    nursery.end()  # neither warm nor warming
    promotion = Promotion(
        model=MODEL,
        epoch=1,
        version="1",
        previous=None,
        manifest_sha256=shelf.hashes["1"],
        actor="tests",
        reasons=(),
        at=datetime.now(UTC),
    )
    keeper = Keeper(settings, MODEL, listen(settings, MODEL), nursery)
    keeper.want(promotion)
    with monkeypatch.context() as broken:
        broken.setattr(sys, "executable", str(tmp_path / "gone"))
        keeper.step()
    note = keeper.standing.note
    deadline = time.monotonic() + 60
    while keeper.standing.version != "1" and time.monotonic() < deadline:
        keeper.step()
        time.sleep(0.02)
    version = keeper.standing.version
    keeper.end()
    keeper.wait(time.monotonic() + 10)

    assert "version 1 is not served" in note
    assert version == "1"
