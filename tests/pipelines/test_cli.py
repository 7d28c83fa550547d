"""The verbs of pipelines, as a person at a terminal meets them."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result

from trimtab.adapters.opening import open_database, open_registry
from trimtab.errors import (
    ExitCode,
    RegistryUnreachableError,
    UnknownModelError,
    UnknownVersionError,
)
from trimtab.ports import Database, Stores
from trimtab.records.requests import RequestState, Trigger
from trimtab.records.versions import Alias
from trimtab.settings import load
from trimtab.supervisor import PortInUseError, is_up, require_free
from trimtab.supervisor.lock import end_leftovers
from trimtab_pipelines import asking, cli
from trimtab_pipelines.asking import RequestOpenError, train_by_hand
from trimtab_pipelines.by_hand import AlreadyChampionError, NothingBeforeError, promote_by_hand
from trimtab_pipelines.errors import NoTrialRowsError

Loop = Any  # the conftest's; it is no module that could be imported
Verb = Callable[..., Result]


@pytest.fixture
def run(project: Path) -> Verb:
    """Run a verb in the project's folder."""

    def verb(name: str, *args: str) -> Result:
        return CliRunner().invoke(getattr(cli, name), [*args, "--project", str(project)])

    return verb


def on(project: Path, port: int, model: str = "late") -> None:
    """Set the project's MLflow port, and its model's name."""
    path = project / "trimtab.toml"
    toml = path.read_text().replace("models.late", f"models.{model}")
    learner = f'[models.{model}.train]\ncandidates = ["logistic"]\nsearch.trials = 0\n'
    path.write_text(f"{toml}\n{learner}[platform]\nmlflow_port = {port}\n")


