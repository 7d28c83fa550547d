"""A caller's trace goes on in the answer, and spans reach a collector, or nobody waits for it."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from trimtab_services.environment import ServingEnvironment
from trimtab_services.guard import Guard, Message
from trimtab_services.keys import Keyring
from trimtab_services.service import Endpoint

Row = Callable[..., dict[str, object]]
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
def collected(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """The spans that a collector on this machine got."""
    spans: list[Any] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers["content-length"]))
            for resource in ExportTraceServiceRequest.FromString(sent).resource_spans:
                names = {a.key: a.value.string_value for a in resource.resource.attributes}
                for scope in resource.scope_spans:
                    spans.extend((names["service.name"], span) for span in scope.spans)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield spans
        server.shutdown()


def opened(source: Path) -> Endpoint:
    endpoint = Endpoint(source, ServingEnvironment())
    endpoint.open()
    return endpoint


def ask(endpoint: Endpoint, body: bytes, *headers: tuple[bytes, bytes]) -> dict[str, str]:
    """Give the status and the headers of the answer."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    async def inner(*_: object) -> None:
        raise AssertionError("a prediction is answered by the guard")

    guard = Guard(inner, endpoint, Keyring(), describe=lambda: b"{}")
    given = [(b"content-type", b"application/json"), *headers]
    scope = {"type": "http", "method": "POST", "path": "/predict", "headers": given}
    asyncio.run(guard(scope, receive, send))
    answered = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return {"status": str(sent[0]["status"]), **answered}


def traceparent(text: str) -> tuple[bytes, bytes]:
    return b"traceparent", text.encode()


@pytest.mark.parametrize("sent", [f"00-{TRACE}-{PARENT}-01", f"cc-{TRACE}-{PARENT}-01-more"])
def test_a_callers_trace_goes_on_in_the_answer(bento_source: Path, row: Row, sent: str) -> None:
    body = json.dumps({"rows": [row()]}).encode()
    answer = ask(opened(bento_source), body, traceparent(sent))
    version, trace, span, flags = answer["traceparent"].split("-")

    assert (version, trace, flags) == ("00", TRACE, "01")
    assert answer["x-request-id"].endswith(span)


@pytest.mark.parametrize(
    "sent",
    [
        "",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}",
        f"00-{TRACE}-{PARENT}-01-more",
        f"00-{TRACE}-{PARENT}-01\r\nx: y",
        "x" * 10_000,
    ],
)
def test_what_is_no_trace_is_left_alone(bento_source: Path, row: Row, sent: str) -> None:
    body = json.dumps({"rows": [row()]}).encode()
    answer = ask(opened(bento_source), body, traceparent(sent))

    assert answer["status"] == "200"
    assert "traceparent" not in answer


def test_a_span_of_each_request_reaches_the_collector(
    bento_source: Path, row: Row, collected: list[Any]
) -> None:
    endpoint = opened(bento_source)
    body = json.dumps({"rows": [row(), row()]}).encode()
    answers = [
        ask(endpoint, body, traceparent(f"00-{TRACE}-{PARENT}-01")),
        ask(endpoint, b"{}"),
    ]
    endpoint.close()
    (name, first), (_, second) = collected
    told = {a.key: a.value.string_value or a.value.int_value for a in first.attributes}

    assert (name, first.name) == ("late-arrival", "POST /predict")
    assert (first.trace_id.hex(), first.parent_span_id.hex()) == (TRACE, PARENT)
    assert answers[0]["traceparent"] == f"00-{TRACE}-{first.span_id.hex()}-01"
    assert answers[1]["traceparent"].split("-")[1] == second.trace_id.hex() != TRACE
    assert told["trimtab.version"] == "1"
    assert told["trimtab.rows"] == 2
    assert told["http.response.status_code"] == 200
    assert told["trimtab.request_id"] == answers[0]["x-request-id"]
    assert 0 < first.end_time_unix_nano - first.start_time_unix_nano < 10**10
    assert "seats" not in str(second)  # why a request was refused may be private


def test_a_collector_that_is_gone_holds_nobody_up(
    bento_source: Path, row: Row, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    endpoint = opened(bento_source)
    start = time.monotonic()
    answer = ask(endpoint, json.dumps({"rows": [row()]}).encode())
    endpoint.close()

    assert answer["status"] == "200"
    assert time.monotonic() - start < 8


def test_spans_can_be_kept_back(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not ServingEnvironment().exports_traces
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:9/v1/traces")
    assert ServingEnvironment().exports_traces
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    assert not ServingEnvironment().exports_traces
