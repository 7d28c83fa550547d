"""Routing: the same key gets the same version, and the share is the one that was asked for."""

import math
import os

from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.policy.routing import goes_to_challenger
from trimtab.records.trials import parse_share

shares = st.floats(0.001, 0.999)
keys = st.text(max_size=40)


@given(trial=st.uuids().map(lambda u: u.hex), share=shares, key=keys.filter(bool), rest=keys)
def test_a_key_decides_alone_whatever_else_is_in_the_request(
    trial: str, share: float, key: str, rest: str
) -> None:
    alone = goes_to_challenger(trial, share, [key], "a")

    assert goes_to_challenger(trial, share, [None, "", key, rest], "b") == alone


@given(trial=st.uuids().map(lambda u: u.hex), key=keys, low=shares, high=shares)
def test_a_larger_share_takes_nobody_away(trial: str, key: str, low: float, high: float) -> None:
    low, high = sorted((low, high))
    if goes_to_challenger(trial, low, [key], "r"):
        assert goes_to_challenger(trial, high, [key], "r")


@settings(max_examples=25, deadline=None)
@given(trial=st.uuids().map(lambda u: u.hex), share=shares, has_keys=st.booleans())
def test_the_share_of_many_callers_is_within_binomial_bounds(
    trial: str, share: float, has_keys: bool
) -> None:
    requests = 4000
    taken = sum(
        goes_to_challenger(trial, share, [f"order-{n}"] if has_keys else [None], f"request {n}")
        for n in range(requests)
    )

    six_sigma = 6 * math.sqrt(share * (1 - share) / requests) + 1 / requests
    assert abs(taken / requests - share) < six_sigma


def test_another_trial_picks_other_keys() -> None:
    names = [f"order-{n}" for n in range(4000)]
    first, second = (
        {name for name in names if goes_to_challenger(trial, 0.5, [name], "r")}
        for trial in ("trial one", "trial two")
    )

    assert 800 < len(first & second) < 1200, "about a quarter is picked by both"


def test_a_key_and_a_request_id_of_the_same_letters_are_not_the_same() -> None:
    names = [os.urandom(8).hex() for _ in range(200)]
    by_key = [goes_to_challenger("t", 0.5, [name], "r") for name in names]

    assert by_key != [goes_to_challenger("t", 0.5, [], name) for name in names]


@given(st.floats(0.01, 99.9))
def test_a_share_may_be_written_in_percent_or_not(percent: float) -> None:
    assert math.isclose(parse_share(f"{percent}%"), parse_share(percent / 100))
