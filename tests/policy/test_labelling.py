"""What a label must be, and which label counts."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.policy.label_book import LabelBook
from trimtab.policy.labelling import LabelError, LabelRules, labels_of_rows
from trimtab.records.contracts import Contract, Task
from trimtab.records.labels import Label
from trimtab.records.schema import Schema

NOON = datetime(2013, 4, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ID = "0123456789abcdef" * 2 + "-7"


def rules(task: Task = Task.BINARY, *classes: bool | int | str) -> LabelRules:
    contract = Contract(
        model="m", task=task, target="y", schema=Schema(columns=()), classes=classes
    )
    return LabelRules(task=task, now=NOON, contract=contract)


LATE = rules(Task.BINARY, False, True)
NUMBER = rules(Task.REGRESSION)


@pytest.mark.parametrize("value", [True, 1, 1.0, "1", "true", "TRUE ", "1.0"])
def test_a_class_may_be_written_in_many_ways(value: object) -> None:
    assert LATE.read({"key": "k", "value": value}).value == "True"


@pytest.mark.parametrize("value", [2, "late", 0.5, "", [], {}, b"1", float("nan")])
def test_what_is_no_class_is_refused_with_the_classes(value: object) -> None:
    with pytest.raises(LabelError, match="should be one of the classes False, True") as refused:
        LATE.read({"key": "k", "value": value})

    assert refused.value.field == "value"


def test_of_many_classes_some_are_shown() -> None:
    many = rules(Task.MULTICLASS, *range(100))

    assert many.read({"key": "k", "value": "99"}).value == "99"
    with pytest.raises(LabelError, match=r"18, 19 and 80 more$"):
        many.read({"key": "k", "value": 100})


@pytest.mark.parametrize(
    ("value", "text"), [(1, "1"), (-2.5, "-2.5"), ("1e3", "1e3"), (" 7 ", "7")]
)
def test_a_number_is_taken_as_it_is_written(value: object, text: str) -> None:
    assert NUMBER.read({"key": "k", "value": value}).value == text


@pytest.mark.parametrize(
    "value", [float("inf"), float("nan"), "nan", "-inf", True, "many", 10**400, [1], "1e999"]
)
def test_what_is_no_finite_number_is_refused(value: object) -> None:
    with pytest.raises(LabelError, match="value should be a finite number"):
        NUMBER.read({"key": "k", "value": value})


def test_without_a_version_any_class_is_believed() -> None:
    unchecked = LabelRules(task=Task.BINARY, now=NOON)

    assert unchecked.read({"key": "k", "value": "whatever"}).value == "whatever"
    with pytest.raises(LabelError, match="should be a class"):
        unchecked.read({"key": "k", "value": ["whatever"]})


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"value": 1}, "prediction_id and key are missing"),
        ({"key": "k", "prediction_id": ID, "value": 1}, "one of the two is enough"),
        ({"key": "", "value": 1}, "key should be text, and not empty"),
        ({"key": 7, "value": 1}, "key should be text"),
        ({"key": "k" * 257, "value": 1}, "key should have at most 256 characters"),
        ({"key": "a\0b", "value": 1}, "key should be text without NUL"),
        ({"key": "\ud800", "value": 1}, "key should be text without NUL"),
        ({"prediction_id": "order-7", "value": 1}, "should be as an endpoint gave it"),
        ({"key": "k"}, "value is missing"),
        ({"key": "k", "value": 1, "when": 7}, "when is no part of a label"),
        ({"key": "k", "value": 1, "known_at": 7}, "known_at should be a time"),
        ({"key": "k", "value": 1, "known_at": "1066-10-14"}, "between the years"),
        ({"key": "k", "value": 1, "known_at": "2013-04-02"}, "known_at lies in the future"),
    ],
)
def test_what_is_no_label_is_refused_with_the_reason(given: dict[str, object], why: str) -> None:
    with pytest.raises(LabelError, match=why):
        LATE.read(given)


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        (None, NOON),
        ("2013-04-01", NOON - 720 * MINUTE),
        ("2013-04-01T13:00:00+02:00", NOON - 60 * MINUTE),
        (datetime(2013, 4, 1, 11), NOON - 60 * MINUTE),
        (date(2013, 4, 1), NOON - 720 * MINUTE),
        (NOON + 4 * MINUTE, NOON + 4 * MINUTE),
    ],
)
def test_a_time_without_a_zone_is_utc_and_none_is_now(written: object, moment: datetime) -> None:
    found = LATE.read({"prediction_id": ID, "value": 0, "known_at": written})

    assert found == Label(key=ID, value="False", known_at=moment)


tellings = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 4)), min_size=1, max_size=9)


def book_of(told: list[tuple[str, int]], book: LabelBook | None = None) -> LabelBook:
    book = book or LabelBook()
    for number, (value, minute) in enumerate(told):
        label = Label(key="k", value=value, known_at=NOON + minute * MINUTE)
        book.tell(label, "ada", NOON + number * MINUTE)
    return book


@given(told=tellings)
def test_what_became_known_last_counts_whatever_the_order(told: list[tuple[str, int]]) -> None:
    book = book_of(told)
    newest = max(range(len(told)), key=lambda i: (told[i][1], i))

    assert book.standing["k"].value == told[newest][0]
    assert book.standing["k"].confirmed_at == NOON + told[newest][1] * MINUTE
    assert book.delivered.total == len(told)


@given(told=tellings)
def test_no_value_that_was_ever_told_is_lost(told: list[tuple[str, int]]) -> None:
    book = book_of(told)
    kept = {book.standing["k"].value, *(past.value for past in book.past)}

    assert kept == {value for value, _ in told}
    assert len(book.past) == book.delivered.corrected + book.delivered.outdated
    assert all(past.told_at <= past.replaced_at for past in book.past)


@given(told=tellings)
def test_the_newest_told_again_changes_nothing(told: list[tuple[str, int]]) -> None:
    standing = book_of(told).standing["k"]
    again = LabelBook([standing])
    again.tell(Label(key="k", value=standing.value, known_at=NOON), "bob", NOON)

    assert again.changed == []
    assert (again.past, again.delivered.unchanged) == ([], 1)


def test_the_label_of_a_prediction_goes_before_that_of_its_key() -> None:
    by_key = Label(key="k", value="0", known_at=NOON)
    by_id = Label(key="a-1", value="1", known_at=NOON)
    found = labels_of_rows(
        ["k", "k", None, float("nan")], ["a-0", "a-1", "a-2", None], {"k": by_key, "a-1": by_id}
    )

    assert found == [by_key, by_id, None, None]
