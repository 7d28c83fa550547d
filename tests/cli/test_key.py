"""`trimtab key`: what is printed, what is kept, and what is never written anywhere."""

import json
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from trimtab.adapters.opening import open_database
from trimtab.cli.group import trimtab
from trimtab.errors import OpenEndpointError
from trimtab.records.documents import from_json
from trimtab.records.keys import Admission, KeyScope, hash_key
from trimtab.settings import Environment, load
from trimtab.supervisor import PortInUseError

TOML = '[models.late]\ntask = "binary"\nsource = "rows.csv"\ntarget = "late"\n'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "trimtab.toml").write_text(TOML)
    return tmp_path


def key(project: Path, *args: str) -> Result:
    return CliRunner().invoke(trimtab, ["key", *args, "--project", str(project)])


def create(project: Path, *args: str) -> str:
    done = key(project, "create", *args)
    assert done.exit_code == 0, done.output
    assert len(done.stdout.splitlines()) == 1
    return done.stdout.strip()


def test_a_key_is_printed_once_and_nothing_keeps_it(project: Path) -> None:
    secret = create(project, "shop", "--model", "late", "--scope", "predict", "--expires", "90d")
    id = secret.split("_")[1]
    said = "".join(
        key(project, *args).output
        for args in (("list",), ("list", "--json"), ("export", "late"), ("revoke", id))
    )
    with open_database(load(project, Environment())).transaction() as stores:
        ledger = repr(stores.ledger.entries())
    files = b"".join(path.read_bytes() for path in project.rglob("*") if path.is_file())

    assert secret.startswith("tt_")
    assert id in said
    assert id in ledger
    for part in (secret, secret.split("_", 2)[2]):
        assert part not in said + ledger
        assert part.encode() not in files


def test_what_is_kept_is_the_hash_with_its_scopes_and_its_end(project: Path) -> None:
    before = datetime.now(UTC)
    secret = create(project, "shop", "--scope", "admin", "--scope", "predict", "--expires", "90d")
    with open_database(load(project, Environment())).transaction() as stores:
        (kept,) = stores.keys.of("late")

    assert (kept.name, kept.model, kept.revoked_at) == ("shop", None, None)
    assert kept.sha256 == hash_key(secret.encode())
    assert kept.scopes == (KeyScope.PREDICT, KeyScope.ADMIN)
    assert kept.expires_at is not None
    assert timedelta(0) <= kept.expires_at - before - timedelta(days=90) < timedelta(minutes=5)


def test_the_ledger_says_who_made_and_who_revoked(project: Path) -> None:
    id = create(project, "shop", "--model", "late").split("_")[1]
    key(project, "revoke", id)
    with open_database(load(project, Environment())).transaction() as stores:
        revoked, created = stores.ledger.entries("late")

    assert (created.event, created.subject) == ("key created", id)
    assert (revoked.event, revoked.subject) == ("key revoked", id)
    assert created.reasons == ("for shop", "opens predict", "of late", "without an end")


def test_the_list_says_what_state_each_key_is_in(project: Path) -> None:
    first = create(project, "[bold]shop", "--expires", "1h").split("_")[1]
    second = create(project, "shop").split("_")[1]
    key(project, "revoke", second)
    listed = json.loads(key(project, "list", "--json").stdout)

    assert [(k["id"], k["state"]) for k in listed] == [(second, "revoked"), (first, "active")]
    assert not any("sha256" in k for k in listed)
    assert "[bold]shop" in key(project, "list").stdout


def test_an_export_holds_the_active_keys_and_closes(project: Path) -> None:
    assert from_json(Admission, key(project, "export", "late").stdout) == Admission()
    secret = create(project, "shop")
    gone = create(project, "other")
    key(project, "revoke", gone.split("_")[1])
    exported = from_json(Admission, key(project, "export", "late").stdout)

    assert exported.closed
    assert [k.sha256 for k in exported.keys] == [hash_key(secret.encode())]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("create", "shop", "--model", "nope"), "No model 'nope'"),
        (("create", "shop", "--scope", "root"), "'root' is not one of"),
        (("create", "shop", "--expires", "soon"), "is no length of time"),
        (("create", "shop", "--expires", "999999999999d"), "beyond the calendar"),
        (("create", "shop", "--expires", "9999999d"), "beyond the calendar"),
        (("create", ""), "1 to 100 printable characters"),
        (("create", "a\nb"), "1 to 100 printable characters"),
        (("create", "x" * 101), "1 to 100 printable characters"),
        (("revoke", "0123456789"), "There is no key '0123456789'"),
        (("export", "nope"), "No model 'nope'"),
    ],
)
def test_what_cannot_be_is_said(project: Path, args: tuple[str, ...], said: str) -> None:
    done = key(project, *args)

    assert done.exit_code != 0
    assert said in done.output + str(done.exception)
    assert key(project, "list", "--json").stdout.strip() == "[]"


def test_up_wants_an_active_key_where_others_can_reach_the_endpoint(project: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        reachable = f'[models.late.serve]\nhost = "0.0.0.0"\n[platform]\nmlflow_port = {port}\n'
        (project / "trimtab.toml").write_text(TOML + reachable)

        def up() -> BaseException | None:
            return CliRunner().invoke(trimtab, ["up", "--project", str(project)]).exception

        without = up()
        secret = create(project, "shop", "--model", "late")
        with_one = up()
        key(project, "revoke", secret.split("_")[1])
        revoked = up()

    assert isinstance(without, OpenEndpointError)
    assert "trimtab key create NAME --model late" in str(without)
    assert isinstance(with_one, PortInUseError)
    assert isinstance(revoked, OpenEndpointError)
