"""An exported bento where nobody has heard of Trimtab: its Containerfile, step by step.

No engine is needed: the steps run in a folder of their own, with an environment that holds the
lock and nothing else, as the image's user, who owns none of it.
"""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from trimtab.errors import ExitCode
from trimtab_services.captured import CapturedRequest, decode
from trimtab_services.export import Exported, export
from trimtab_services.frames import FrameKind, scan

KEY = {"authorization": "Bearer a-key"}
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


def instructions(containerfile: str) -> list[list[tuple[str, str]]]:
    """Give the instructions of each step: the word, and what follows it."""
    text = re.sub(r"^#.*\n", "", containerfile, flags=re.MULTILINE).replace("\\\n", " ")
    lines = [line.strip().partition(" ")[::2] for line in text.splitlines() if line.strip()]
    starts = [i for i, (word, _) in enumerate(lines) if word == "FROM"]
    return [lines[a:b] for a, b in zip(starts, [*starts[1:], len(lines)], strict=True)]


def variables(step: list[tuple[str, str]]) -> dict[str, str]:
    parts = [part for word, rest in step if word == "ENV" for part in shlex.split(rest)]
    return dict(part.split("=", 1) for part in parts)


def the(word: str, step: list[tuple[str, str]]) -> str:
    (found,) = [rest for this, rest in step if this == word]
    return found


@dataclass
class Machine:
    """A folder that stands for the container's root."""

    root: Path
    user: int | None
    """None where this test may not become another user."""
    step: list[tuple[str, str]] = field(default_factory=list)
    """The instructions of the finished image."""
    said: str = ""
    """What the build printed."""

    @property
    def own(self) -> Path:
        """The only place where the image's user may write: its /tmp."""
        return self.root / "tmp"

    def within(self, text: str) -> str:
        """Put absolute paths of the image into the folder."""
        return re.sub(r"(?<![\w.:/])/(app|build|tmp)\b", rf"{self.root}/\1", text)

    def build(self, exported: Exported, interpreter: str) -> None:
        build, self.step = instructions((exported.folder / "Containerfile").read_text())
        tools = self.root / "tools"
        for folder in (tools, self.own, self.root / "build", self.root / "app"):
            folder.mkdir()
        (tools / "python").symlink_to(interpreter)
        (tools / "uv").symlink_to(Path(sysconfig.get_path("scripts")) / "uv")
        cache = subprocess.check_output([tools / "uv", "cache", "dir"], text=True).strip()
        environment = {
            **{k: v for k, v in os.environ.items() if k.startswith(("UV_", "SSL_"))},
            **variables(build),
            "UV_CACHE_DIR": cache,
            "UV_LINK_MODE": "hardlink",  # the same files, without a second copy of them
            "UV_COMPILE_BYTECODE": "0",  # the proof leaves what it compiles; the rest is not used
            "PATH": f"{tools}:{os.defpath}",
            "HOME": str(self.own),
        }
        for word, rest in build:
            if word == "COPY":
                for name in rest.split()[:-1]:
                    shutil.copy(exported.folder / name, self.root / "build")
            if word == "RUN" and not rest.startswith("pip install --no-cache-dir uv=="):
                command = re.sub(r"--python 3\.\d+\.\d+ ", f"--python {interpreter} ", rest)
                self._run(self.within(command), environment)
        if self.user is not None:
            os.chown(self.own, self.user, self.user)

    def _run(self, command: str, environment: Mapping[str, str]) -> None:
        done = subprocess.run(
            ["/bin/sh", "-euc", command],
            cwd=self.root / "build",
            env=dict(environment),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        self.said += done.stdout

    def environment(self, port: int, **more: str) -> dict[str, str]:
        """Give what the finished image sets, but on a port of ours and on loopback."""
        image = {name: self.within(value) for name, value in variables(self.step).items()}
        path = image["PATH"].replace("$PATH", os.defpath)
        ours = {"PATH": path, "BENTOML_HOST": "127.0.0.1", "BENTOML_PORT": str(port)}
        return {**image, **ours, "TMPDIR": str(self.own), **more}

    def start(
        self, command: list[str], environment: Mapping[str, str], **more: Any
    ) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            command,
            env=dict(environment),
            cwd=self.own,
            user=self.user,
            group=self.user,
            extra_groups=None if self.user is None else [],
            start_new_session=True,
            text=True,
            **more,
        )

    @contextmanager
    def running(self, command: list[str], log: Path, caller: Any, **more: str) -> Iterator[Any]:
        """Run a server as the image's user, and end it by the signal that engines send."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        with log.open("w") as said:
            process = self.start(
                command, self.environment(port, **more), stdout=said, stderr=subprocess.STDOUT
            )
            try:
                yield process, caller(port)
            finally:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(30)
                finally:
                    if process.poll() is None:
                        os.killpg(process.pid, signal.SIGKILL)

    def entrypoint(self) -> list[str]:
        return [self.within(part) for part in json.loads(the("ENTRYPOINT", self.step))]


def interpreter_for(user: int) -> str | None:
    """Find a Python like ours that another user can run."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    own = Path(sys.base_prefix) / "bin" / name
    for found in (str(own), *(f"{folder}/{name}" for folder in ("/usr/local/bin", "/usr/bin"))):
        command = [found, "-c", "import venv, lzma, ssl"]
        try:
            subprocess.run(command, user=user, extra_groups=[], check=True, capture_output=True)
            return found
        except (OSError, subprocess.CalledProcessError):
            continue
    return None


