"""Quarantined requests get into the log once their reason is gone, each once."""

from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from trimtab.adapters.parquet_log import ParquetLog
from trimtab.cli.group import trimtab as command
from trimtab.errors import ExitCode
from trimtab.records.contracts import Contract
from trimtab.settings import Environment, Settings, load
from trimtab_services.quarantine import Quarantine
from trimtab_services.requeue import Requeue
from trimtab_services.shipper import Shipper
from trimtab_services.testing import MODEL, capture, contract_of, put_contract, request

NONE: dict[str, Contract] = {}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "trimtab.toml").write_text(
        f'[models.{MODEL}]\ntask = "binary"\nsource = "rows.csv"\ntarget = "y"\n'
    )
    settings = load(tmp_path, Environment(home=tmp_path / "home"))
    hot = request(2, temps=["hot"])
    capture(settings.home.spool(MODEL), request(1), hot, request(3), (bytes(16), b"what is this"))
    with closing(
        Shipper(
            settings.home.spool(MODEL),
            MODEL,
            log_of(settings),
            NONE.__getitem__,
            patience_seconds=0,
        )
    ) as shipper:
        shipper.ship()
        shipper.ship()
    return settings


def log_of(settings: Settings) -> ParquetLog:
    return ParquetLog(settings.inference_log)


def run(settings: Settings, *options: str) -> tuple[int, str]:
    arguments = ["quarantine", MODEL, "--project", str(settings.folder), *options]
    done = CliRunner().invoke(command, arguments, env={"TRIMTAB_HOME": str(settings.home.root)})
    return done.exit_code, " ".join(done.output.split())


def logged(settings: Settings) -> list[int]:
    found = log_of(settings).read(MODEL, "1")
    return [] if found is None else sorted(int(id, 16) for id in found.rows["request_id"])


def test_the_command_says_why_and_logs_what_fits(settings: Settings) -> None:
    assert run(settings)[0] == ExitCode.REFUSED
    assert logged(settings) == []
    put_contract(settings.home.bento(MODEL, "1"))
    assert run(settings)[0] == ExitCode.REFUSED
    assert logged(settings) == []
    for _ in range(2):
        assert run(settings, "--retry")[0] == ExitCode.REFUSED
        assert logged(settings) == [1, 3]
    assert Quarantine(settings.home.spool(MODEL) / "quarantine").requests == 2


def test_a_retry_that_is_killed_logs_nothing_twice(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    quarantine = Quarantine(settings.home.spool(MODEL) / "quarantine")
    requeue = Requeue(
        model=MODEL, quarantine=quarantine, log=log_of(settings), contract_of=contract_of
    )

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Quarantine, "keep_only", killed)
        with pytest.raises(KeyboardInterrupt):
            requeue.look(retry=True)
    assert logged(settings) == [1, 3]
    found = requeue.look(retry=True)

    assert logged(settings) == [1, 3]
    assert found.logged == 2
    assert found.kept.total() == 2
    assert requeue.look(retry=True).logged == 0


def test_what_was_quarantined_stays_done_for_the_shipper(settings: Settings) -> None:
    put_contract(settings.home.bento(MODEL, "1"))
    names = Quarantine(settings.home.spool(MODEL) / "quarantine").names()
    run(settings, "--retry")

    assert Quarantine(settings.home.spool(MODEL) / "quarantine").names() == names
