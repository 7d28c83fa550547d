"""Requests that somebody could send, each made from a seed and its number alone."""

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

JSON = b"application/json"
_HOST = b"host: localhost\r\n"


@dataclass(frozen=True)
class Hostile:
    """One request as bytes."""

    kind: str
    raw: bytes
    is_framed: bool = True
    """Whether HTTP knows where it ends, so that it gets one answer and others may follow."""
    has_body_in_answer: bool = True
    """Not so for HEAD."""


Maker = Callable[[random.Random, Mapping[str, object]], Hostile]

_DEEP = 100_000
_LITERALS = (
    b"NaN", b"-NaN", b"nan", b"Infinity", b"-Infinity", b"+Infinity", b"inf", b"1e999", b"-1e999",
    b"1e-999", b"1" * 400, b"-" + b"9" * 5000, b"1e308", b"-0", b"0x10", b"01", b"+1", b".5", b"1.",
    b"1_000", b"9223372036854775807", b"9223372036854775808", b"-9223372036854775809",
    b"2147483648", b"3.5e38", b"1e400000", b"true", b"null", b"undefined", b"'x'", b"[]", b"{}",
    b'"12"', b'"NaN"', b"0.1e", b"-", b"1e", b"1E+5", b"00", b"1 2",
)  # fmt: skip
_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 1e308, 5e-324, -0.0, 2**31, -(2**31) - 1, 2**63, -(2**63), 2**64,
    10**30, 10**400, "", "x", "NaN", "null", "\x00", "a\x00b", "\u202e", "\ud800", "\udfff\ud800",
    "\ufeff", "\U0001f600" * 50, "é" * 5000, "{{7*7}}", "'; DROP TABLE labels; --", "../../etc",
    "%s%n%x", [], {}, [[]], {"": {}}, {"$time": "x"}, {"$time": {"$time": 1}}, [None] * 100,
    "2013-13-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2013-04-01",
    "2013-04-01T12:00:00+99:99", "1677-09-21T00:12:43Z", "2262-04-12T00:00:00Z", "T", "2013-W14-1",
    "20130401T120000,5", "2013-04-01T24:00:00", "2016-12-31T23:59:60Z", "-2013-04-01",
    "\u0662\u0660\u0661\u0663",
)  # fmt: skip
_MEDIA = (
    b"", b"text/plain", b"text/json", b"application/xml", b"multipart/form-data",
    b"multipart/form-data; boundary=x", b"application/x-www-form-urlencoded", b"application/json5",
    b"application/vnd.bentoml+pickle", b"Application/Vnd.BentoML+Pickle; x=1", b"application/octet",
    b"application/json, text/plain", b"application/jsonx", b"\xff\xfe", b"x" * 5000, b"/", b";",
    b"application/json;charset=utf-16", b"application/json; charset=\xff", b"application/pickle",
)  # fmt: skip
_PATHS = (
    b"/predict/", b"//predict", b"/predict//", b"/PREDICT", b"/predict?x=1",
    b"/predict?" + b"a" * 3000,
    b"/%70redict", b"/predict%00", b"/predict%2f", b"/predict;x", b"/predict#x", b"/./predict",
    b"/../../../../etc/passwd", b"/static_content/../../../etc/passwd",
    b"/static_content/%2e%2e/%2e",
    b"/static_content/..%2f..%2fetc%2fpasswd", b"/static_content/%00",
    b"/static_content/" + b"a" * 300,
    b"/static_content", b"/static_content/", b"/static_content/index.css", b"/assets/x", b"/%ff%fe",
    b"/static_content/%ff", b"/%c0%ae%c0%ae/", b"/\xff", b"/" + b"a" * 8000, b"/" + b"x/" * 2000,
    b"*", b"http://example.org/predict", b"http://[::1", b"//", b"/%", b"/%zz", b"/?", b"/ x",
    b"/labels", b"/livez", b"/healthz", b"/readyz", b"/", b"/schema.json", b"/docs.json",
    b"/metrics",
    b"/task/submit", b"/predict/submit", b"/predict/status", b"/.env", b"/admin", b"/docs",
    b"/openapi.json",
)  # fmt: skip
_METHODS = (
    b"GET", b"PUT", b"DELETE", b"PATCH", b"OPTIONS", b"HEAD", b"TRACE", b"PROPFIND", b"SEARCH",
)  # fmt: skip
_HEADERS = (
    b"authorization: Bearer " + b"x" * 4000, b"authorization: \xff\xfe", b"authorization:",
    b"authorization: Bearer", b"Authorization: bEaReR \x80", b"cookie: " + b"a=b; " * 500,
    b"traceparent: 00-zzzz-1-01", b"traceparent: 00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-00",
    b"traceparent: " + b"f" * 2000, b"tracestate: " + b"a=1," * 400, b"baggage: \xff=\xff",
    b"x-request-id: \r\n\tfolded", b"x-request-id: " + b"\xf0" * 50, b"expect: 100-continue",
    b"expect: 200-ok", b"accept: application/xml", b"accept-encoding: gzip, br, \xff",
    b"accept: " + b"*/*," * 500, b"range: bytes=0-", b"range: bytes=-1,-1,-1",
    b"if-none-match: \"*",
    b"if-modified-since: x", b"origin: null", b"origin: http://evil.example", b"x: " + b"y" * 8000,
    b"forwarded: for=\"_\x80\"", b"x-forwarded-for: ::1, \xff", b"x-forwarded-proto: javascript",
    b"host: evil.example", b"host: \xff", b"payload-container: pickle", b"args-number: 99999999",
    b"x-http-method-override: DELETE", b"content-language: \x80", b"te: trailers",
    b"via: " + b"x," * 900,
)  # fmt: skip
_ENCODINGS = (b"gzip", b"identity", b"deflate", b"br", b"x" * 1000, b"", b"\xff", b"gzip, gzip")


