"""The temporary platform is the user's in all that decides, and nobody's in all that it touches."""

import tomllib
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from trimtab.settings import Environment, load
from trimtab_pipelines.drill.own_project import free_ports, write_project
from trimtab_pipelines.drill.toml_text import to_toml

text = st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    text | st.integers() | st.booleans() | st.floats(allow_nan=False) | st.datetimes() | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=12,
)


@given(document=st.dictionaries(text, values, max_size=4))
def test_what_is_written_is_read_again(document: dict[str, Any]) -> None:
    assert tomllib.loads(to_toml(document)) == document


def test_rules_stay_and_places_change(project: Path) -> None:
    toml = (project / "trimtab.toml").read_text()
    (project / "trimtab.toml").write_text(toml.replace("cooldown", 'approval = "manual"\ncooldown'))
    theirs = load(
        project,
        Environment(
            database_url=SecretStr("postgresql://production"), tracking_uri="http://production"
        ),
    )
    home = project / "own-home"
    own = write_project(theirs, "orders", project / "own", home, "http://127.0.0.1:1/alerts")
    before, after = theirs.model("orders"), own.model("orders")

    places = {"source", "source_url", "serve", "retrain"}
    assert after.model_dump(exclude=places) == before.model_dump(exclude=places)
    assert after.retrain.model_dump(exclude={"approval"}) == before.retrain.model_dump(
        exclude={"approval"}
    )
    assert (before.retrain.approval, after.retrain.approval) == ("manual", "automatic")
    assert own.project.alerts.urls == ("http://127.0.0.1:1/alerts",)
    assert own.database_url == f"sqlite:///{home / 'trimtab.db'}"
    assert own.tracking_uri.startswith("http://127.0.0.1:")
    assert own.home.root == home
    assert after.serve.port != before.serve.port


def test_ports_are_given_once() -> None:
    ports = free_ports()

    assert len({next(ports) for _ in range(50)}) == 50
