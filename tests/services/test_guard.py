"""Endpoint and guard without a server: keys, clocks, models that fail."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from trimtab.adapters.clock import FileClock
from trimtab.records.keys import Admission, AdmittedKey, KeyScope, hash_key
from trimtab_services.bundle import VERSION_FOLDER, Bundle, write_bundle
from trimtab_services.captured import CapturedRequest, decode
from trimtab_services.environment import ServingEnvironment
from trimtab_services.flood import BURST, FloodFilter
from trimtab_services.frames import FrameKind, scan
from trimtab_services.guard import Guard, Message, Receive, Scope, Send
from trimtab_services.keys import Keyring, write_admission
from trimtab_services.reply import Arrival
from trimtab_services.service import Endpoint
from trimtab_services.swap import load_champion

Row = Callable[..., dict[str, object]]
NOON = datetime(2013, 4, 1, 12, tzinfo=UTC)
OK = [(b"content-type", b"application/json")]
HERE = ("127.0.0.1", 3000)


@pytest.fixture
def source(tmp_path: Path, version_files: Callable[..., str]) -> Path:
    """What lies in a bento's `src`, as far as the endpoint reads it."""
    folder = tmp_path / "src"
    folder.mkdir()
    bundle = Bundle(
        model="late-arrival",
        version="1",
        manifest_sha256=version_files(folder / VERSION_FOLDER),
        code_sha256="",
        requirements=(),
        device="cpu",
        max_rows=10,
    )
    write_bundle(folder, bundle)
    return folder


@pytest.fixture
def endpoint(source: Path, tmp_path: Path) -> Endpoint:
    clock = FileClock(tmp_path / "clock")
    clock.set(NOON)
    environment = ServingEnvironment(spool=tmp_path / "spool", clock=clock.path)
    endpoint = Endpoint(source, environment)
    endpoint.open()
    return endpoint


def captured(tmp_path: Path) -> list[CapturedRequest]:
    frames = [f for p in (tmp_path / "spool").glob("*.seg") for f in scan(p.read_bytes())]
    return [decode(f.payload) for f in frames if f.kind is FrameKind.REQUEST]


PATHS = ("/", "/metrics", "/docs.json", "/schema.json", "/nowhere", "/predict", "/labels")


async def inner(scope: Scope, receive: Receive, send: Send) -> None:
    """Stands where BentoML's application stands, and echoes what reaches it."""
    body = (await receive())["body"] if scope["method"] == "POST" else b""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


def guarded(
    endpoint: Endpoint, key: str | None = None, keyring: Keyring | None = None, **more: Any
) -> Guard:
    keyring = keyring or Keyring(SecretStr(key) if key else None)
    return Guard(inner, endpoint, keyring, describe=lambda: b"{}", **more)


def ask(
    guard: Guard,
    method: str,
    path: str,
    headers: list[tuple[bytes, bytes]],
    *parts: bytes,
    server: Any = HERE,
) -> tuple[int, bytes]:
    waiting = [
        {"type": "http.request", "body": part, "more_body": number < len(parts)}
        for number, part in enumerate(parts, 1)
    ]
    sent: list[Message] = []

    async def receive() -> Message:
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "headers": headers, "server": server}
    asyncio.run(guard(scope, receive, send))
    return (sent[0]["status"], sent[1]["body"]) if sent else (0, b"")


def test_without_the_key_only_probes_are_answered(endpoint: Endpoint) -> None:
    guard = guarded(endpoint, "the key")
    right, wrong = (b"authorization", b"Bearer the key"), (b"authorization", b"Bearer a key")

    for path in ("/", "/metrics", "/docs.json", "/schema.json", "/static_content/x"):
        assert ask(guard, "GET", path, [])[0] == 401
        assert ask(guard, "GET", path, [wrong])[0] == 401
        assert ask(guard, "GET", path, [right])[0] == 200
    assert ask(guard, "GET", "/nowhere", [])[0] == 401
    assert ask(guard, "POST", "/predict", [*OK, wrong], b"{}")[0] == 401
    assert ask(guard, "POST", "/predict", [*OK, right], b"{}")[0] == 400
    for path in ("/livez", "/readyz", "/healthz"):
        assert ask(guard, "GET", path, [])[0] == 200


