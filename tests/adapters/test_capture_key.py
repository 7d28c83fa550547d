"""The secret of the hashes: made once, kept for its owner alone, never changed."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import SecretStr

from trimtab.adapters.capture_key import capture_key, open_redaction
from trimtab.errors import SettingsError
from trimtab.settings import Environment, Settings, load

Project = Callable[..., Settings]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    def make(key: str | None = None, capture: str = "hash_keys = true") -> Settings:
        (tmp_path / "trimtab.toml").write_text(
            '[models.m]\ntask = "binary"\nsource = "rows.csv"\ntarget = "y"\n'
            f"[models.m.capture]\n{capture}\n"
        )
        secret = SecretStr(key) if key else None
        return load(tmp_path, Environment(home=tmp_path / "home", capture_key=secret))

    return make


def test_the_secret_is_made_once_and_is_its_owners_alone(project: Project) -> None:
    settings = project()
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(capture_key, [settings] * 32))

    assert len(found) == 1
    assert settings.home.capture_key.stat().st_mode & 0o777 == 0o600
    assert list(settings.home.root.iterdir()) == [settings.home.capture_key]


def test_a_given_secret_goes_first_and_makes_no_file(project: Project) -> None:
    settings = project("correct horse battery staple")

    assert capture_key(settings) == "correct horse battery staple"
    assert not settings.home.capture_key.exists()


def test_a_damaged_secret_is_never_made_anew(project: Project) -> None:
    settings = project()
    capture_key(settings)
    settings.home.capture_key.write_text("")

    with pytest.raises(OSError, match=r"capture\.key is damaged"):
        capture_key(settings)


def test_no_secret_is_made_where_nothing_is_hashed(project: Project) -> None:
    settings = project(capture='drop = ["name"]')

    assert open_redaction(settings, "m").dropped == {"name"}
    assert not settings.home.root.exists()


def test_a_column_is_dropped_or_hashed_and_not_both(project: Project) -> None:
    with pytest.raises(SettingsError, match=r"models\.m\.capture: 'a' is named in drop and in ha"):
        project(capture='drop = ["a"]\nhash = ["a"]')


def test_a_short_secret_is_refused(monkeypatch: pytest.MonkeyPatch, project: Project) -> None:
    settings = project()
    monkeypatch.setenv("TRIMTAB_CAPTURE_KEY", "secret")

    with pytest.raises(SettingsError, match="TRIMTAB_CAPTURE_KEY: is shorter than 16"):
        load(settings.folder)
