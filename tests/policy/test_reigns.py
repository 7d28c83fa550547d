"""Who was champion when, and what a bake that took a version back means for the count of losses."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from trimtab.policy.reigns import last_advance, reign_at, reigns, stamp, unproven, withdrawn
from trimtab.policy.retrain import losses_in_row
from trimtab.records.ledger import LedgerEntry
from trimtab.records.promotions import Move, Promotion
from trimtab.records.requests import RequestState, RetrainRequest, Trigger

START = datetime(2013, 5, 1, tzinfo=UTC)


def moves(*made: tuple[str, Move], every: timedelta = timedelta(days=1)) -> list[Promotion]:
    """Moves through these versions, a day apart, newest first."""
    return [
        Promotion(
            model="m",
            epoch=n,
            version=version,
            previous=made[n - 2][0] if n > 1 else None,
            manifest_sha256=version * 64,
            actor="ada",
            reasons=("because",),
            at=START + (n - 1) * every,
            how=how,
        )
        for n, (version, how) in enumerate(made, start=1)
    ][::-1]


def entries(history: Sequence[Promotion]) -> list[LedgerEntry]:
    return [
        LedgerEntry(
            at=move.at,
            actor=move.actor,
            event="version promoted",
            model="m",
            subject=move.version,
            reasons=(*move.reasons, stamp(move)),
        )
        for move in history
    ]


@given(
    hours=st.integers(-48, 24 * 12),
    versions=st.lists(st.sampled_from("123"), min_size=1, max_size=8),
)
def test_every_moment_has_the_one_champion_of_the_last_move_before_it(
    hours: int, versions: list[str]
) -> None:
    history = moves(*((version, Move.GATE) for version in versions))
    moment = START + timedelta(hours=hours)
    found = reign_at(reigns(history), moment)

    if hours < 0:
        assert found is None
    else:
        assert found is not None
        assert found.version == versions[min(hours // 24, len(versions) - 1)]
        assert found.since <= moment
        assert found.until is None or moment < found.until


def test_a_reign_says_how_it_ended() -> None:
    newest, first = reigns(moves(("1", Move.GATE), ("2", Move.FORCE)))

    assert (first.until, first.ended_how, first.ended_by) == (newest.since, Move.FORCE, "ada")
    assert first.lasted(START) == timedelta(days=1)
    assert newest.lasted(START + timedelta(days=3)) == timedelta(days=2)


def test_a_move_that_was_changed_in_its_table_does_not_fit_the_ledger() -> None:
    history = moves(("1", Move.GATE), ("2", Move.GATE))
    told = entries(history)
    forged = [replace(history[0], actor="gate"), history[1]]
    other_bytes = [replace(history[0], manifest_sha256="f" * 64), history[1]]

    assert unproven(history, told) == ()
    assert unproven(forged, told) == ("move 2 to version 2 is not in the ledger as it stands here",)
    assert len(unproven(other_bytes, told)) == 2
    assert "tells of a move 2" in unproven(history[1:], told)[0]


def test_the_count_of_losses_goes_on_over_a_version_that_its_bake_took_back() -> None:
    history = moves(("1", Move.GATE), ("2", Move.GATE), ("1", Move.BAKE))

    def ended(n: int, state: RequestState, version: str) -> RetrainRequest:
        at = START + timedelta(hours=24 * n)
        return RetrainRequest(
            id=f"r{n}",
            model="m",
            trigger=Trigger.DRIFT,
            asked_by="monitoring",
            asked_at=at,
            state=state,
            version=version,
            finished_at=at,
        )

    asked = [
        ended(3, RequestState.REJECTED, "3"),
        ended(1, RequestState.PROMOTED, "2"),
        ended(0, RequestState.PROMOTED, "1"),
    ]

    assert last_advance(history) == START
    assert set(withdrawn(history)) == {"2"}
    assert losses_in_row(asked, last_advance(history), withdrawn(history)) == 2
    assert losses_in_row(asked, START, ()) == 1


def test_a_rollback_by_hand_starts_the_count_anew() -> None:
    history = moves(("1", Move.GATE), ("2", Move.GATE), ("1", Move.ROLLBACK))

    assert last_advance(history) == START + timedelta(days=2)
    assert not withdrawn(history)