@pytest.mark.parametrize("blank", ["", "  "])
def test_a_blank_key_is_refused(blank: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIMTAB_API_KEY", blank)

    with pytest.raises(ValidationError, match="TRIMTAB_API_KEY is blank"):
        ServingEnvironment()


def test_strangers_are_counted_and_fill_no_log(endpoint: Endpoint, tmp_path: Path) -> None:
    guard = guarded(endpoint, "the key")

    assert ask(guard, "POST", "/predict", OK, b"{}")[0] == 401
    assert captured(tmp_path) == []
    assert b'trimtab_requests_total{status="4xx"} 1.0' in endpoint.metrics.page()


@pytest.mark.parametrize(
    ("scope", "opened"),
    [
        (KeyScope.PREDICT, ["/", "/docs.json", "/schema.json", "/predict"]),
        (KeyScope.LABEL, ["/labels"]),
        (KeyScope.ADMIN, ["/metrics", "/nowhere"]),
    ],
)
def test_a_key_opens_what_its_scope_says(
    endpoint: Endpoint, tmp_path: Path, scope: KeyScope, opened: list[str]
) -> None:
    admitted = AdmittedKey(id="k", sha256=hash_key(b"the key"), scopes=(scope,))
    write_admission(tmp_path / "keys", Admission(keys=(admitted,)))
    guard = guarded(endpoint, keyring=Keyring(file=tmp_path / "keys"))
    sent = [(b"authorization", b"Bearer the key")]

    assert [path for path in PATHS if ask(guard, "GET", path, sent)[0] != 401] == opened


@pytest.mark.parametrize("path", ["/nowhere", "/predict/", "//predict", "/static_content", "/docs"])
def test_what_is_not_there_is_not_looked_for(endpoint: Endpoint, path: str) -> None:
    assert ask(guarded(endpoint), "GET", path, [])[0] == 404


def test_a_websocket_is_refused(endpoint: Endpoint) -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": "/static_content/x", "headers": []}
    asyncio.run(guarded(endpoint)(scope, receive, send))

    assert sent == [{"type": "websocket.close"}]


def test_a_body_in_pieces_arrives_whole(endpoint: Endpoint, row: Row) -> None:
    text = json.dumps({"rows": [row()]}).encode()
    status, answer = ask(
        guarded(endpoint), "POST", "/predict", OK, text[:20], b"", text[20:21], text[21:]
    )

    assert status == 200
    assert len(json.loads(answer)["predictions"]) == 1


def test_a_body_that_does_not_come_is_not_waited_for(endpoint: Endpoint, tmp_path: Path) -> None:
    guard = guarded(endpoint, body_seconds=0.05)
    sent: list[Message] = []

    async def slowly() -> Message:
        await asyncio.sleep(0.02)
        return {"type": "http.request", "body": b" ", "more_body": True}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/predict", "headers": OK}
    asyncio.run(guard(scope, slowly, send))
    (kept,) = captured(tmp_path)

    assert sent[0]["status"] == kept.status == 408
    assert (b"connection", b"close") in sent[0]["headers"]


def test_one_slow_caller_costs_the_others_nothing(endpoint: Endpoint, row: Row) -> None:
    guard = guarded(endpoint, body_seconds=0.1)
    text = json.dumps({"rows": [row()]}).encode()
    statuses: list[int] = []

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    async def never() -> Message:
        message: Message = await asyncio.get_running_loop().create_future()
        return message

    async def at_once() -> Message:
        return {"type": "http.request", "body": text, "more_body": False}

    async def main() -> None:
        scope = {"type": "http", "method": "POST", "path": "/predict", "headers": OK}
        slow = asyncio.create_task(guard(scope, never, send))
        while not slow.done():
            await guard(scope, at_once, send)
            await asyncio.sleep(0)

    asyncio.run(main())

    assert statuses.count(408) == 1
    assert set(statuses) == {200, 408}


@pytest.mark.parametrize("host", ["192.0.2.7", "0.0.0.0", "2001:db8::1", "::ffff:192.0.2.7"])
def test_without_a_key_others_are_sent_away(endpoint: Endpoint, row: Row, host: str) -> None:
    text = json.dumps({"rows": [row()]}).encode()
    key = (b"authorization", b"Bearer the key")

    for method, path in (("POST", "/predict"), ("GET", "/metrics"), ("GET", "/docs.json")):
        status, answer = ask(guarded(endpoint), method, path, OK, text, server=(host, 3000))
        assert status == 403
        assert b"TRIMTAB_API_KEY" in answer
    assert ask(guarded(endpoint), "GET", "/readyz", [], server=(host, 3000))[0] == 200
    closed = guarded(endpoint, "the key")
    assert ask(closed, "POST", "/predict", [*OK, key], text, server=(host, 3000))[0] == 200


@pytest.mark.parametrize("server", [("127.0.0.9", 1), ("::1", 1), ("::ffff:127.0.0.1", 1), None])
def test_this_machine_needs_no_key(endpoint: Endpoint, row: Row, server: Any) -> None:
    text = json.dumps({"rows": [row()]}).encode()

    assert ask(guarded(endpoint), "POST", "/predict", OK, text, server=server)[0] == 200
    assert (
        ask(guarded(endpoint), "POST", "/predict", OK, text, server=("/a/socket", None))[0] == 200
    )


def test_before_a_version_is_loaded_it_is_not_ready(source: Path) -> None:
    guard = guarded(Endpoint(source, ServingEnvironment()))

    assert ask(guard, "GET", "/readyz", [])[0] == 503


def test_the_bound_of_a_body_is_a_setting(source: Path, row: Row) -> None:
    endpoint = Endpoint(source, ServingEnvironment(max_body=1000))
    endpoint.open()
    one, many = (json.dumps({"rows": [row()] * count}).encode() for count in (1, 9))

    assert len(one) < 1000 < len(many)
    assert ask(guarded(endpoint), "POST", "/predict", OK, one)[0] == 200
    assert ask(guarded(endpoint), "POST", "/predict", OK, many)[0] == 413


def test_two_media_types_are_none(endpoint: Endpoint) -> None:
    twice = [*OK, (b"content-type", b"application/vnd.bentoml+pickle")]

    assert ask(guarded(endpoint), "POST", "/predict", twice, b"{}")[0] == 415


@pytest.mark.parametrize("length", [b"1048577", b"9" * 5000, b"-1", b"x"])
def test_a_length_that_cannot_be_is_refused_unread(endpoint: Endpoint, length: bytes) -> None:
    headers = [*OK, (b"content-length", length)]

    assert ask(guarded(endpoint), "POST", "/predict", headers, b"{}")[0] == 413


def test_whoever_hangs_up_gets_no_answer(endpoint: Endpoint) -> None:
    assert ask(guarded(endpoint), "POST", "/predict", OK) == (0, b"")


def test_what_the_guard_turns_away_is_captured(endpoint: Endpoint, tmp_path: Path) -> None:
    ask(guarded(endpoint), "POST", "/predict", [], b"{}")
    (kept,) = captured(tmp_path)

    assert (kept.status, kept.version, kept.rows) == (415, "1", [])
    assert kept.time == NOON  # by the clock of the loop


def test_rows_without_a_time_happen_now_by_the_clock_of_the_loop(
    endpoint: Endpoint, tmp_path: Path, row: Row
) -> None:
    endpoint.predict(json.dumps({"rows": [row()]}).encode(), Arrival.now())
    (kept,) = captured(tmp_path)

    assert kept.rows[0].time == NOON
    assert kept.received > NOON


def test_a_replay_without_a_time_yet_does_not_fail_an_answer(
    endpoint: Endpoint, tmp_path: Path, row: Row
) -> None:
    (tmp_path / "clock").unlink()

    assert endpoint.predict(json.dumps({"rows": [row()]}).encode(), Arrival.now()).status == 200


def test_a_model_that_fails_is_a_500_that_tells_nothing_and_is_captured(
    endpoint: Endpoint,
    tmp_path: Path,
    row: Row,
    version_files: Callable[..., str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    sha256 = version_files(tmp_path / "wide" / VERSION_FOLDER, extra=True)
    endpoint.swap(load_champion(tmp_path / "wide", "3", sha256, "cpu"))
    reply = endpoint.predict(json.dumps({"rows": [row()]}).encode(), Arrival.now())
    (kept,) = captured(tmp_path)

    assert reply.status == 500
    assert b"humidity" not in reply.body
    assert "version 3 failed to answer" in caplog.text
    assert "in predict" in caplog.text
    assert "humidity" not in caplog.text
    assert (kept.status, kept.version) == (500, "3")


def test_answers_bear_the_version_that_gave_them(
    endpoint: Endpoint, tmp_path: Path, row: Row, version_files: Callable[..., str]
) -> None:
    text = json.dumps({"rows": [row()]}).encode()
    first = json.loads(endpoint.predict(text, Arrival.now()).body)
    sha256 = version_files(tmp_path / "other" / VERSION_FOLDER, seed=50)
    endpoint.swap(load_champion(tmp_path / "other", "2", sha256, "cpu"))
    second = json.loads(endpoint.predict(text, Arrival.now()).body)

    assert (first["version"], second["version"]) == ("1", "2")
    assert first["predictions"][0]["probabilities"] != second["predictions"][0]["probabilities"]


def test_without_a_spool_it_answers_and_says_once_that_nothing_is_captured(
    source: Path, row: Row, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint = Endpoint(source, ServingEnvironment())
    endpoint.open()
    endpoint.open()
    reply = endpoint.predict(json.dumps({"rows": [row()]}).encode(), Arrival.now())

    assert reply.status == 200
    assert caplog.text.count("TRIMTAB_SPOOL is not set") == 1


def test_a_flood_leaves_few_lines_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    import logging

    caplog.handler.addFilter(flood := FloodFilter())
    for number in range(1000):
        logging.getLogger("somebody").warning("bad request %d", number)
    logging.getLogger("somebody").warning("something else")
    caplog.handler.removeFilter(flood)

    assert len(caplog.records) == BURST + 2
    assert "left out" in caplog.records[BURST].msg
