"""What looks at the same rows ask of each other."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.policy.looks import asked_of, before, digest_of, words
from trimtab.records.looks import Look

ERROR = 0.05
spans = st.tuples(st.integers(0, 60), st.integers(1, 40))


def look(number: int, start: float, end: float, digest: str = "") -> Look:
    return Look(
        model="m",
        number=number,
        at=datetime(2013, 4, 1, tzinfo=UTC),
        challenger=str(number),
        challenger_sha256="0" * 64,
        champion="1",
        start=start,
        end=end,
        rows=int(end - start) + 1,
        digest=digest or str(number),
        confidence=0.95,
        passed=False,
    )


@given(st.lists(spans, min_size=1, max_size=30))
def test_all_looks_at_a_row_spend_no_more_than_the_row_brought(
    looks: list[tuple[int, int]],
) -> None:
    """The error, counted in rows: of every look its error times its rows."""
    seen: list[Look] = []
    spent, rows = 0.0, set[int]()
    for number, (start, length) in enumerate(looks, start=1):
        places = np.arange(start, start + length, dtype=float)
        spent += (1 - asked_of(1 - ERROR, places, seen).confidence) * length
        rows |= set(range(start, start + length))
        seen.append(look(number, start, start + length - 1))

    assert spent <= ERROR * len(rows) + 1e-9


@given(spans, st.lists(spans, max_size=10), spans)
def test_another_look_never_makes_the_next_one_easier(
    new: tuple[int, int], known: list[tuple[int, int]], further: tuple[int, int]
) -> None:
    places = np.arange(new[0], sum(new), dtype=float)
    looks = [look(n, start, start + length) for n, (start, length) in enumerate(known)]
    more = [*looks, look(99, further[0], sum(further))]

    assert asked_of(0.9, places, more).confidence >= asked_of(0.9, places, looks).confidence


def test_rows_that_nobody_looked_at_are_asked_for_the_same_whatever_came_before() -> None:
    looks = [look(n, 0, 99) for n in range(1, 9)]
    places = np.arange(100.0, 200.0)

    assert asked_of(0.95, places, looks) == asked_of(0.95, places, [])
    assert words(asked_of(0.95, places, looks)) == ""


def test_the_words_say_how_many_looks_at_how_many_of_the_rows() -> None:
    places = np.arange(100.0)
    asked = asked_of(0.95, places, [look(1, -50, 61), look(2, -30, 61)])

    assert words(asked) == "This is look 3 at 62% of these rows; the confidence asked is 98.64%."


def test_the_same_comparison_again_is_the_look_it_was() -> None:
    looks = [look(1, 0, 9), look(2, 0, 9, digest="same"), look(3, 0, 9)]

    assert list(before(looks, "same")) == looks[:1]
    assert list(before(looks, "new")) == looks


@pytest.mark.parametrize("change", ["metric", "champion", "challenger"])
def test_a_comparison_is_known_by_its_losses(change: str) -> None:
    parts = {
        "metric": "brier",
        "champion": np.array([0.1, 0.2]),
        "challenger": np.array([0.2, 0.1]),
    }
    other = {**parts, change: "log_loss" if change == "metric" else np.array([0.1, 0.3])}

    assert digest_of(**parts) == digest_of(**parts)  # type: ignore[arg-type] # one dict, two types
    assert digest_of(**parts) != digest_of(**other)  # type: ignore[arg-type] # the same
