"""Winners that wait for a person, and persons who decide at the same moment."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest

from trimtab.adapters.manifest import write_manifest
from trimtab.errors import ExitCode, ManifestError, StaleEpochError
from trimtab.records.promotions import Move
from trimtab.records.requests import RequestState, RetrainRequest
from trimtab.records.versions import Alias, ModelVersion
from trimtab_pipelines.approving import approve, reject
from trimtab_pipelines.by_hand import (
    NeverChampionError,
    NotWaitingError,
    promote_by_hand,
    roll_back,
)
from trimtab_pipelines.facts import gather
from trimtab_pipelines.waiting import give_up_waiting

Loop = Any  # the conftest's; it is no module that could be imported
MODEL = "late"
DAY = timedelta(days=1)


@pytest.fixture
def winner(loop: Loop) -> ModelVersion:
    """Version 2, which beat champion 1 and waits."""
    loop.crown(loop.shop.add(0.0))
    version: ModelVersion = loop.shop.add(2.0)
    ended = replace(
        loop.ask(),
        state=RequestState.WAITING,
        version=version.version,
        manifest_sha256=version.manifest_sha256,
        finished_at=loop.clock.now(),
        reasons=("Better.",),
    )
    with loop.database.transaction() as stores:
        stores.requests.finish(ended, "worker")
    loop.registry.point(MODEL, Alias.CHALLENGER, version.version)
    return version


def test_an_approval_promotes_what_the_gate_has_let_through(
    loop: Loop, winner: ModelVersion
) -> None:
    done = approve(loop.bench, MODEL, "2", actor="ada")

    assert done.contest is None
    assert done.promotion is not None
    assert (done.promotion.how, done.promotion.actor) == (Move.APPROVAL, "ada")
    assert loop.state() is RequestState.PROMOTED


def test_an_approval_promotes_only_the_bytes_that_were_judged(
    loop: Loop, winner: ModelVersion
) -> None:
    folder = loop.shop.root / "2"
    (folder / "note.txt").write_text("slipped in, with a manifest that fits")
    loop.registry.add(replace(winner, manifest_sha256=write_manifest(folder)), folder)
    with pytest.raises(ManifestError, match="is not the one that was promoted"):
        approve(loop.bench, MODEL, "2", actor="ada")

    assert loop.champion() == "1"
    assert loop.state() is RequestState.WAITING


def test_an_approval_after_the_champion_has_moved_judges_again_and_may_reject(
    loop: Loop, winner: ModelVersion
) -> None:
    worse = loop.shop.add(1.9)
    loop.clock.moment += 30 * DAY  # a crown is twenty days old
    loop.crown(worse)
    done = approve(loop.bench, MODEL, "2", actor="ada")

    assert done.promotion is None
    assert done.contest is not None
    assert loop.champion() == worse.version
    assert loop.state() is RequestState.REJECTED
    assert "another version became champion while it waited" in " ".join(loop.request().reasons)


def test_a_rejection_frees_the_way_and_counts_as_a_loss(loop: Loop, winner: ModelVersion) -> None:
    reject(loop.bench, MODEL, "2", actor="ada", why="no JFK in it")
    settings = loop.bench.settings.model(MODEL)
    facts = gather(loop.database, settings, loop.ask(id="r2"), loop.clock.now())

    assert loop.champion() == "1"
    assert loop.state() is RequestState.REJECTED
    assert facts.losses_in_row == 1
    assert loop.registry.aliased(MODEL, Alias.CHALLENGER) is None
    with loop.database.transaction() as stores:
        entry = next(e for e in stores.ledger.entries(MODEL) if e.event == "challenger rejected")
    assert (entry.actor, entry.reasons) == ("ada", ("rejected by ada: no JFK in it",))


@pytest.mark.parametrize("number", ["1", "2", "99"])
def test_what_does_not_wait_is_neither_approved_nor_rejected(
    loop: Loop, winner: ModelVersion, number: str
) -> None:
    if number == "2":
        reject(loop.bench, MODEL, "2", actor="ada", why="first")
    with pytest.raises(NotWaitingError) as refused:
        reject(loop.bench, MODEL, number, actor="bob", why="twice")
    with pytest.raises(NotWaitingError):
        approve(loop.bench, MODEL, number, actor="bob")

    assert refused.value.exit_code is ExitCode.USAGE
    assert loop.champion() == "1"


def test_a_winner_that_nobody_approves_is_given_up_in_time(
    loop: Loop, winner: ModelVersion
) -> None:
    def look(days: int) -> RetrainRequest | None:
        now = loop.request().finished_at + days * DAY
        with loop.database.transaction() as stores:
            return give_up_waiting(stores, MODEL, now=now, within=14 * DAY)

    assert look(13) is None
    ended = look(14)
    assert ended is not None
    assert ended.reasons[-1] == "nobody approved it within 2w"
    assert loop.ask(id="r2"), "others may be trained again"
    with loop.database.transaction() as stores:
        (alert,) = stores.outbox.due()
    assert "was not approved in time" in alert.title


def race(deeds: Sequence[Any]) -> list[object]:
    """Do things at the same moment; give what each came to, errors too."""
    start = Barrier(len(deeds))

    def do(deed: Any) -> object:
        start.wait()
        try:
            return deed()
        except (StaleEpochError, NotWaitingError) as error:
            return error

    with ThreadPoolExecutor(len(deeds)) as pool:
        return list(pool.map(do, deeds))


def test_of_two_promotions_at_once_one_wins_and_the_other_changes_nothing(loop: Loop) -> None:
    loop.crown(loop.shop.add(0.0))
    rivals = [loop.shop.add(skill).version for skill in (1.0, 1.5)]
    for _ in range(5):
        found = race(
            [
                lambda number=number: promote_by_hand(
                    loop.bench, MODEL, number, actor=f"who wants {number}", override="race"
                )
                for number in rivals
            ]
        )
        lost = [error for error in found if isinstance(error, StaleEpochError)]
        with loop.database.transaction() as stores:
            history = stores.promotions.history(MODEL)
            rows = stores.ledger.verify()

        assert len({move.epoch for move in history}) == len(history)
        assert rows == len(loop.events())
        assert all(error.exit_code is ExitCode.FAILED for error in lost)
        if lost:
            break
        roll_back(loop.bench, MODEL, actor="ada", to="1")
    else:
        pytest.fail("no two promotions met")


def test_of_an_approval_and_a_rejection_at_once_one_counts(
    loop: Loop, winner: ModelVersion
) -> None:
    found = race(
        [
            lambda: approve(loop.bench, MODEL, "2", actor="ada"),
            lambda: reject(loop.bench, MODEL, "2", actor="bob", why="no"),
        ]
    )
    lost = [error for error in found if isinstance(error, NotWaitingError)]

    assert len(lost) == 1
    assert (loop.champion() == "2") == (loop.state() is RequestState.PROMOTED)


def test_a_rollback_may_lead_to_any_earlier_champion_and_to_no_other_version(loop: Loop) -> None:
    for skill in (0.0, 1.0, 2.0):
        loop.crown(loop.shop.add(skill))
    loop.shop.add(1.5)

    assert roll_back(loop.bench, MODEL, actor="ada", to="1").version == "1"
    assert roll_back(loop.bench, MODEL, actor="ada", to="3").how is Move.ROLLBACK
    with pytest.raises(NeverChampionError, match="trimtab promote late 4"):
        roll_back(loop.bench, MODEL, actor="ada", to="4")
