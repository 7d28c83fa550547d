"""The upkeep's process: started when there is something to do, beside a worker that ships."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from trimtab.adapters import log_merging
from trimtab.adapters.parquet_log import ParquetLog
from trimtab.adapters.sql import open_database
from trimtab.cli.group import trimtab as command
from trimtab.settings import Environment, Settings, load
from trimtab_services.segments import SegmentWriter
from trimtab_services.shipper import Shipper
from trimtab_services.testing import MODEL, capture, contract_of, request
from trimtab_services.upkeep import Upkeep


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "trimtab.toml").write_text(
        f'[models.{MODEL}]\ntask = "binary"\nsource = "rows.csv"\ntarget = "y"\n'
    )
    return load(tmp_path, Environment(home=tmp_path / "home"))


@pytest.fixture
def upkeep(settings: Settings) -> Iterator[Upkeep]:
    upkeep = Upkeep(settings, [MODEL])
    yield upkeep
    upkeep.end()


def test_a_subject_is_erased_beside_a_worker_that_ships(settings: Settings, upkeep: Upkeep) -> None:
    spool, log = settings.home.spool(MODEL), ParquetLog(settings.inference_log)
    one = f"{7:032x}"
    with (
        closing(SegmentWriter(spool)) as writer,
        closing(Shipper(spool, MODEL, log, contract_of)) as shipper,
        ThreadPoolExecutor(1) as pool,
    ):
        for number in range(10):
            writer.append(*request(number))
        shipper.ship()
        found = log.read(MODEL, "1")
        assert found is not None
        (id,) = found.rows.loc[found.rows["request_id"] == one, "prediction_id"]
        arguments = ["erase", MODEL, "--prediction-id", id, "--project", str(settings.folder)]
        erasing = pool.submit(
            CliRunner().invoke, command, arguments, env={"TRIMTAB_HOME": str(settings.home.root)}
        )
        deadline = time.monotonic() + 60
        while not erasing.done() and time.monotonic() < deadline:
            shipper.ship()
            upkeep.step()
            time.sleep(0.1)

    assert erasing.result().exit_code == 0, erasing.result().output
    left = log.read(MODEL, "1")
    assert left is not None
    assert sorted(int(id, 16) for id in left.rows["request_id"]) == [0, 1, 2, 3, 4, 5, 6, 8, 9]
    with closing(open_database(settings.database_url)) as data, data.transaction() as stores:
        (entry,) = stores.ledger.entries(MODEL)
    assert entry.event == "subject erased"


def test_small_files_are_merged_when_it_is_time(settings: Settings) -> None:
    spool, log = settings.home.spool(MODEL), ParquetLog(settings.inference_log)
    for number in range(log_merging.MANY_PARTS):
        capture(spool, request(number))
    with closing(Shipper(spool, MODEL, log, contract_of)) as shipper:
        assert shipper.ship().rows == log_merging.MANY_PARTS
    folder = settings.inference_log / MODEL / "version=1"
    assert len(os.listdir(folder)) == log_merging.MANY_PARTS

    upkeep = Upkeep(settings, [MODEL], first_seconds=0.0)
    deadline = time.monotonic() + 60
    while len(os.listdir(folder)) > 1:
        upkeep.step()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    upkeep.end()
    found = log.read(MODEL, "1")
    assert found is not None
    assert len(found.rows) == log_merging.MANY_PARTS
