"""The real endpoint over HTTP: what it answers, what it refuses, and that nothing breaks it."""

import json
import random
import socket
from collections.abc import Callable
from typing import Any

import pytest

from trimtab_services.captured import CapturedRequest, decode
from trimtab_services.frames import FrameKind, scan

Row = Callable[..., dict[str, object]]
JSON = {"content-type": "application/json"}


def body(*rows: object, **more: object) -> bytes:
    return json.dumps({"rows": rows, **more}).encode()


def captured(live: Any) -> list[CapturedRequest]:
    folder = live.settings.home.spool("late-arrival")
    frames = [f for path in folder.glob("*.seg") for f in scan(path.read_bytes())]
    return [decode(f.payload) for f in frames if f.kind is FrameKind.REQUEST]


def test_it_answers_rows_with_ids_version_and_probabilities(live: Any, row: Row) -> None:
    status, answer = live.caller.predict(body(row(), row(**{"temp °C": 35})))

    assert status == 200
    assert (answer["model"], answer["version"]) == ("late-arrival", "1")
    assert [p["prediction_id"] for p in answer["predictions"]] == [
        f"{answer['request_id']}-0",
        f"{answer['request_id']}-1",
    ]
    for prediction in answer["predictions"]:
        shares = prediction["probabilities"]
        assert sum(shares.values()) == pytest.approx(1)
        assert prediction["prediction"] is (shares["True"] > 0.5)


def test_what_was_answered_is_captured_before_the_answer(live: Any, row: Row) -> None:
    _, answer = live.caller.predict(
        body(row(), keys=["flight-1"], times=["2013-04-01T12:00:00Z"], source="tests")
    )

    kept = next(r for r in captured(live) if r.request_id == answer["request_id"])
    assert (kept.status, kept.source, kept.version, kept.device) == (200, "tests", "1", "cpu")
    assert (kept.rows[0].key, kept.rows[0].time.isoformat()) == (
        "flight-1",
        "2013-04-01T12:00:00+00:00",
    )
    assert kept.rows[0].inputs["class"] == "JFK"
    assert kept.rows[0].probabilities == list(answer["predictions"][0]["probabilities"].values())


def test_what_was_refused_is_captured_without_its_values(live: Any, row: Row) -> None:
    before = len(captured(live))
    status, _ = live.caller.predict(body(row(seats="a secret")))

    assert status == 400
    *_, kept = captured(live)[before:]
    assert (kept.status, kept.rows) == (400, [])
    assert "rows.0.seats" in (kept.detail or "")
    assert "a secret" not in repr(kept)


@pytest.mark.parametrize(
    "media",
    [
        "text/plain",
        "application/vnd.bentoml+pickle",
        "Application/Vnd.BentoML+Pickle; x=1",
        "multipart/form-data",
        "application/x-www-form-urlencoded",
        "application/json-patch+json",
        "",
    ],
)
def test_only_json_is_unpacked(live: Any, row: Row, media: str) -> None:
    status, answer, _ = live.caller.call("POST", "/predict", body(row()), {"content-type": media})

    assert status == 415
    assert "application/json" in json.loads(answer)["error"]


def test_the_media_type_may_have_parameters(live: Any, row: Row) -> None:
    media = {"content-type": "Application/JSON; charset=utf-8"}

    assert live.caller.call("POST", "/predict", body(row()), media)[0] == 200


def test_a_packed_body_is_refused(live: Any, row: Row) -> None:
    assert live.caller.predict(body(row()), content_encoding="gzip")[0] == 415


def test_a_large_body_is_refused_by_its_header(live: Any) -> None:
    assert live.caller.predict(b" " * 2_000_000)[0] == 413


