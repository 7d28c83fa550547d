"""The keeper of one endpoint, step by step: bad versions, hanging loads, and the end."""

import http.client
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from trimtab.records.keys import Admission
from trimtab.records.promotions import Promotion
from trimtab.settings import Settings
from trimtab_services import reconcile
from trimtab_services.keys import write_admission
from trimtab_services.listening import listen
from trimtab_services.nursery import Nursery
from trimtab_services.reconcile import Keeper
from trimtab_services.stand_in import StandIn

MODEL = "late-arrival"


class Endpoint:
    """A keeper in this process, turned by hand."""

    def __init__(self, settings: Settings, shelf: Any, nursery: Nursery, caller: Any) -> None:
        self.settings = settings
        self.port = settings.model(MODEL).serve.port
        self.caller = caller(self.port)
        write_admission(settings.home.keys(MODEL), Admission(closed=False))
        self.keeper = Keeper(settings, MODEL, listen(settings, MODEL), nursery)
        self._shelf = shelf
        self._epoch = 0

    def want(self, version: str) -> None:
        self._epoch += 1
        self.keeper.want(
            Promotion(
                model=MODEL,
                epoch=self._epoch,
                version=version,
                previous=None,
                manifest_sha256=self._shelf.hashes[version],
                actor="tests",
                reasons=(),
                at=datetime.now(UTC),
            )
        )

    def until(self, is_so: Callable[[], Any], what: str) -> None:
        deadline = time.monotonic() + 90
        while not is_so():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what}; {self.keeper.standing}")
            self.keeper.step()
            time.sleep(0.01)

    def until_served(self, version: str) -> None:
        self.until(lambda: self.keeper.standing.version == version, f"version {version}")

    def until_two(self) -> tuple[int, int]:
        """Turn until there is a spare; give the process that answers, and the spare."""
        self.until(lambda: len(self._ready()) == 2, "a spare")
        answering, spare = self._ready()
        return answering, spare

    def end(self) -> None:
        """End it, unless that was done."""
        if self.pids:
            self.keeper.end()
            self.keeper.wait(time.monotonic() + 10)

    def _ready(self) -> list[int]:
        names = {pid: Path(f"/proc/{pid}/comm").read_text().strip() for pid in self.pids}
        order = ("endpoint", "endpoint spare")
        return [pid for name in order for pid, its in names.items() if its == name]

    @property
    def pids(self) -> list[int]:
        return [host.pid for host in self.keeper._hosts() if host.is_running]

    def break_service(self, version: str, code: str) -> None:
        """Let a version need a process of its own, which runs some code as it starts."""
        source = self.settings.home.bento(MODEL, version) / "src"
        bundle = json.loads((source / "bundle.json").read_bytes())
        bundle["requirements"].reverse()
        (source / "bundle.json").write_text(json.dumps(bundle))
        (source / "service.py").write_text(code)

    def ask(self, row: dict[str, object]) -> tuple[int, dict[str, Any]]:
        answer: tuple[int, dict[str, Any]] = self.caller.predict(
            json.dumps({"rows": [row]}).encode()
        )
        return answer


