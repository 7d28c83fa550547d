"""Keys as people use them: made and revoked while the endpoint runs, and written nowhere."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner

from trimtab.adapters.opening import open_database
from trimtab.cli.group import trimtab
from trimtab.records.promotions import Promotion
from trimtab.settings import Settings

MODEL = "late-arrival"
PLAIN = "a-key-of-the-environment"
Wait = Callable[..., None]

pytestmark = pytest.mark.e2e


@dataclass(frozen=True)
class Running:
    """A worker that serves version 1 where the environment holds a key, and all that it says."""

    settings: Settings
    worker: "subprocess.Popen[bytes]"
    log: Path
    caller: Any
    body: bytes

    def verb(self, *args: str) -> str:
        home = {"TRIMTAB_HOME": str(self.settings.home.root)}
        told = [*args, "--project", str(self.settings.folder)]
        done = CliRunner().invoke(trimtab, told, env=home)
        assert done.exception is None or args[0] == "status", done.output
        return done.stdout

    def predict(self, key: str | None) -> int:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        status: int = self.caller.predict(self.body, **headers)[0]
        return status


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory,
    shelf: Any,
    project: Any,
    caller: Any,
    row: Any,
    wait: Wait,
) -> Iterator[Running]:
    tmp_path = tmp_path_factory.mktemp("keys")
    settings: Settings = project(tmp_path / "project")
    shelf.lend(settings, "1")
    first = Promotion(
        model=MODEL,
        epoch=1,
        version="1",
        previous=None,
        manifest_sha256=shelf.hashes["1"],
        actor="tests",
        reasons=(),
        at=datetime.now(UTC),
    )
    with open_database(settings).transaction() as stores:
        stores.promotions.record(first)
    home = {"TRIMTAB_HOME": str(settings.home.root), "TRIMTAB_API_KEY": PLAIN}
    with (tmp_path / "worker.log").open("wb") as log:
        worker = subprocess.Popen(
            [sys.executable, "-m", "trimtab_services.worker", str(settings.folder)],
            env={**os.environ, **home},
            stdout=log,
            stderr=log,
        )
    body = orjson.dumps({"rows": [row()]})
    calling = caller(settings.model(MODEL).serve.port)
    try:
        wait(lambda: calling.is_ready, "the endpoint to be ready")
        yield Running(settings, worker, tmp_path / "worker.log", calling, body)
    finally:
        worker.terminate()
        worker.wait(15)


def tree(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(below for child in children for below in tree(int(child)))]


def test_what_a_bento_shows_besides_is_bounded_and_closed(running: Running) -> None:
    shown = ["/", "/docs.json", "/schema.json", "/metrics", "/static_content/swagger-ui.css"]
    for path in shown:
        assert running.caller.call("GET", path)[0] == 401
        status, body, _ = running.caller.call(
            "GET", path, None, {"authorization": f"Bearer {PLAIN}"}
        )
        assert (status, path) == (200, path)
        assert 0 < len(body) < 1 << 20
    for path in ("/livez", "/readyz", "/healthz"):
        assert running.caller.call("GET", path)[0] == 200
    for path in ("/nowhere", "/predict/", "/labels", "/static_content/../service.py"):
        assert running.caller.call("GET", path)[0] == 401


def test_keys_count_within_seconds_and_are_written_nowhere(running: Running, wait: Wait) -> None:
    before = tree(running.worker.pid)
    secret = running.verb("key", "create", "shop", "--model", MODEL).strip()
    assert running.predict(None) == 401
    wait(lambda: running.predict(secret) == 200, "the new key to count", 5)
    _, _, headers = running.caller.call("GET", "/metrics", None, {})
    assert headers["www-authenticate"] == "Bearer"
    said = running.verb("key", "list") + running.verb("status", "--json")
    running.verb("key", "revoke", secret.split("_")[1])
    wait(lambda: running.predict(secret) == 401, "the revoked key to be refused", 5)

    assert running.predict(PLAIN) == 200
    assert tree(running.worker.pid) == before  # nothing was started anew
    arguments = b"".join(Path(f"/proc/{pid}/cmdline").read_bytes() for pid in before)
    files = [path for path in running.settings.folder.rglob("*") if path.is_file()]
    written = b"".join(path.read_bytes() for path in [*files, running.log])
    assert any(path.suffix == ".seg" for path in files)
    for part in (secret, secret.split("_", 2)[2], PLAIN):
        assert part.encode() not in written + arguments
        assert part not in said