def make(seed: int, number: int, row: Mapping[str, object]) -> Hostile:
    """Make one; `row` is a row that fits the model."""
    chance = random.Random(seed * 1_000_003 + number)
    maker: Maker = chance.choices(_MAKERS, _WEIGHTS)[0]
    return maker(chance, row)


def request(
    kind: str,
    body: bytes,
    *,
    method: bytes = b"POST",
    path: bytes = b"/predict",
    media: bytes = JSON,
    headers: Sequence[bytes] = (),
) -> Hostile:
    """Put a body into a request that HTTP understands."""
    lines = b"".join(line + b"\r\n" for line in headers)
    raw = b"%b %b HTTP/1.1\r\n%bcontent-type: %b\r\n%bcontent-length: %d\r\n\r\n%b" % (
        *(method, path, _HOST, media, lines, len(body), body),
    )
    return Hostile(kind, raw, has_body_in_answer=method != b"HEAD")


def good(row: Mapping[str, object]) -> bytes:
    """A body that fits."""
    return json.dumps({"rows": [row], "keys": ["k"], "source": "hostile"}).encode()


def _nested(chance: random.Random, depth: int = 4) -> Any:
    """Give JSON of any shape."""
    if depth == 0 or chance.random() < 0.3:
        return chance.choice(_VALUES)
    if chance.random() < 0.5:
        return [_nested(chance, depth - 1) for _ in range(chance.randrange(4))]
    names = ["rows", "keys", "times", "source", "", "class", "\ud800", "x" * 300, "__proto__"]
    return {chance.choice(names): _nested(chance, depth - 1) for _ in range(chance.randrange(4))}


def _shape(chance: random.Random, row: Mapping[str, object]) -> Hostile:
    return request("shape", json.dumps(_nested(chance)).encode())


def _value(chance: random.Random, row: Mapping[str, object]) -> Hostile:
    changed = {**row}
    for _ in range(chance.choice([1, 1, 2, 5])):
        changed[chance.choice([*row, "surplus", "", "rows"])] = chance.choice(_VALUES)
    if chance.random() < 0.1:
        changed.pop(chance.choice(list(row)), None)
    rows = [changed] * chance.choice([1, 1, 1, 2, 100, 101])
    more = chance.choice(
        [{}, {}, {"keys": ["a"]}, {"keys": _nested(chance, 1)}, {"times": _nested(chance, 2)},
         {"times": [chance.choice(_VALUES)]}, {"source": chance.choice(_VALUES)}, {"x": 1}]
    )  # fmt: skip
    text = json.dumps({"rows": rows, **more}, ensure_ascii=chance.random() < 0.7)
    return request("value", text.encode("utf-8", "surrogatepass"))


def _literal(chance: random.Random, row: Mapping[str, object]) -> Hostile:
    text = json.dumps({"rows": [{**row, chance.choice(list(row)): "@@"}]}).encode()
    return request("literal", text.replace(b'"@@"', chance.choice(_LITERALS)))


def _mutated(chance: random.Random, row: Mapping[str, object]) -> Hostile:
    text = bytearray(good(row))
    for _ in range(chance.choice([1, 1, 1, 2, 8])):
        at = chance.randrange(len(text))
        match chance.randrange(5):
            case 0:
                text[at] ^= 1 << chance.randrange(8)
            case 1:
                text[at] = chance.randrange(256)
            case 2:
                text[at:at] = chance.randbytes(chance.choice([1, 4]))
            case 3:
                del text[at : at + chance.choice([1, 10])]
            case 4:
                text[at:at] = chance.choice(
                    [b"\x00", b'"', b"\\", b"\\u0000", b"\\ud800", b"[", b"}"]
                )
    return request("mutated", bytes(text))


