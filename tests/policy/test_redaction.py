"""What is redacted, and what is refused rather than captured by mistake."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.errors import SettingsError
from trimtab.policy.redaction import Redaction, pseudonym, secret_of, withheld
from trimtab.records.schema import Column, ColumnType, Schema

SECRET = secret_of("a secret of this project")
SCHEMA = Schema(
    columns=(
        Column(name="passenger_name", type=ColumnType.STRING, required=True),
        Column(name="email", type=ColumnType.STRING, required=False),
        Column(name="age", type=ColumnType.LONG, required=True),
    )
)
texts = st.text(st.characters())  # lone surrogates as well


def redaction(**changes: object) -> Redaction:
    fields: dict[str, object] = {"secret": SECRET, "hashes_keys": True}
    return Redaction(**{**fields, **changes})  # type: ignore[arg-type]


@given(one=texts, other=texts)
def test_equal_texts_and_only_they_have_equal_hashes(one: str, other: str) -> None:
    assert (pseudonym(SECRET, one) == pseudonym(SECRET, other)) == (one == other)


@given(text=texts)
def test_another_secret_gives_another_hash_that_shows_nothing_of_the_text(text: str) -> None:
    found = pseudonym(SECRET, text)

    assert len(found) == 32
    assert set(found) <= set("0123456789abcdef")
    assert found != pseudonym(secret_of("another secret"), text)


def test_the_hash_stays_the_same_over_releases() -> None:
    assert pseudonym(SECRET, "anna@example.org") == "f49ac5b9284eeebe1203a2411a7930ed"


def test_dropped_columns_are_gone_and_hashed_ones_are_changed() -> None:
    kept = redaction(dropped=frozenset({"age"}), hashed=frozenset({"email"})).columns(SCHEMA.names)
    change = kept["email"]

    assert list(kept) == ["passenger_name", "email"]
    assert kept["passenger_name"] is None
    assert change is not None
    assert change("x") == pseudonym(SECRET, "x")
    assert change(None) is None


def test_keys_are_hashed_and_ids_of_predictions_stay() -> None:
    prediction_id = "0123456789abcdef" * 2 + "-17"

    assert redaction().key("order-7") == pseudonym(SECRET, "order-7")
    assert redaction().key(prediction_id) == prediction_id
    assert redaction(hashes_keys=False).key("order-7") == "order-7"


def test_a_name_that_was_meant_for_a_column_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"'pasenger_name' is no input .* 'passenger_name'"):
        redaction(dropped=frozenset({"pasenger_name"})).require_fits(SCHEMA)


@pytest.mark.parametrize("names", [{"left_us_last_year"}, {"email", "e-mail"}, set(SCHEMA.names)])
def test_names_of_other_versions_columns_are_let_pass(names: set[str]) -> None:
    redaction(dropped=frozenset(names)).require_fits(SCHEMA)


def test_only_text_can_be_kept_as_its_hash() -> None:
    with pytest.raises(SettingsError, match=r"'age' is long; .* capture\.drop"):
        redaction(hashed=frozenset({"age"})).require_fits(SCHEMA)


def test_nothing_to_redact_is_told() -> None:
    assert Redaction().is_nothing()
    assert not redaction().is_nothing()
    assert sorted(withheld(["a"], ["b"])) == ["a", "b"]