@pytest.fixture(scope="module")
def exported(shelf: Any, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return export(shelf.bento("1"), tmp_path_factory.mktemp("export"))


@pytest.fixture(scope="module")
def machine(exported: Exported) -> Iterator[Machine]:
    root = Path(tempfile.mkdtemp(prefix="deployed-"))
    root.chmod(0o755)
    _, final = instructions((exported.folder / "Containerfile").read_text())
    user: int | None = int(the("USER", final).split(":")[0])
    interpreter = interpreter_for(user) if os.geteuid() == 0 and user is not None else None
    machine = Machine(root, user if interpreter else None)
    try:
        own = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
        machine.build(exported, interpreter or str(own))
        yield machine
    finally:
        shutil.rmtree(root)


@pytest.fixture(scope="module")
def golden(shelf: Any) -> pd.DataFrame:
    return pd.read_parquet(shelf.files / "versions" / "1" / "golden.parquet")


def replay(caller: Any, golden: pd.DataFrame) -> float:
    """Ask for all golden rows over HTTP; give the largest difference."""
    inputs = golden.filter(regex=r"^(?!\(output|humidity)").copy()
    inputs["scheduled"] = inputs["scheduled"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    body = json.dumps({"rows": json.loads(inputs.to_json(orient="records", double_precision=15))})
    status, answer = caller.predict(body.encode(), **KEY)
    assert status == 200, answer
    found = [list(p["probabilities"].values()) for p in answer["predictions"]]
    return float(np.abs(np.array(found) - golden.filter(regex=r"^\(output").to_numpy()).max())


def files_of(folder: Path) -> dict[str, tuple[int, int]]:
    found = (path for path in folder.rglob("*") if not path.is_symlink())
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in found}


def written_by(user: int) -> set[str]:
    """Name what a user left in the places where everybody may write."""
    places = [Path(place) for place in ("/tmp", "/var/tmp", "/dev/shm") if Path(place).is_dir()]
    return {
        str(path) for place in places for path in place.iterdir() if path.lstat().st_uid == user
    }


def requests_in(spool: Path) -> dict[str, list[CapturedRequest]]:
    return {
        segment.name: [
            decode(frame.payload)
            for frame in scan(segment.read_bytes())
            if frame.kind is FrameKind.REQUEST
        ]
        for segment in spool.glob("*.seg")
    }


def test_the_build_proves_the_bento_with_the_packages_of_the_image(machine: Machine) -> None:
    proof = json.loads(machine.said.splitlines()[-1])

    assert (proof["proven"], proof["golden_rows"], proof["differing"]) == (True, 100, [])
    done = subprocess.run(
        [machine.root / "app" / "venv" / "bin" / "python", "-P", "-c", "import trimtab"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "No module named 'trimtab'" in done.stderr


def test_the_image_s_process_serves_the_golden_rows_and_leaves_nothing(
    machine: Machine, golden: pd.DataFrame, caller: Any, wait: Callable[..., None], tmp_path: Path
) -> None:
    log = tmp_path / "log"
    before, strangers = files_of(machine.root / "app"), written_by(machine.user or -1)
    serving = machine.running(
        machine.entrypoint(), log, caller, TRIMTAB_API_KEY=KEY["authorization"].split()[1]
    )
    with serving as (process, endpoint):
        wait(lambda: endpoint.is_ready or process.poll() is not None, "the endpoint to be ready")
        assert replay(endpoint, golden) < 1e-6, log.read_text()
        assert endpoint.predict(b"{}")[0] == 401
        assert endpoint.call("GET", "/metrics")[0] == 401
        health = the("HEALTHCHECK", machine.step).partition("CMD ")[2]
        check = [part.replace("3000", str(endpoint.port)) for part in json.loads(health)]
        assert machine.start(check, machine.environment(endpoint.port)).wait(60) == 0

    assert process.returncode == 0
    assert log.read_text().count("TRIMTAB_SPOOL is not set") == 1
    assert files_of(machine.root / "app") == before
    assert written_by(machine.user or -1) == strangers
    assert machine.start(check, machine.environment(endpoint.port), stderr=-3).wait(60) == 1


def test_the_image_does_not_start_for_others_without_a_key(machine: Machine) -> None:
    environment = {**machine.environment(0), "BENTOML_HOST": "0.0.0.0", "BENTOML_PORT": "3000"}
    process = machine.start(machine.entrypoint(), environment, stderr=subprocess.PIPE)
    _, complaint = process.communicate(timeout=60)

    assert process.returncode == ExitCode.USAGE
    assert "set TRIMTAB_API_KEY" in complaint


def test_bentoml_takes_the_archive_and_serves_it_with_two_workers(
    machine: Machine,
    exported: Exported,
    golden: pd.DataFrame,
    caller: Any,
    wait: Callable[..., None],
    tmp_path: Path,
) -> None:
    archive = machine.root / "build" / exported.archive.name
    before = files_of(machine.root / "app")
    spool = machine.own / "spool"
    more = {
        "TRIMTAB_API_KEY": KEY["authorization"].split()[1],
        "TRIMTAB_SPOOL": str(spool),
        "BENTOML_CONFIG_OVERRIDES": '{"services": {"late-arrival": {"workers": 2}}}',
        "PYTHONPATH": "",
    }
    imported = machine.start(["bentoml", "import", str(archive)], machine.environment(0, **more))
    assert imported.wait(120) == 0
    log = tmp_path / "log"
    served = ["bentoml", "serve", str(machine.root / "app" / "bento")]
    serving = machine.running(served, log, caller, **more)
    with serving as (process, endpoint):
        wait(lambda: endpoint.is_ready or process.poll() is not None, "the endpoint to be ready")
        wait(lambda: len(requests_in(spool)) == 2, "both workers to capture")
        assert replay(endpoint, golden) < 1e-6
        for _ in range(20):
            assert replay(endpoint, golden.head(1)) < 1e-6
        assert endpoint.predict(b"{}")[0] == 401

    assert process.returncode == 0, log.read_text()
    kept = [request for requests in requests_in(spool).values() for request in requests]
    assert sum(len(request.rows) for request in kept) == 120
    assert [request.status for request in kept] == [200] * 21
    assert "TRIMTAB_SPOOL is not set" not in log.read_text()
    assert files_of(machine.root / "app") == before


def test_the_other_user_was_really_another(machine: Machine) -> None:
    if machine.user is None:
        pytest.skip("this test may not become another user, so all of the above ran as this one")

    assert machine.own.stat().st_uid == machine.user != os.geteuid()