@pytest.fixture
def endpoint(
    tmp_path: Path, project: Any, shelf: Any, nursery: Nursery, caller: Any
) -> Iterator[Endpoint]:
    settings = project(tmp_path)
    shelf.lend(settings, "1", "2")
    made = Endpoint(settings, shelf, nursery, caller)
    yield made
    made.end()


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("import os; os.kill(os.getpid(), 9)", "its process ended before it could answer"),
        ("import time; time.sleep(600)", "it did not load within 3 s"),
        ("raise MemoryError", "MemoryError"),
    ],
    ids=["dies", "hangs", "raises"],
)
def test_a_load_that_fails_never_reaches_the_process_that_answers(
    endpoint: Endpoint, row: Any, code: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint.want("1")
    endpoint.until_served("1")
    answering, _ = endpoint.until_two()
    monkeypatch.setattr(reconcile, "LOAD_SECONDS", 3.0)
    endpoint.break_service("2", code)
    endpoint.want("2")
    endpoint.until(lambda: why in endpoint.keeper.standing.note, "the reason")
    status, answer = endpoint.ask(row())

    assert (status, answer["version"]) == (200, "1")
    assert endpoint.keeper.standing.version == "1"
    assert answering in endpoint.pids
    assert [(h.event, h.version) for h in endpoint.keeper.happened()] == [
        ("version served", "1"),
        ("version not served", "2"),
    ]


def test_a_spare_that_dies_of_a_version_is_replaced_and_the_version_tried_again(
    endpoint: Endpoint,
) -> None:
    endpoint.want("1")
    endpoint.until_served("1")
    answering, spare = endpoint.until_two()
    os.kill(spare, signal.SIGSTOP)
    endpoint.want("2")
    endpoint.keeper.step()
    os.kill(spare, signal.SIGKILL)
    endpoint.until(lambda: "ended before" in endpoint.keeper.standing.note, "the reason")
    version = endpoint.keeper.standing.version
    endpoint.until_served("2")

    assert version == "1"
    assert endpoint.until_two()[0] == answering
    assert spare not in endpoint.pids


def test_a_spare_takes_back_what_is_wanted_no_more(endpoint: Endpoint, row: Any) -> None:
    endpoint.want("1")
    endpoint.until_served("1")
    answering, stopped = endpoint.until_two()
    os.kill(stopped, signal.SIGSTOP)
    endpoint.want("2")
    endpoint.keeper.step()
    endpoint.want("1")
    endpoint.keeper.step()
    os.kill(stopped, signal.SIGCONT)
    spare = endpoint.keeper._spare
    assert spare is not None
    endpoint.until(lambda: spare.waiting_seconds == 0, "the spare to have done all")
    os.kill(answering, signal.SIGKILL)
    endpoint.until(lambda: spare.accepts, "the spare to take over")

    assert spare.pid == stopped
    assert endpoint.ask(row())[1]["version"] == "1"


def test_while_no_version_is_good_callers_hear_why_and_then_are_answered(
    endpoint: Endpoint, row: Any
) -> None:
    model = endpoint.settings.home.bento(MODEL, "1") / "src" / "version" / "model.skops"
    content = model.read_bytes()
    model.write_bytes(content[:-1])
    endpoint.want("1")
    endpoint.until(lambda: "is not served" in endpoint.keeper.standing.note, "the refusal")
    endpoint.until(lambda: endpoint.keeper._stand_in.is_on, "somebody to say so")
    refused = endpoint.ask(row())
    livez, _, _ = endpoint.caller.call("GET", "/livez")
    readyz, _, _ = endpoint.caller.call("GET", "/readyz")
    model.write_bytes(content)
    endpoint.until_served("1")

    assert refused[0] == 503
    assert "model.skops" in refused[1]["error"]
    assert (livez, readyz) == (200, 503)
    assert endpoint.ask(row())[0] == 200


def test_at_the_end_slow_requests_are_answered_and_newcomers_turned_away(
    endpoint: Endpoint, row: Any
) -> None:
    endpoint.want("1")
    endpoint.until_served("1")
    body, headers = json.dumps({"rows": [row()]}).encode(), {"content-type": "application/json"}
    idle = http.client.HTTPConnection("127.0.0.1", endpoint.port, timeout=20)
    idle.request("POST", "/predict", body, headers)
    idle.getresponse().read()
    slow = http.client.HTTPConnection("127.0.0.1", endpoint.port, timeout=20)
    slow.putrequest("POST", "/predict")
    for name, value in {**headers, "content-length": str(len(body))}.items():
        slow.putheader(name, value)
    slow.endheaders(body[:20])
    endpoint.until(lambda: endpoint.ask(row())[0] == 200, "the slow one to be in")
    endpoint.keeper.end()
    begun = time.monotonic()
    answers = []
    for _ in range(100):  # until the processes have heard of it
        answers.append(endpoint.ask(row()))
        if answers[-1][0] == 503:
            break
    idle.request("POST", "/predict", body, headers)
    returned = idle.getresponse()
    slow.send(body[20:])
    late = slow.getresponse()
    endpoint.keeper.wait(begun + 10)
    seconds = time.monotonic() - begun

    assert (answers[-1][0], "is ending" in answers[-1][1]["error"]) == (503, True)
    assert (returned.status, returned.getheader("connection")) == (200, "close")
    assert (late.status, late.getheader("connection")) == (200, "close")
    assert seconds < 5
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", endpoint.port))


def test_a_successor_that_is_wanted_no_more_never_takes_over(endpoint: Endpoint, row: Any) -> None:
    endpoint.want("1")
    endpoint.until_served("1")
    answering, spare = endpoint.until_two()
    service = (endpoint.settings.home.bento(MODEL, "2") / "src" / "service.py").read_text()
    endpoint.break_service("2", service)
    endpoint.want("2")
    endpoint.keeper.step()
    successor = endpoint.keeper._successor
    endpoint.want("1")
    endpoint.until(lambda: endpoint.keeper._successor is None, "it to be let go")

    assert successor is not None
    assert successor.is_ready
    assert endpoint.until_two() == (answering, spare)
    assert endpoint.ask(row())[1]["version"] == "1"


def test_without_a_spare_a_version_is_swapped_in_place(
    tmp_path: Path, project: Any, shelf: Any, nursery: Nursery, caller: Any
) -> None:
    settings = project(tmp_path)
    serve = settings.model(MODEL).serve.model_copy(update={"spare": False})
    model = settings.model(MODEL).model_copy(update={"serve": serve})
    settings.project.models[MODEL] = model
    shelf.lend(settings, "1", "2")
    endpoint = Endpoint(settings, shelf, nursery, caller)
    endpoint.want("1")
    endpoint.until_served("1")
    first = endpoint.pids
    endpoint.want("2")
    endpoint.until_served("2")
    (only,) = endpoint.pids
    os.kill(only, signal.SIGKILL)
    endpoint.until(lambda: only not in endpoint.pids, "its end to be seen")
    endpoint.until_served("2")
    endpoint.end()

    assert first == [only]


def test_a_stand_in_outlasts_callers_that_misbehave() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        stand_in = StandIn(listening, MODEL, lambda: "because")
        stand_in.begin()
        port = listening.getsockname()[1]
        for sent in (
            b"",
            b"\0" * 100_000,
            b"GET / HTTP/1.1\r\n",
            b"POST / HTTP/1.1\r\n\r\n" + b"x" * 9,
        ):
            with socket.create_connection(("127.0.0.1", port)) as bad:
                bad.sendall(sent)
        found = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        found.request("POST", "/predict", b"x" * (3 << 20))
        answer = found.getresponse()
        text = answer.read()
        stand_in.end()

    assert (answer.status, answer.getheader("retry-after")) == (503, "1")
    assert json.loads(text)["error"].endswith("because")
    deadline = time.monotonic() + 10
    while any(thread.name == "stand-in" for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
