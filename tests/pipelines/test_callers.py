"""Who asked, as a canary's comparison tells callers apart."""

import pandas as pd

from trimtab_pipelines.logged_answers import callers_of

GROUPS = 1 << 20
"""So many that two callers of a test do not meet in one."""


def asked(*requests: tuple[str, list[str | None]]) -> list[int]:
    rows = [(request, key) for request, keys in requests for key in keys]
    frame = pd.DataFrame(rows, columns=["request_id", "key"], dtype=object)
    return list(callers_of(frame, GROUPS).tolist())


def test_who_comes_back_with_a_key_is_the_same_caller() -> None:
    first, second, other = asked(("a", ["anna"]), ("b", ["anna"]), ("c", ["ben"]))

    assert first == second != other


def test_a_request_goes_by_its_first_key_as_it_was_routed() -> None:
    *request, alone = asked(("a", [None, "", "anna", "ben"]), ("b", ["anna"]))

    assert request == [alone] * 4


def test_a_request_without_keys_is_a_caller_of_its_own() -> None:
    first, second, other = asked(("a", [None, None]), ("b", [""]))

    assert first == second != other


def test_groups_are_those_of_the_next_process_too() -> None:
    frame = pd.DataFrame({"request_id": ["a", "b"], "key": ["anna", None]})

    assert callers_of(frame, 128).tolist() == [50, 5]


def test_no_rows_are_no_callers() -> None:
    assert asked() == []
