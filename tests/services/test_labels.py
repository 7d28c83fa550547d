"""`POST /labels` without a server: what is kept before it is answered, and what is turned away."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from trimtab.adapters.manifest import write_manifest
from trimtab.adapters.parquet_log import ParquetLog
from trimtab.adapters.sql import SqlDatabase, open_database
from trimtab.policy.redaction import pseudonym, secret_of
from trimtab.records.contracts import Contract, Task
from trimtab.records.documents import to_json
from trimtab.records.keys import Admission, AdmittedKey, KeyScope, hash_key
from trimtab.records.labels import Label
from trimtab.records.schema import Schema
from trimtab_services import label_inbox, label_intake
from trimtab_services.bundle import CONTRACT_FILE, VERSION_FOLDER, Bundle, write_bundle
from trimtab_services.environment import ServingEnvironment
from trimtab_services.guard import Guard, Message, Receive, Scope, Send
from trimtab_services.keys import Keyring, write_admission
from trimtab_services.label_inbox import Inbox, ToldLabels
from trimtab_services.label_intake import read_labels
from trimtab_services.label_taking import LabelTaker
from trimtab_services.refusals import BadRequestError
from trimtab_services.service import Endpoint

MODEL = "late-arrival"
NOON = datetime(2013, 4, 1, 12, tzinfo=UTC)
JSON = (b"content-type", b"application/json")
ID = "0123456789abcdef" * 2 + "-0"
SECRET = "a secret of this project"


async def inner(scope: Scope, receive: Receive, send: Send) -> None:
    raise AssertionError("labels are no business of BentoML's")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """As much of a bento as taking labels needs: no model is asked."""
    folder = tmp_path / "src"
    (folder / VERSION_FOLDER).mkdir(parents=True)
    contract = Contract(
        model=MODEL,
        task=Task.BINARY,
        target="late",
        schema=Schema(columns=()),
        classes=(False, True),
    )
    (folder / VERSION_FOLDER / CONTRACT_FILE).write_bytes(to_json(contract))
    bundle = Bundle(
        model=MODEL,
        version="1",
        manifest_sha256=write_manifest(folder / VERSION_FOLDER),
        code_sha256="",
        requirements=(),
        device="cpu",
        max_rows=100,
    )
    write_bundle(folder, bundle)
    return folder


@contextmanager
def opened(source: Path, tmp_path: Path, **given: Any) -> Iterator[Endpoint]:
    environment = ServingEnvironment(spool=tmp_path / "spool", **given)
    endpoint = Endpoint(source, environment)
    endpoint.capture()
    yield endpoint
    endpoint.close()


@pytest.fixture
def endpoint(source: Path, tmp_path: Path) -> Iterator[Endpoint]:
    with opened(source, tmp_path) as endpoint:
        yield endpoint


async def ask(
    endpoint: Endpoint,
    body: bytes,
    *headers: tuple[bytes, bytes],
    method: str = "POST",
    keyring: Keyring | None = None,
) -> tuple[int, dict[str, Any]]:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    guard = Guard(inner, endpoint, keyring or Keyring(), describe=lambda: b"{}")
    here = {"server": ("127.0.0.1", 3000), "headers": [JSON, *headers]}
    await guard({"type": "http", "method": method, "path": "/labels", **here}, receive, send)
    return sent[0]["status"], json.loads(sent[1]["body"])


def tell(endpoint: Endpoint, *labels: dict[str, object], **more: Any) -> tuple[int, dict[str, Any]]:
    return asyncio.run(ask(endpoint, json.dumps({"labels": labels}).encode(), **more))


def kept(tmp_path: Path) -> list[ToldLabels]:
    inbox = Inbox(tmp_path / "spool" / "labels")
    return [told for name in inbox.waiting(100) if (told := inbox.read(name)) is not None]


def test_labels_are_on_the_disk_when_they_are_answered(endpoint: Endpoint, tmp_path: Path) -> None:
    status, answer = tell(
        endpoint,
        {"key": "flight 7", "value": 1, "known_at": "2013-04-01T12:00:00Z"},
        {"prediction_id": ID, "value": "false", "known_at": "2013-04-01T14:00:00+02:00"},
    )
    (told,) = kept(tmp_path)

    assert status == 202  # nobody is there who could say what became of them
    assert (answer["accepted"], answer["applied"]) == (2, False)
    assert told.labels == (
        Label(key="flight 7", value="True", known_at=NOON),
        Label(key=ID, value="False", known_at=NOON),
    )
    assert told.by == "a caller without a key"
    assert endpoint.counts()["labels_kept"] == 2


def test_without_a_time_a_label_became_known_now(endpoint: Endpoint, tmp_path: Path) -> None:
    before = datetime.now(UTC)
    tell(endpoint, {"key": "k", "value": True})
    (told,) = kept(tmp_path)

    assert before <= told.labels[0].known_at == told.at <= datetime.now(UTC)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "no JSON"),
        (b"[]", "one field, labels"),
        (b'{"rows": []}', "one field, labels"),
        (b'{"labels": [], "key": 1}', "one field, labels"),
        (b'{"labels": {}}', "a list of objects"),
        (b'{"labels": [1]}', "a list of objects"),
        (b'{"labels": []}', "1 to 100 items"),
        (json.dumps({"labels": [{"key": "k", "value": 1}] * 101}).encode(), "1 to 100 items"),
        (b"[" * 5000, "no JSON"),
        (b'{"labels": [{"key": "\\ud800", "value": 1}]}', "no JSON"),
        (b'{"labels": [{"key": "\xff", "value": 1}]}', "no JSON"),
        (b'{"labels": [{"key": "k", "value": NaN}]}', "no JSON"),
        (b'{"labels": [{"key": "k", "value": 1e999}]}', "no JSON"),
        (b'{"labels": [{"key": "k", "value": 9e99, "known_at": 1}]}', "one of the classes"),
    ],
)
def test_a_body_that_is_not_in_order_is_refused_with_the_reason(
    endpoint: Endpoint, tmp_path: Path, body: bytes, why: str
) -> None:
    status, answer = asyncio.run(ask(endpoint, body))

    assert status == 400
    assert why in answer["error"]
    assert kept(tmp_path) == []


def test_one_bad_label_keeps_back_the_request_and_each_has_its_reason(
    endpoint: Endpoint, tmp_path: Path
) -> None:
    status, answer = tell(
        endpoint, {"key": "a", "value": 1}, {"key": "b", "value": "secret"}, {"value": 0, "x": 1}
    )

    assert status == 400
    assert answer["error"].startswith("No label was taken: 2 of 3 cannot be. labels.1.value")
    assert answer["fields"] == [
        {"field": "labels.1.value", "message": "should be one of the classes False, True"},
        {"field": "labels.2.x", "message": "is no part of a label"},
    ]
    assert "secret" not in json.dumps(answer)
    assert kept(tmp_path) == []


def test_of_many_bad_labels_the_first_are_named(endpoint: Endpoint) -> None:
    _, answer = tell(endpoint, *[{"key": "k", "value": 7}] * 30)

    assert "30 of 30 cannot be, the first 20 shown" in answer["error"]
    assert len(answer["fields"]) == 20


def test_a_number_must_be_finite() -> None:
    numbers = Contract(model="m", task=Task.REGRESSION, target="y", schema=Schema(columns=()))
    body = b'{"labels": [{"key": "a", "value": -2.5}, {"key": "b", "value": 7}]}'

    assert [label.value for label in read_labels(body, numbers, NOON, 9)] == ["-2.5", "7"]
    for wrong in (b"true", b'"inf"', b'"nan"', b"null", b"{}"):
        with pytest.raises(BadRequestError, match=r"labels\.0\.value"):
            read_labels(b'{"labels": [{"key": "a", "value": %b}]}' % wrong, numbers, NOON, 9)


def test_it_takes_a_key_for_labels_and_the_caller_is_named(
    endpoint: Endpoint, tmp_path: Path
) -> None:
    keys = tuple(
        AdmittedKey(id=scope.value, sha256=hash_key(scope.value.encode()), scopes=(scope,))
        for scope in KeyScope
    )
    write_admission(tmp_path / "keys", Admission(keys=keys))
    keyring = Keyring(file=tmp_path / "keys")

    def status(key: str, method: str = "POST") -> int:
        body = b'{"labels": [{"key": "k", "value": 1}]}'
        sent = (b"authorization", f"Bearer {key}".encode())
        return asyncio.run(ask(endpoint, body, sent, method=method, keyring=keyring))[0]

    assert [status(scope.value) for scope in KeyScope] == [401, 202, 401]
    assert [status("label", method) for method in ("GET", "PUT", "DELETE")] == [405] * 3
    (told,) = kept(tmp_path)
    assert told.by == "key label"


def test_bodies_have_the_bounds_of_predictions(source: Path, tmp_path: Path) -> None:
    with opened(source, tmp_path, max_body=200, max_rows=3) as endpoint:
        one: dict[str, object] = {"key": "k", "value": 1}
        assert tell(endpoint, *[one] * 3)[0] == 202
        assert tell(endpoint, *[one] * 4)[0] == 400
        assert tell(endpoint, *[one] * 20)[0] == 413
    assert asyncio.run(ask(endpoint, b"{}", (b"content-encoding", b"gzip")))[0] == 415


def test_what_cannot_be_kept_is_not_taken(
    endpoint: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: Path
) -> None:
    one: dict[str, object] = {"key": "k", "value": 1}
    with monkeypatch.context() as patch:
        patch.setattr(label_inbox, "MOST_WAITING", 2)
        assert [tell(endpoint, one)[0] for _ in range(3)] == [202, 202, 503]
    assert len(kept(tmp_path)) == 2
    homeless = Endpoint(source, ServingEnvironment())
    homeless.capture()
    assert tell(homeless, one)[0] == 503
    (tmp_path / "no folder").mkdir()
    with opened(source, tmp_path / "no folder") as endpoint:
        (tmp_path / "no folder" / "spool" / "labels").write_text("in the way")
        status, answer = tell(endpoint, one)
    assert status == 503
    assert "the disk did not take them" in answer["error"]


def test_a_key_that_is_to_be_hashed_never_reaches_the_disk(source: Path, tmp_path: Path) -> None:
    given = {"capture_hash_keys": True, "capture_key": SecretStr(SECRET)}
    with opened(source, tmp_path, **given) as endpoint:
        tell(endpoint, {"key": "Anna", "value": 1}, {"prediction_id": ID, "value": 0})
    (told,) = kept(tmp_path)

    assert [label.key for label in told.labels] == [pseudonym(secret_of(SECRET), "Anna"), ID]
    files = [path for path in (tmp_path / "spool").rglob("*") if path.is_file()]
    assert not any(b"Anna" in path.read_bytes() for path in files)


@contextmanager
def taking(tmp_path: Path) -> Iterator[SqlDatabase]:
    """Take labels as a worker does, where everything captured is in an empty log already."""
    database = open_database(f"sqlite:///{tmp_path / 'trimtab.db'}")
    inbox, over = Inbox(tmp_path / "spool" / "labels"), threading.Event()
    taker = LabelTaker(inbox, MODEL, database, ParquetLog(tmp_path / "log"), time.monotonic)
    taker.step()

    def run() -> None:
        while not over.wait(0.01):
            taker.step()

    thread = threading.Thread(target=run)
    thread.start()
    yield database
    over.set()
    thread.join()
    database.close()


def test_the_answer_says_what_became_of_the_labels(source: Path, tmp_path: Path) -> None:
    given = {"capture_hash_keys": True, "capture_key": SecretStr(SECRET)}
    known = "2013-04-01T12:00:00Z"
    with opened(source, tmp_path, **given) as endpoint, taking(tmp_path):
        first = tell(endpoint, {"key": "Anna", "value": 1}, {"prediction_id": ID, "value": 0})
        second = tell(
            endpoint,
            {"key": "Anna", "value": True},
            {"key": "Anna", "value": False, "known_at": known},
            {"prediction_id": ID, "value": 1},
            {"key": "Ben", "value": 1},
        )

    assert first[0] == second[0] == 200
    assert {n: first[1][n] for n in ("accepted", "applied", "added")} == {
        "accepted": 2,
        "applied": True,
        "added": 2,
    }
    assert (first[1]["unknown"], first[1]["unknown_names"]) == (2, ["Anna", ID])
    counts = {n: second[1][n] for n in ("added", "unchanged", "corrected", "outdated")}
    assert counts == {"added": 1, "unchanged": 1, "corrected": 1, "outdated": 1}
    assert second[1]["unknown_names"] == ["Anna", ID, "Ben"]


def test_whoever_does_not_wait_is_answered_at_once(endpoint: Endpoint, tmp_path: Path) -> None:
    body = b'{"labels": [{"key": "k", "value": 1}]}'
    with taking(tmp_path) as database:
        status, _ = asyncio.run(ask(endpoint, body, (b"prefer", b"respond-async")))
        deadline = time.monotonic() + 20
        while not count(database) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert (status, count(database)) == (202, 1)


def count(database: SqlDatabase) -> int:
    with database.transaction() as stores:
        return stores.labels.count(MODEL)


def test_many_at_once_are_bounded_and_no_prediction_waits(
    endpoint: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(label_intake, "MOST_AT_ONCE", 4)
    body = b'{"labels": [{"key": "k", "value": 1}]}'
    longest = 0.0

    async def beat(over: asyncio.Event) -> None:
        nonlocal longest
        while not over.is_set():
            began = time.perf_counter()
            await asyncio.sleep(0)
            longest = max(longest, time.perf_counter() - began)

    async def main() -> list[int]:
        over = asyncio.Event()
        beating = asyncio.create_task(beat(over))
        found = await asyncio.gather(*(ask(endpoint, body) for _ in range(10)))
        over.set()
        await beating
        return [status for status, _ in found]

    statuses = asyncio.run(main())

    assert sorted(statuses) == [202] * 4 + [503] * 6
    assert len(kept(tmp_path)) == 4
    assert longest < 0.5
    assert tell(endpoint, {"key": "k", "value": 1})[0] == 202
