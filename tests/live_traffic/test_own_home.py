"""What lives for a while touches the stores of nobody else."""

import os
from pathlib import Path

import pytest
from pydantic import SecretStr

from trimtab.settings import Environment
from trimtab_pipelines.live_traffic.own_home import at_home, fresh_home, own_stores


def test_processes_that_are_started_do_not_hear_of_other_stores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TRIMTAB_DATABASE_URL", "postgresql://production")
    monkeypatch.setenv("TRIMTAB_API_KEY", "of-the-callers")
    monkeypatch.delenv("TRIMTAB_WEBHOOK_KEY", raising=False)

    with own_stores(TRIMTAB_WEBHOOK_KEY="ours"):
        assert "TRIMTAB_DATABASE_URL" not in os.environ
        assert os.environ["TRIMTAB_API_KEY"] == "of-the-callers"
        assert os.environ["TRIMTAB_WEBHOOK_KEY"] == "ours"

    assert os.environ["TRIMTAB_DATABASE_URL"] == "postgresql://production"
    assert "TRIMTAB_WEBHOOK_KEY" not in os.environ


def test_an_environment_at_home_names_no_other_store(tmp_path: Path) -> None:
    named = Environment(
        database_url=SecretStr("postgresql://production"),
        tracking_uri="http://production",
        inference_log=Path("/production"),
    )
    moved = at_home(named, tmp_path)

    assert moved.database_url is None
    assert moved.tracking_uri is None
    assert moved.inference_log is None
    assert moved.home == tmp_path
    assert moved.clock == tmp_path / "clock"


def test_a_fresh_home_holds_nothing_of_the_last_time(tmp_path: Path) -> None:
    (tmp_path / "artifacts").mkdir()
    (tmp_path / "trimtab.db").write_text("old")
    fresh_home(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["run"]