def _truncated(chance: random.Random, row: Mapping[str, object]) -> Hostile:
    text = good(row)
    return request("truncated", text[: chance.randrange(len(text))])


def _twice(chance: random.Random, row: Mapping[str, object]) -> Hostile:
    text = good(row)
    name = json.dumps(chance.choice(list(row))).encode()
    value = json.dumps(chance.choice(_VALUES[:20])).encode()
    changed = chance.choice(
        [
            text.replace(b"{", b'{"rows": [], ', 1),
            text.replace(b'"rows": [{', b'"rows": [{' + name + b": " + value + b", ", 1),
            text + text,
            text + b"\n" + text,
            text[:-1] + b', "source": "again"}',
        ]
    )
    return request("twice", changed)


def _encoded(chance: random.Random, row: Mapping[str, object]) -> Hostile:
    text = good(row)
    changed = chance.choice(
        [
            b"\xef\xbb\xbf" + text,
            text.decode().encode("utf-16"),
            text.decode().encode("utf-32"),
            text.replace(b"JFK", b"\xed\xa0\x80"),
            text.replace(b"JFK", b"\xc0\xaf"),
            text.replace(b"JFK", chance.randbytes(6)),
            text.replace(b"JFK", b"\x00\x01\x1f"),
            chance.randbytes(chance.randrange(300)),
            b"\x00" * chance.randrange(1, 300),
            b" \t\r\n" * chance.randrange(50),
            b"\x80\x04\x95\x20\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x94\x8c\x06system\x94\x93\x94.",
            b"",
        ]
    )
    return request("encoded", changed)