def test_a_large_body_is_refused_by_its_count_where_no_header_tells(live: Any) -> None:
    with socket.create_connection(("127.0.0.1", live.caller.port), timeout=30) as connection:
        connection.sendall(
            b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
            b"transfer-encoding: chunked\r\n\r\n"
        )
        for _ in range(20):
            connection.sendall(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
        assert b" 413 " in connection.recv(100)


def test_openapi_names_and_types_every_column_and_class(live: Any) -> None:
    status, text, _ = live.caller.call("GET", "/docs.json")
    schemas = json.loads(text)["components"]["schemas"]

    assert status == 200
    columns = schemas["Row"]["properties"]
    assert columns["temp °C"]["type"] == "number"
    assert columns["model_age"]["type"] == "integer"
    assert columns["class"] == {"title": "Class", "type": "string", "maxLength": 4096}
    assert columns["scheduled"]["format"] == "date-time"
    assert {"type": "null"} in columns["_wind.gust"]["anyOf"]
    assert schemas["Row"]["additionalProperties"] is False
    assert schemas["PredictRequest"]["properties"]["rows"]["maxItems"] == 100
    assert set(schemas["Probabilities"]["properties"]) == {"False", "True"}


def test_openapi_tells_the_version_both_forms_and_every_refusal(live: Any) -> None:
    _, text, _ = live.caller.call("GET", "/docs.json")
    document = json.loads(text)
    predict = document["paths"]["/predict"]["post"]
    columns = document["components"]["schemas"]["PredictColumnsRequest"]["properties"]

    assert (document["info"]["title"], document["info"]["version"]) == ("late-arrival", "1")
    forms = predict["requestBody"]["content"]["application/json"]["schema"]["oneOf"]
    assert [form["$ref"].rpartition("/")[2] for form in forms] == [
        "PredictRequest",
        "PredictColumnsRequest",
    ]
    assert set(columns["columns"]["items"]["enum"]) == set(
        document["components"]["schemas"]["Row"]["properties"]
    )
    assert columns["data"]["items"]["minItems"] == columns["data"]["items"]["maxItems"] == 8
    assert {"400", "401", "403", "408", "413", "415", "500"} < set(predict["responses"])


def test_columns_may_be_named_once(live: Any, row: Row) -> None:
    names = list(row())[::-1]
    rows = [row(), row(**{"temp °C": 35})]
    data = [[each[name] for name in names] for each in rows]
    _, named = live.caller.predict(body(*rows, keys=["a", "b"]))
    once = json.dumps({"columns": names, "data": data, "keys": ["a", "b"]}).encode()
    status, answer = live.caller.predict(once)

    assert status == 200
    assert [p["probabilities"] for p in answer["predictions"]] == [
        p["probabilities"] for p in named["predictions"]
    ]
    kept = {r.request_id: r for r in captured(live)}
    first, second = kept[named["request_id"]], kept[answer["request_id"]]
    assert [row.inputs for row in first.rows] == [row.inputs for row in second.rows]
    data[1][names.index("seats")] = "many"
    status, answer = live.caller.predict(json.dumps({"columns": names, "data": data}).encode())
    assert (status, answer["fields"][0]["field"]) == (400, "data.1.seats")


def test_the_answer_bears_the_id_under_which_it_is_captured(live: Any, row: Row) -> None:
    for text in (body(row()), b"{}"):
        media = {"content-type": "application/json"}
        _, _, headers = live.caller.call("POST", "/predict", text, media)
        assert headers["x-request-id"] in {kept.request_id for kept in captured(live)}


def test_the_client_of_bentoml_is_answered(live: Any, row: Row) -> None:
    import bentoml

    with bentoml.SyncHTTPClient(f"http://127.0.0.1:{live.caller.port}") as client:
        answer = client.predict(rows=[row()], keys=["a"])

    assert (answer["version"], len(answer["predictions"])) == ("1", 1)


@pytest.mark.parametrize("path", ["/predict%0A", "/predict/", "/", "/nowhere", "/docs.json"])
def test_only_one_path_takes_a_body(live: Any, row: Row, path: str) -> None:
    """Else a path that BentoML's router takes for /predict would go round the strict reading."""
    status, _, headers = live.caller.call("POST", path, body(row()), JSON)

    assert (status, headers["allow"]) == (405, "GET, HEAD")


def test_readiness_names_what_answers(live: Any) -> None:
    status, text, _ = live.caller.call("GET", "/readyz")
    facts = json.loads(text)

    assert status == 200
    assert (facts["version"], facts["device"], facts["note"]) == ("1", "cpu", "")
    assert facts["answered"] == facts["captured"] + facts["dropped"]


def test_metrics_count_and_their_labels_are_few(live: Any, row: Row) -> None:
    live.caller.predict(body(row()))
    for path in ("/nowhere", "/a/b", "/predict/x"):
        assert live.caller.call("GET", path)[0] == 404
    status, text, _ = live.caller.call("GET", "/metrics")

    assert status == 200
    assert b'trimtab_version{device="cpu",model="late-arrival",version="1"} 1.0' in text
    assert b'trimtab_requests_total{status="2xx"}' in text
    assert b"trimtab_captured_total" in text
    assert b"nowhere" not in text


def test_another_method_is_no_request(live: Any) -> None:
    assert live.caller.call("GET", "/predict")[0] == 405


def test_ten_thousand_digits_are_no_number(live: Any, row: Row) -> None:
    text = body(row(seats=1)).replace(b'"seats": 1', b'"seats": 1' + b"0" * 10_000)

    assert live.caller.predict(text)[0] == 400


def hostile(chance: random.Random, row: Row) -> tuple[bytes, dict[str, str]]:
    """Make a request that somebody could send."""
    column = chance.choice([*row(), "surplus"])
    values: list[object] = [
        None, True, 0, -1, 1.5, 1e308, "", "x", "\u202e", "\x00", "é" * 5000, [], {}, [[]],
        10**30, -(2**63), "NaN", {"$time": "x"}, "2013-13-01T00:00:00Z", "0001-01-01T00:00:00Z",
    ]  # fmt: skip
    text = json.dumps(
        {
            "rows": [row(**{column: chance.choice(values)})] * chance.choice([1, 2, 100, 101]),
            **chance.choice([{}, {"keys": ["a"]}, {"times": [None]}, {"source": 5}, {"x": 1}]),
        }
    ).encode()
    mutation = chance.randrange(6)
    if mutation == 0:
        text = text[: chance.randrange(len(text))]
    elif mutation == 1:
        at = chance.randrange(len(text))
        text = text[:at] + bytes([chance.randrange(256)]) + text[at + 1 :]
    elif mutation == 2:
        text = text.replace(b"11.5", chance.choice([b"NaN", b"-Infinity", b"1e999", b"1" * 400]))
    media = chance.choice(["application/json"] * 8 + ["text/plain", "application/xml"])
    return text, {"content-type": media}


def test_a_thousand_hostile_requests_get_no_server_error(live: Any, row: Row) -> None:
    seed = 20130401
    chance = random.Random(seed)
    seen: dict[int, int] = {}
    for number in range(1000):
        text, headers = hostile(chance, row)
        status, answer, _ = live.caller.call("POST", "/predict", text, headers)
        seen[status] = seen.get(status, 0) + 1
        assert status in (200, 400, 413, 415), f"seed {seed}, request {number}: {status} {answer!r}"
        assert status == 200 or json.loads(answer)["error"]

    assert seen[200]
    assert seen[400]
    assert live.host.is_running