@pytest.mark.e2e
@pytest.mark.timeout(600)
def test_a_person_trains_promotes_and_rolls_back(
    run: Verb, project: Path, mlflow_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = f"m-{uuid4().hex[:10]}"
    on(project, 9, model)
    monkeypatch.setenv("TRIMTAB_TRACKING_URI", mlflow_server)
    settings = load(project)
    database, registry = open_database(settings), open_registry(settings)

    def champion() -> str | None:
        with database.transaction() as stores:
            current = stores.promotions.current(model)
        version = registry.aliased(model, Alias.CHAMPION)
        assert version == (current.version if current else None), "MLflow's alias follows"
        return version

    first = run("train", model)
    assert first.exit_code == 0, first.output
    assert "Gate: passed, compared with the baseline" in first.output
    assert f"#/models/{model}/versions/1" in first.output
    assert champion() == "1"

    again = run("train", model)
    assert again.exit_code == 3, "the same rows give the same model, which is no better"
    assert "compared with champion 1" in again.output
    assert champion() == "1"

    refused = run("promote", model, "2")
    assert refused.exit_code == 3
    assert "not promoted" in refused.output
    forced = run("promote", model, "2", "--force", "--why", "to see what happens")
    assert forced.exit_code == 0, forced.output
    assert "to see what happens" in forced.output
    assert champion() == "2"

    back = run("rollback", model, "--why", "seen enough")
    assert back.exit_code == 0, back.output
    assert champion() == "1"
    assert isinstance(run("rollback", model).exception, NothingBeforeError)
    assert isinstance(run("promote", model, "1").exception, AlreadyChampionError)
    assert isinstance(run("promote", model, "9").exception, UnknownVersionError)
    with database.transaction() as stores:
        assert stores.ledger.verify() > 0
        tags = {v.version: v.tags["trimtab.gate"] for v in registry.versions(model)}
    assert tags == {"1": "passed", "2": "rejected"}


@pytest.mark.parametrize(("verb", "args"), [("train", []), ("promote", ["1"]), ("rollback", [])])
def test_when_the_named_mlflow_is_away_a_verb_says_so_without_its_password_and_leaves_nothing(
    run: Verb,
    project: Path,
    verb: str,
    args: list[str],
    monkeypatch: pytest.MonkeyPatch,
    free_port: Callable[[], int],
) -> None:
    monkeypatch.setenv("TRIMTAB_TRACKING_URI", f"http://ada:secret@127.0.0.1:{free_port()}")

    result = run(verb, "late", *args)
    assert isinstance(result.exception, RegistryUnreachableError)
    assert "trimtab up" in str(result.exception)
    assert "TRIMTAB_TRACKING_URI" in str(result.exception)
    assert "secret" not in str(result.exception)
    assert not (project / ".trimtab").exists()


@pytest.mark.e2e
@pytest.mark.timeout(600)
def test_a_fresh_project_is_trained_without_any_server_and_none_is_left(
    run: Verb, project: Path, free_port: Callable[[], int]
) -> None:
    port = free_port()
    on(project, port)

    trained = run("train", "late")
    assert trained.exit_code == 0, trained.output
    assert "starting MLflow for this command" in trained.output
    require_free("127.0.0.1", port, "platform.mlflow_port")
    home = load(project).home
    assert not is_up(home.run)
    assert end_leftovers(home.run) == []

    again = run("promote", "late", "1")
    assert isinstance(again.exception, AlreadyChampionError), "what MLflow knew is kept"
    require_free("127.0.0.1", port, "platform.mlflow_port")


def test_a_port_that_somebody_else_has_is_named(run: Verb, project: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        on(project, other.getsockname()[1])

        assert isinstance(run("train", "late").exception, PortInUseError)


@pytest.mark.parametrize(
    "args",
    [
        ["promote", "late", "1", "--force"],
        ["promote", "late", "1", "--why", "because"],
        ["train", "late", "--until", "soon"],
        ["train", "late", "--force"],
        ["train", "late", "--why", "because"],
        ["train"],
    ],
)
def test_wrong_use_is_exit_code_2(run: Verb, args: list[str]) -> None:
    result = run(*args)

    assert result.exit_code == 2
    assert "Usage:" in result.output


@pytest.mark.parametrize("verb", ["train", "promote", "rollback"])
def test_an_unknown_model_is_named_before_anything_is_opened(run: Verb, verb: str) -> None:
    result = run(verb, "early", *(["1"] if verb == "promote" else []))

    assert isinstance(result.exception, UnknownModelError)
    assert "late" in str(result.exception)


@pytest.mark.parametrize("verb", ["train", "promote", "rollback", "demo"])
def test_help_teaches_by_an_example(verb: str) -> None:
    shown = CliRunner().invoke(getattr(cli, verb), ["--help"])

    assert f"Example: trimtab {verb}" in shown.output


def by_hand(loop: Loop, said: list[str] | None = None, override: str | None = None) -> Any:
    say = said.append if said is not None else lambda step: None
    return train_by_hand(loop.bench, "late", actor="ada", override=override, say=say)


def test_training_by_hand_files_claims_and_ends_a_request(loop: Loop) -> None:
    loop.shop.skills = [2.0]
    said: list[str] = []
    ended = by_hand(loop, said).request

    assert (ended.state, ended.trigger, ended.asked_by) == (
        RequestState.PROMOTED,
        Trigger.MANUAL,
        "ada",
    )
    assert loop.events()[0] == "retrain requested"
    assert said[0] == "deciding"
    assert said[-1] == "version 1: promoted"


def test_training_by_hand_takes_up_a_request_that_nobody_works_on(loop: Loop) -> None:
    loop.shop.skills = [2.0]
    loop.ask(Trigger.DRIFT)  # claimed by a worker ...
    with loop.database.transaction() as stores:
        stores.requests.renew("r1", "worker", timedelta(seconds=-1))  # ... that died
    ended = by_hand(loop).request

    assert ended.id == "r1"
    assert ended.state is RequestState.PROMOTED
    assert (ended.trigger, ended.asked_by) == (Trigger.MANUAL, "ada"), "a person need not wait"


def test_why_broken_data_may_be_trained_on_stands_with_the_request(loop: Loop) -> None:
    loop.shop.skills = [2.0]
    ended = by_hand(loop, override="put right").request

    assert ended.override == "put right"
    assert ended.state is RequestState.WAITING
    assert "although data may be broken: put right" in ended.reasons


def test_training_by_hand_does_not_get_in_the_way_of_another_one(loop: Loop) -> None:
    loop.ask(Trigger.DRIFT)

    with pytest.raises(RequestOpenError, match="under way"):
        by_hand(loop)
    assert loop.state() is RequestState.RUNNING
    assert loop.events() == []


def test_an_interrupted_training_is_written_down_as_that(loop: Loop) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    loop.shop.while_training = interrupt
    with pytest.raises(KeyboardInterrupt):
        by_hand(loop)
    with loop.database.transaction() as stores:
        [request] = stores.requests.recent("late")

    assert request.state is RequestState.FAILED
    assert request.reasons[-1] == "interrupted by ada"


def test_losing_mlflow_in_the_middle_ends_a_training_by_hand(loop: Loop) -> None:
    def away() -> None:
        raise RegistryUnreachableError("http://127.0.0.1:9")

    loop.shop.while_training = away
    with pytest.raises(RegistryUnreachableError):
        by_hand(loop)
    with loop.database.transaction() as stores:
        [request] = stores.requests.recent("late")

    assert request.state is RequestState.FAILED, "nobody else would take it up"


def test_a_promotion_without_new_rows_is_a_refusal(loop: Loop) -> None:
    version = loop.shop.add(2.0, datetime(2014, 1, 1, tzinfo=UTC))

    with pytest.raises(NoTrialRowsError, match="version 1") as refused:
        promote_by_hand(loop.bench, "late", version.version, actor="ada")
    assert refused.value.exit_code is ExitCode.REFUSED


def test_a_lease_outlives_a_database_that_fails_once(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "_RENEW_SECONDS", 0.01)
    request = loop.ask()
    flaky = Flaky(loop.database)
    with asking._lease_kept(flaky, request.id, "worker"):
        assert flaky.worked.wait(10)

    assert flaky.faults == 1


@dataclass
class Flaky:
    """A database whose first transaction fails."""

    database: Database
    faults: int = 0
    worked: Event = field(default_factory=Event)

    @contextmanager
    def transaction(self) -> Iterator[Stores]:
        if not self.faults:
            self.faults += 1
            raise OSError("disk I/O error")
        with self.database.transaction() as stores:
            yield stores
        self.worked.set()