def _deep(chance: random.Random, row: Mapping[str, object]) -> Hostile:
    depth = chance.choice([100, 1000, _DEEP])
    opening, closing = chance.choice([(b"[", b"]"), (b'{"rows":', b"}"), (b'{"a":[', b"]}")])
    depth = min(depth, (1 << 20) // len(opening))
    whole = opening * depth + b"1" + (closing * depth if chance.random() < 0.5 else b"")
    if chance.random() < 0.5:
        whole = b'{"rows": [{"class": ' + whole + b"}]}"
    return request("deep", whole[: (1 << 20) - chance.randrange(2)])


def _large(chance: random.Random, row: Mapping[str, object]) -> Hostile:
    size = chance.choice([5_000, 100_000, 900_000, (1 << 20) + 1, 2_000_000])
    filler = chance.choice([b"x", b" ", b"\\u0000", "é".encode(), b"1", b"[],", b'\\"'])
    text = filler * (size // len(filler))
    text = chance.choice([text, good(row).replace(b"JFK", text), b'{"rows": [' + text + b"]}"])
    return request("large", text)


def _media(chance: random.Random, row: Mapping[str, object]) -> Hostile:
    lines = [b"content-type: " + chance.choice(_MEDIA)] if chance.random() < 0.3 else []
    if chance.random() < 0.3:
        lines.append(b"content-encoding: " + chance.choice(_ENCODINGS))
    return request("media", good(row), media=chance.choice((*_MEDIA, JSON)), headers=lines)


def _headers(chance: random.Random, row: Mapping[str, object]) -> Hostile:
    lines = chance.choices(_HEADERS, k=chance.choice([1, 1, 2, 4]))
    if chance.random() < 0.05:
        lines = [b"x-%d: %d" % (n, n) for n in range(500)]
    body = good(row) if chance.random() < 0.1 else b"{}"
    return request("headers", body, headers=lines)


def _place(chance: random.Random, row: Mapping[str, object]) -> Hostile:
    method = chance.choice((*_METHODS, b"POST", b"POST", b"GET", b"GET"))
    body = chance.choice([b"", b"", b"{}", good(row)])
    return request("place", body, method=method, path=chance.choice((*_PATHS, b"/predict")))


def _chunked(chance: random.Random, row: Mapping[str, object]) -> Hostile:
    text = chance.choice([good(row), b"{}", b"[1, 2", chance.randbytes(50)])
    parts, at = [], 0
    while at < len(text):
        size = chance.choice([1, 2, 7, 4096])
        part = text[at : at + size]
        extension = chance.choice([b"", b"", b";x=1", b";" + b"y" * 50])
        parts.append(b"%x%b\r\n%b\r\n" % (len(part), extension, part))
        at += size
    trailer = chance.choice([b"", b"", b"x-trailer: 1\r\n"])
    head = b"POST /predict HTTP/1.1\r\n" + _HOST + b"content-type: application/json\r\n"
    whole = b"".join([head, b"transfer-encoding: chunked\r\n\r\n", *parts, b"0\r\n", trailer])
    return Hostile("chunked", whole + b"\r\n")


def _lying(chance: random.Random, row: Mapping[str, object]) -> Hostile:
    text = good(row)
    lengths = [
        b"%d" % (len(text) + chance.choice([1, 100, 10**6, 10**30])),
        b"%d" % chance.randrange(len(text)),
        *(b"-1", b"+5", b"5 5", b"0x10", b"5, 5", b"", b"9" * 400, b"1e3", b"\xb2"),
        b"5\r\ncontent-length: 6",
    ]  # fmt: skip
    extra = chance.choice(
        [b"", b"", b"transfer-encoding: chunked\r\n", b"transfer-encoding: x\r\n"]
    )
    head = b"POST /predict HTTP/1.1\r\n" + _HOST + b"content-type: application/json\r\n"
    whole = head + extra + b"content-length: " + chance.choice(lengths) + b"\r\n\r\n" + text
    return Hostile("lying", whole, is_framed=False)


def _broken_chunks(chance: random.Random, row: Mapping[str, object]) -> Hostile:
    head = b"POST /predict HTTP/1.1\r\n" + _HOST + b"content-type: application/json\r\n"
    coding = chance.choice(
        [b"chunked", b"gzip, chunked", b"chunked, chunked", b"CHUNKED ", b"xchunked"]
    )
    size = chance.choice(
        [b"-1", b"zz", b"f" * 20, b"ffffffff", b"", b"5 ", b"0x5", b"5\n", b"\x00", b"5"]
    )
    text = head + b"transfer-encoding: " + coding + b"\r\n\r\n" + size + b"\r\nhello\r\n0\r\n\r\n"
    return Hostile("broken chunks", text[: chance.randrange(80, len(text) + 1)], is_framed=False)


def _no_http(chance: random.Random, row: Mapping[str, object]) -> Hostile:
    whole = request("", good(row)).raw
    changed = bytearray(whole)
    for _ in range(chance.choice([1, 3])):
        changed[chance.randrange(min(120, len(changed)))] = chance.randrange(256)
    text = chance.choice(
        [
            chance.randbytes(chance.randrange(1, 400)),
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + chance.randbytes(200),
            b"\r\n" * chance.randrange(1, 200),
            b"GET / HTTP/0.9\r\n\r\n",
            b"GET /\r\n",
            b"GET /readyz HTTP/1.0\r\n\r\n",
            b"POST /predict HTTP/9.9\r\n\r\n",
            b"FOO /predict HTTP/1.1\r\n\r\n",
            b"get /predict HTTP/1.1\r\n\r\n",
            b"CONNECT localhost:22 HTTP/1.1\r\n\r\n",
            b"POST /predict HTTP/1.1\r\n folded: x\r\n\r\n",
            b"POST /predict HTTP/1.1\r\nbad header\r\n\r\n",
            b"POST /predict HTTP/1.1\r\nspace : x\r\n\r\n",
            b"POST /predict HTTP/1.1\r\n\x00: x\r\n\r\n",
            b"GET /" + b"a" * 100_000,
            b"GET / HTTP/1.1\r\nx: " + b"y" * 100_000,
            b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 5000,
            b"GET /static_content/x HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\n"
            b"upgrade: websocket\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            b"sec-websocket-version: 13\r\n\r\n",
            b"GET /predict HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\n"
            b"sec-websocket-version: \xff\r\n\r\n",
            whole.replace(b"host", b"upgrade: h2c\r\nconnection: upgrade\r\nhost", 1),
            whole[: chance.randrange(len(whole))],
            bytes(changed),
            bytes(changed),
            bytes(changed),
        ]
    )
    return Hostile("no http", text, is_framed=False)


_KINDS: tuple[tuple[Maker, float], ...] = (
    (_shape, 18), (_value, 16), (_literal, 8), (_mutated, 16), (_truncated, 5), (_twice, 4),
    (_encoded, 6), (_deep, 0.3), (_large, 0.2), (_media, 6), (_headers, 6), (_place, 6),
    (_chunked, 4),
    (_lying, 1.5), (_broken_chunks, 1), (_no_http, 2),
)  # fmt: skip
_MAKERS = [maker for maker, _ in _KINDS]
_WEIGHTS = [weight for _, weight in _KINDS]
