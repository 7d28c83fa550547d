"""The keyring of an endpoint: whom it lets in, whatever the bytes and the file."""

import hmac
import os
import stat
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from trimtab.records.documents import to_json
from trimtab.records.keys import Admission, AdmittedKey, ApiKey, KeyScope, admit, hash_key, make_key
from trimtab_services.keys import Keyring, write_admission

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


def bearer(key: str) -> bytes:
    return f"Bearer {key}".encode()


def admitted(key: str, *scopes: KeyScope, until: datetime | None = None) -> AdmittedKey:
    return AdmittedKey(id="k", sha256=hash_key(key.encode()), scopes=scopes, expires_at=until)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "serving" / "m.keys.json"


def kept(key: str, **changes: datetime) -> ApiKey:
    return ApiKey(
        id=key,
        name="shop",
        model=None,
        scopes=(KeyScope.PREDICT,),
        sha256=hash_key(key.encode()),
        created_by="tests",
        created_at=NOW,
        **changes,
    )


def test_where_no_key_was_ever_made_everybody_may(file: Path) -> None:
    write_admission(file, admit([], NOW))

    for keyring in (Keyring(), Keyring(file=file)):
        assert keyring.allows(b"", "predict")
        assert keyring.allows(b"Bearer whatever", "admin")


def test_the_key_of_the_environment_opens_predictions_and_the_rest() -> None:
    keyring = Keyring(SecretStr("a key of mine\n"))

    assert keyring.allows(bearer("a key of mine"), "predict")
    assert keyring.allows(b"bearer  a key of mine ", "admin")
    assert not keyring.allows(bearer("a key of mine"), "label")
    assert not keyring.allows(b"Basic a key of mine", "predict")
    assert not keyring.allows(b"a key of mine", "predict")


def test_several_keys_are_good_at_once_each_for_its_own_scopes(file: Path) -> None:
    predict, both = make_key()[1], make_key()[1]
    keys = (
        admitted(predict, KeyScope.PREDICT),
        admitted(both, KeyScope.LABEL, KeyScope.ADMIN),
    )
    write_admission(file, Admission(keys=keys))
    keyring = Keyring(SecretStr("plain"), file)
    scopes = ("predict", "label", "admin")

    assert [keyring.allows(bearer(predict), s) for s in scopes] == [True, False, False]
    assert [keyring.allows(bearer(both), s) for s in scopes] == [False, True, True]
    assert [keyring.allows(bearer("plain"), s) for s in scopes] == [True, False, True]


def test_expired_revoked_and_unknown_keys_open_nothing(file: Path) -> None:
    keys = [kept("old", expires_at=NOW - DAY), kept("gone", revoked_at=NOW), kept("good")]
    write_admission(file, admit(keys, NOW))
    keyring = Keyring(file=file)

    assert keyring.allows(bearer("good"), "predict")
    assert not any(keyring.allows(bearer(key), "predict") for key in ("old", "gone", "new", ""))


def test_a_key_ends_by_itself_also_when_nobody_writes_the_file_again(file: Path) -> None:
    soon = datetime.now(UTC) + timedelta(milliseconds=200)
    write_admission(file, Admission(keys=(admitted("short", KeyScope.PREDICT, until=soon),)))
    keyring = Keyring(file=file)
    before = keyring.allows(bearer("short"), "predict")
    while datetime.now(UTC) <= soon:
        time.sleep(0.01)

    assert before
    assert not keyring.allows(bearer("short"), "predict")


def test_what_was_closed_stays_closed_when_its_last_key_is_gone(file: Path) -> None:
    write_admission(file, admit([kept("gone", revoked_at=NOW)], NOW))

    assert not Keyring(file=file).allows(b"", "predict")


@given(header=st.binary(max_size=300) | st.binary(max_size=300).map(lambda b: b"Bearer " + b))
def test_whatever_the_bytes_the_answer_is_no(header: bytes) -> None:
    keyring = Keyring(SecretStr("tt_0123456789_" + "a" * 43))

    assert not keyring.allows(header, "predict")


