"""What the store of API keys promises, held by SQLite and by a real PostgreSQL."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from trimtab.adapters.sql import SqlDatabase
from trimtab.errors import UnknownKeyError
from trimtab.records.keys import ApiKey, KeyScope

NOON = datetime(2013, 4, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def key(id: str, model: str | None = None, minutes: int = 0) -> ApiKey:
    return ApiKey(
        id=id,
        name="ci",
        model=model,
        scopes=(KeyScope.PREDICT, KeyScope.ADMIN),
        sha256=id.rjust(64, "0"),
        created_by="tests",
        created_at=NOON + minutes * MINUTE,
        expires_at=NOON + timedelta(days=90),
    )


def test_a_model_s_keys_are_its_own_and_those_for_all(database: SqlDatabase) -> None:
    own, other, everyone = key("a", "late", 0), key("b", "early", 1), key("c", None, 2)
    with database.transaction() as stores:
        for one in (own, other, everyone):
            stores.keys.add(one)

    with database.transaction() as stores:
        assert list(stores.keys.all()) == [everyone, other, own]
        assert list(stores.keys.of("late")) == [everyone, own]
        assert list(stores.keys.of("never heard of")) == [everyone]


def test_a_key_is_revoked_once_and_stays_known(database: SqlDatabase) -> None:
    with database.transaction() as stores:
        stores.keys.add(key("a"))
        stores.keys.revoke("a", NOON)
        stores.keys.revoke("a", NOON + MINUTE)

    with database.transaction() as stores:
        assert list(stores.keys.of("late")) == [replace(key("a"), revoked_at=NOON)]
        with pytest.raises(UnknownKeyError, match="'b'"):
            stores.keys.revoke("b", NOON)


def test_one_key_is_stored_once(database: SqlDatabase) -> None:
    with database.transaction() as stores:
        stores.keys.add(key("a"))
    twin = replace(key("b"), sha256=key("a").sha256)

    with pytest.raises(IntegrityError), database.transaction() as stores:
        stores.keys.add(twin)
