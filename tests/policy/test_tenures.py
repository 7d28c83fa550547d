"""As what a version answered at a moment, as moves and trials tell it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.policy.tenures import LONGEST_LEAVE, champion_at, tenure_at
from trimtab.records.promotions import Promotion
from trimtab.records.traces import Role, Since
from trimtab.records.trials import Trial, TrialKind, TrialState

START = datetime(2013, 4, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def moves(*versions: str) -> list[Promotion]:
    """Give a move a day, newest first."""
    return [
        Promotion(
            model="m",
            epoch=n,
            version=version,
            previous=versions[n - 2] if n > 1 else None,
            manifest_sha256="",
            actor="tests",
            reasons=(),
            at=START + (n - 1) * DAY,
        )
        for n, version in enumerate(versions, start=1)
    ][::-1]


def trial(challenger: str, *, kind: TrialKind = TrialKind.CANARY) -> Trial:
    return Trial(
        id="t1",
        model="m",
        kind=kind,
        champion="1",
        epoch=1,
        challenger=challenger,
        manifest_sha256="",
        by="ann",
        why="",
        began_at=START,
        since=START,
        share=0.1 if kind is TrialKind.CANARY else None,
        compared_through=START,
    )


def told(
    version: str, at: datetime, history: Sequence[Promotion], *trials: Trial
) -> tuple[str, ...]:
    tenure = tenure_at(version, [at], history, trials)
    return (tenure.role, str(tenure.since)) if tenure.since else (tenure.role,)


def test_a_version_that_nobody_followed_is_champion_still() -> None:
    assert told("2", START + 3 * DAY, moves("1", "2")) == (Role.CHAMPION, Since.UNCHANGED)


def test_a_version_is_told_to_be_replaced_by_the_one_that_followed() -> None:
    tenure = tenure_at("1", [START], moves("1", "2", "3"), [])

    assert (tenure.role, tenure.since) == (Role.CHAMPION, Since.REPLACED)
    assert tenure.by is not None
    assert (tenure.by.version, tenure.changed_at) == ("2", START + DAY)


def test_a_move_back_to_an_earlier_version_is_a_rollback() -> None:
    assert told("2", START + DAY, moves("1", "2", "1")) == (Role.CHAMPION, Since.ROLLED_BACK)
    assert told("1", START, moves("1", "2", "1")) == (Role.CHAMPION, Since.REPLACED)
    assert told("1", START + 2 * DAY, moves("1", "2", "1")) == (Role.CHAMPION, Since.UNCHANGED)


def test_an_endpoint_that_has_not_swapped_yet_answers_as_the_leaving_champion() -> None:
    soon = START + DAY + timedelta(seconds=3)

    assert told("1", soon, moves("1", "2")) == (Role.LEAVING, Since.REPLACED)
    assert told("1", START + DAY + LONGEST_LEAVE, moves("1", "2")) == (Role.UNKNOWN,)


def test_a_canary_s_challenger_is_told_with_its_trial() -> None:
    history = moves("1")
    ended = replace(trial("2"), state=TrialState.ENDED, ended_at=START + DAY)

    assert told("2", START, history, trial("2")) == (Role.CANARY, Since.UNCHANGED)
    assert told("2", START, history, ended) == (Role.CANARY, Since.ENDED)
    assert told("2", START + 2 * DAY, history, ended) == (Role.UNKNOWN,)
    assert told("2", START, history, trial("2", kind=TrialKind.SHADOW)) == (Role.UNKNOWN,)


def test_in_a_replay_the_event_s_own_time_explains_what_the_server_s_clock_cannot() -> None:
    years_later = START + 4000 * DAY
    tenure = tenure_at("1", [years_later, START], moves("1", "2"), [])

    assert tenure.role is Role.CHAMPION


def test_before_the_first_move_nobody_is_champion() -> None:
    assert champion_at(moves("1"), START - DAY) is None
    assert told("1", START - DAY, moves("1")) == (Role.UNKNOWN,)


@given(st.lists(st.sampled_from("12345"), min_size=1, max_size=12), st.integers(0, 300))
def test_at_every_moment_exactly_one_version_is_champion(versions: list[str], hours: int) -> None:
    history = moves(*versions)
    moment = START + timedelta(hours=hours)
    roles = {v: tenure_at(v, [moment], history, []).role for v in set(versions)}

    assert list(roles.values()).count(Role.CHAMPION) == 1
    champion = champion_at(history, moment)
    assert champion is not None
    assert roles[champion.version] is Role.CHAMPION


@pytest.mark.parametrize("versions", ["121", "12321", "1213"])
def test_the_reign_that_is_told_is_the_one_of_that_moment(versions: str) -> None:
    history = moves(*versions)
    for n, version in enumerate(versions):
        tenure = tenure_at(version, [START + n * DAY], history, [])
        assert tenure.promotion is not None
        assert tenure.promotion.epoch == n + 1