@given(cut=st.integers(0, 60), flip=st.integers(0, 7))
def test_nearly_the_key_is_not_the_key(cut: int, flip: int) -> None:
    key = "tt_0123456789_" + "a" * 43
    changed = bytearray(bearer(key))
    changed[cut % len(changed)] ^= 1 << flip
    is_same = bytes(changed).lower()[:7] == b"bearer " and bytes(changed)[7:] == key.encode()

    assert Keyring(SecretStr(key)).allows(bytes(changed), "predict") is is_same


def test_every_key_is_compared_also_after_the_right_one(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["first", "second", "third"]
    keys = tuple(admitted(name, KeyScope.PREDICT) for name in names)
    write_admission(file, Admission(keys=keys))
    keyring, compare, count = Keyring(file=file), hmac.compare_digest, 0

    def counted(a: bytes, b: bytes) -> bool:
        nonlocal count
        count += 1
        return compare(a, b)

    monkeypatch.setattr(hmac, "compare_digest", counted)
    for key in (*names, "none of them"):
        keyring.allows(bearer(key), "predict")

    assert count == 4 * len(names)


def test_a_file_that_is_replaced_counts_within_a_second(
    file: Path, wait: Callable[..., None]
) -> None:
    write_admission(file, Admission(closed=False))
    keyring = Keyring(file=file)
    assert keyring.allows(b"", "predict")
    write_admission(file, Admission(keys=(admitted("new", KeyScope.PREDICT),)))

    wait(lambda: not keyring.allows(b"", "predict"), "the endpoint to close", 2)
    assert keyring.allows(bearer("new"), "predict")
    write_admission(file, Admission())
    wait(lambda: not keyring.allows(bearer("new"), "predict"), "the key to be refused", 2)


@pytest.mark.parametrize("content", [b"", b"{", b'{"keys": 1}', b"\xff\xfe", b"tt_1_secret", None])
def test_a_file_that_goes_bad_changes_nothing(
    file: Path, content: bytes | None, wait: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    write_admission(file, Admission(keys=(admitted("good", KeyScope.PREDICT),)))
    keyring = Keyring(file=file)
    file.write_bytes(content) if content is not None else file.unlink()

    def says_so() -> bool:
        assert keyring.allows(bearer("good"), "predict")
        assert not keyring.allows(b"", "predict")
        return "stays in force" in caplog.text

    wait(says_so, "a word in the log", 2)
    assert "secret" not in caplog.text
    with pytest.raises((OSError, ValueError)) as refused:
        Keyring(file=file)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "entry",
    [
        '{"id": "k", "sha256": "\\u00e9", "scopes": ["predict"]}',
        '{"id": "k", "sha256": "", "scopes": []}',
    ],
)
def test_a_hash_that_is_none_matches_nothing(file: Path, entry: str) -> None:
    file.parent.mkdir()
    file.write_text(f'{{"keys": [{entry}]}}')

    assert not Keyring(file=file).allows(b"Bearer ", "predict")


def test_only_we_can_read_the_file_and_it_is_written_when_it_changes(file: Path) -> None:
    write_admission(file, Admission())
    first = file.stat()
    write_admission(file, Admission())
    second = file.stat()
    write_admission(file, Admission(closed=False))

    assert stat.S_IMODE(first.st_mode) == 0o600
    assert (first.st_ino, first.st_mtime_ns) == (second.st_ino, second.st_mtime_ns)
    assert file.read_bytes() == to_json(Admission(closed=False), indent=2)
    assert os.listdir(file.parent) == [file.name]


def test_where_others_can_reach_it_somebody_must_be_kept_out(file: Path) -> None:
    write_admission(file, Admission(closed=False))
    for host in ("127.0.0.1", "::1", "localhost", None):
        assert Keyring(file=file, host=host).allows(b"", "predict")
    for host in ("0.0.0.0", "::", "example.org", "10.0.0.1"):
        with pytest.raises(ValueError, match="TRIMTAB_API_KEY"):
            Keyring(file=file, host=host)
        assert not Keyring(SecretStr("k"), file, host).allows(b"", "predict")
    write_admission(file, Admission())

    assert not Keyring(file=file, host="0.0.0.0").allows(b"", "predict")


def test_made_keys_differ_and_name_themselves() -> None:
    made = [make_key() for _ in range(1000)]

    assert len({key for _, key in made}) == len({id for id, _ in made}) == 1000
    assert all(key.startswith(f"tt_{id}_") and len(key) == 14 + 43 for id, key in made)
