"""What is to be redacted never reaches the disk, and what is left still serves the loop."""

import json
import shutil
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from trimtab.adapters.parquet_log import ParquetLog
from trimtab.errors import SettingsError
from trimtab.policy.redaction import pseudonym, secret_of
from trimtab_services.bundle import read_contract, source_of
from trimtab_services.environment import ServingEnvironment
from trimtab_services.reply import Arrival
from trimtab_services.service import Endpoint
from trimtab_services.shipper import Shipper

MODEL = "late-arrival"
SECRET = "a secret of this project"
NAME, KEY = "Anna-Lena von Nordkapp", "customer-4711-of-the-north"


@pytest.fixture(scope="module")
def source(shelf: Any) -> Path:
    return source_of(shelf.bento("1"))


def answer(source: Path, row: Mapping[str, object], spool: Path, **given: Any) -> dict[str, Any]:
    """Open an endpoint on a spool of its own, ask it once, and end it."""
    environment = ServingEnvironment(spool=spool, device="cpu", **given)
    endpoint = Endpoint(source, environment)
    endpoint.open()
    body = json.dumps({"rows": [row], "keys": [KEY], "source": "test"}).encode()
    reply = endpoint.predict(body, Arrival.now())
    endpoint.close()
    found: dict[str, Any] = json.loads(reply.body)
    assert reply.status == 200, found
    return found


def ship(source: Path, spool: Path, log: ParquetLog) -> None:
    with closing(Shipper(spool, MODEL, log, lambda _: read_contract(source))) as shipper:
        assert shipper.ship().rows == 1


def test_no_byte_of_what_is_redacted_reaches_the_disk(
    source: Path, row: Callable[..., dict[str, object]], tmp_path: Path
) -> None:
    asked = row(**{"class": NAME, "temp °C": 36.625, "seats": 77})
    plain = answer(source, asked, tmp_path / "plain")
    told = answer(
        source,
        asked,
        tmp_path / "spool",
        capture_drop=("temp °C", "seats"),
        capture_hash=("class",),
        capture_hash_keys=True,
        capture_key=SecretStr(SECRET),
    )
    written = [path.read_bytes() for path in (tmp_path / "spool").iterdir()]
    log = ParquetLog(tmp_path / "log")
    ship(source, tmp_path / "spool", log)
    kept = [path.read_bytes() for path in (tmp_path / "log").rglob("*") if path.is_file()]

    assert written
    assert not any(word.encode() in data for word in (NAME, KEY, "36.625") for data in written)
    assert not any(word.encode() in data for word in (NAME, KEY) for data in kept)
    assert NAME.encode() in b"".join(p.read_bytes() for p in (tmp_path / "plain").iterdir())
    assert told["predictions"][0]["prediction"] == plain["predictions"][0]["prediction"]
    found = log.read(MODEL, "1")
    assert found is not None
    assert found.inputs["class"].tolist() == [pseudonym(secret_of(SECRET), NAME)]
    assert found.rows["key"].tolist() == [pseudonym(secret_of(SECRET), KEY)]
    assert found.inputs[["temp °C", "seats"]].isna().all(axis=None)
    assert found.inputs["model_age"].tolist() == [7]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"capture_hash": ("class",)}, "TRIMTAB_CAPTURE_KEY is not set"),
        ({"capture_hash_keys": True}, "TRIMTAB_CAPTURE_KEY is not set"),
        ({"capture_drop": ("is_holiday",)}, "did you mean 'is holiday'"),
        ({"capture_hash": ("seats",), "capture_key": SecretStr(SECRET)}, "only text"),
    ],
)
def test_an_endpoint_that_would_capture_against_the_settings_does_not_open(
    given: dict[str, Any], why: str, source: Path, tmp_path: Path
) -> None:
    endpoint = Endpoint(source, ServingEnvironment(spool=tmp_path / "spool", **given))
    with pytest.raises(SettingsError, match=why):
        endpoint.open()

    assert not (tmp_path / "spool").exists()


def test_a_bento_keeps_its_redaction_wherever_it_is_served(
    source: Path, row: Callable[..., dict[str, object]], tmp_path: Path
) -> None:
    copied = tmp_path / "src"
    shutil.copytree(source, copied)
    bundle = json.loads((source / "bundle.json").read_text())
    (copied / "bundle.json").write_text(json.dumps({**bundle, "capture_drop": ["class"]}))
    answer(copied, row(**{"class": NAME}), tmp_path / "spool")

    assert not any(NAME.encode() in p.read_bytes() for p in (tmp_path / "spool").iterdir())
