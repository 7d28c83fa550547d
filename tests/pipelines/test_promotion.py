"""Moves of the champion: by the gate's word, by a person, back again, and MLflow's alias after."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.adapters.manifest import write_manifest
from trimtab.errors import (
    ExitCode,
    ManifestError,
    NoChampionError,
    StaleEpochError,
    UnknownVersionError,
)
from trimtab.records.promotions import Promotion
from trimtab.records.requests import RequestState, RetrainRequest
from trimtab.records.versions import Alias
from trimtab_pipelines.aliases import AliasKeeper
from trimtab_pipelines.by_hand import (
    AlreadyChampionError,
    NothingBeforeError,
    promote_by_hand,
    roll_back,
)
from trimtab_pipelines.promotion import previous_champion, promote

Loop = Any  # the conftest's; it is no module that could be imported
MODEL = "late"


def history(versions: Sequence[str]) -> list[Promotion]:
    """Moves through these versions, newest first."""
    moves = [
        Promotion(
            model=MODEL,
            epoch=n,
            version=version,
            previous=versions[n - 2] if n > 1 else None,
            manifest_sha256="",
            actor="tests",
            reasons=(),
            at=datetime(2013, 1, n, tzinfo=UTC),
        )
        for n, version in enumerate(versions, start=1)
    ]
    return moves[::-1]


@given(first=st.lists(st.integers(1, 99).map(str), min_size=1, max_size=8, unique=True))
def test_rolling_back_again_and_again_goes_through_every_champion_and_ends_at_the_first(
    first: list[str],
) -> None:
    line, seen = list(first), []
    while target := previous_champion(history(line)):
        seen.append(target.version)
        line.append(target.version)
        assert len(seen) < len(first)

    assert seen == first[-2::-1]


def test_a_promotion_is_recorded_with_its_bytes_and_its_reasons(loop: Loop) -> None:
    version = loop.shop.add(2.0)
    with loop.database.transaction() as stores:
        promote(
            stores, version, against=None, actor="gate", reasons=["better"], at=loop.clock.now()
        )
    with loop.database.transaction() as stores:
        current = stores.promotions.current(MODEL)
        [entry] = stores.ledger.entries(MODEL)

    assert (current.epoch, current.version, current.previous) == (1, "1", None)
    assert current.manifest_sha256 == version.manifest_sha256
    assert (entry.event, entry.subject, entry.reasons) == (
        "version promoted",
        "1",
        ("better", f"move 1 (gate), manifest {version.manifest_sha256}"),
    )


def test_of_two_promotions_against_the_same_champion_one_wins(loop: Loop) -> None:
    first = loop.crown(loop.shop.add(0.0))
    rivals = [loop.shop.add(1.0), loop.shop.add(2.0)]
    now = loop.clock.now()
    with loop.database.transaction() as stores:
        promote(stores, rivals[0], against=first, actor="gate", reasons=["x"], at=now)

    with pytest.raises(StaleEpochError), loop.database.transaction() as stores:
        promote(stores, rivals[1], against=first, actor="gate", reasons=["x"], at=now)
    assert loop.champion() == rivals[0].version
    assert loop.events() == ["version promoted"], "the loser leaves no trace"


def test_a_person_promotes_what_the_gate_lets_through(loop: Loop) -> None:
    loop.crown(loop.shop.add(0.0))
    better = loop.shop.add(2.0)

    done = promote_by_hand(loop.bench, MODEL, better.version, actor="ada")
    assert done.promotion is not None
    assert loop.champion() == better.version
    assert loop.registry.aliased(MODEL, Alias.CHAMPION) == better.version
    assert done.promotion.actor == "ada"


def test_the_gate_also_stops_a_person(loop: Loop) -> None:
    champion = loop.shop.add(2.0)
    loop.crown(champion)
    worse = loop.shop.add(0.0)

    done = promote_by_hand(loop.bench, MODEL, worse.version, actor="ada")
    assert done.promotion is None
    assert done.contest is not None
    assert not done.contest.result.passed
    assert loop.champion() == champion.version
    assert loop.reports.tags[MODEL, worse.version]["trimtab.gate"] == "rejected"


def test_an_override_is_recorded_as_one(loop: Loop) -> None:
    loop.crown(loop.shop.add(2.0))
    worse = loop.shop.add(0.0)

    promote_by_hand(loop.bench, MODEL, worse.version, actor="ada", override="the law says so")
    with loop.database.transaction() as stores:
        [entry] = [e for e in stores.ledger.entries(MODEL) if e.event == "version promoted"]
    assert loop.champion() == worse.version
    assert entry.actor == "ada"
    assert entry.reasons[0] == "override by ada, without the gate: the law says so"
    assert entry.reasons[1].startswith("move 2 (force), manifest ")


def test_even_an_override_does_not_promote_what_was_tampered_with(loop: Loop) -> None:
    champion, other = loop.shop.add(0.0), loop.shop.add(2.0)
    loop.crown(champion)
    (loop.shop.root / other.version / "model.skops").write_bytes(b"something else")

    with pytest.raises(ManifestError):
        promote_by_hand(loop.bench, MODEL, other.version, actor="ada", override="now")
    assert loop.champion() == champion.version


def test_a_version_that_answers_differently_than_its_trainer_saw_is_not_promoted(
    loop: Loop,
) -> None:
    one, other = loop.shop.add(0.0), loop.shop.add(2.0)
    kept = loop.shop.root / other.version / "model.skops"
    kept.write_bytes((loop.shop.root / one.version / "model.skops").read_bytes())
    sha256 = write_manifest(kept.parent)  # a manifest that fits: only the golden rows can tell
    loop.registry.add(replace(other, manifest_sha256=sha256), kept.parent)

    with pytest.raises(ManifestError, match="golden rows differ"):
        promote_by_hand(loop.bench, MODEL, other.version, actor="ada", override="now")
    assert loop.champion() is None


@pytest.mark.parametrize(
    ("number", "error"), [("1", AlreadyChampionError), ("99", UnknownVersionError)]
)
def test_promoting_nonsense_changes_nothing(
    loop: Loop, number: str, error: type[Exception]
) -> None:
    loop.crown(loop.shop.add(2.0))

    with pytest.raises(error):
        promote_by_hand(loop.bench, MODEL, number, actor="ada")
    assert loop.champion() == "1"


def waiting(loop: Loop, version: str) -> RetrainRequest:
    claimed: RetrainRequest = loop.ask()
    ended = replace(
        claimed,
        state=RequestState.WAITING,
        version=version,
        finished_at=loop.clock.now(),
        reasons=("Better.",),
    )
    with loop.database.transaction() as stores:
        stores.requests.finish(ended, "worker")
    return ended


def test_approving_a_winner_needs_no_second_trial_and_ends_its_request(loop: Loop) -> None:
    loop.crown(loop.shop.add(0.0))
    winner = loop.shop.add(2.0)
    waiting(loop, winner.version)

    done = promote_by_hand(loop.bench, MODEL, winner.version, actor="ada")
    assert done.contest is None
    assert loop.champion() == winner.version
    assert loop.state() is RequestState.PROMOTED
    assert loop.request().reasons[-1] == "approved by ada"


def test_a_winner_over_a_champion_that_is_gone_is_tried_again(loop: Loop) -> None:
    loop.crown(loop.shop.add(-2.0))
    winner, best = loop.shop.add(0.0), loop.shop.add(2.0)
    waiting(loop, winner.version)
    loop.clock.moment += timedelta(days=30)
    loop.crown(best)

    done = promote_by_hand(loop.bench, MODEL, winner.version, actor="ada")
    assert done.contest is not None
    assert done.promotion is None
    assert loop.champion() == best.version


def test_promoting_another_version_ends_the_request_that_waited(loop: Loop) -> None:
    loop.crown(loop.shop.add(-2.0))
    winner, other = loop.shop.add(0.0), loop.shop.add(2.0)
    waiting(loop, winner.version)

    promote_by_hand(loop.bench, MODEL, other.version, actor="ada")
    assert loop.state() is RequestState.REJECTED
    assert "instead" in loop.request().reasons[-1]


def test_rollback_leads_to_the_champion_before_and_further_back_the_second_time(
    loop: Loop,
) -> None:
    for skill in (0.0, 1.0, 2.0):
        loop.crown(loop.shop.add(skill))

    assert roll_back(loop.bench, MODEL, actor="ada", why="complaints").version == "2"
    assert loop.registry.aliased(MODEL, Alias.CHAMPION) == "2"
    assert roll_back(loop.bench, MODEL, actor="ada").version == "1"
    with pytest.raises(NothingBeforeError) as raised:
        roll_back(loop.bench, MODEL, actor="ada")
    assert raised.value.exit_code is ExitCode.REFUSED
    assert loop.events() == ["version rolled back"] * 2
    with loop.database.transaction() as stores:
        assert "complaints" in stores.promotions.history(MODEL)[1].reasons[0]
        assert stores.ledger.verify() == 2


def test_without_a_champion_there_is_nothing_to_roll_back(loop: Loop) -> None:
    with pytest.raises(NoChampionError):
        roll_back(loop.bench, MODEL, actor="ada")


def test_a_rollback_to_a_damaged_version_leaves_the_champion_where_it_is(loop: Loop) -> None:
    first, second = loop.shop.add(1.0), loop.shop.add(2.0)
    for version in (first, second):
        loop.crown(version)
    (loop.shop.root / first.version / "reference.parquet").unlink()

    with pytest.raises(ManifestError):
        roll_back(loop.bench, MODEL, actor="ada")
    assert loop.champion() == second.version


def test_a_rollback_believes_our_own_record_of_the_bytes_and_not_the_registry(loop: Loop) -> None:
    first, second = loop.shop.add(1.0), loop.shop.add(2.0)
    for version in (first, second):
        loop.crown(version)
    folder = loop.shop.root / first.version
    (folder / "note.txt").write_text("slipped in, with a manifest that fits")
    loop.registry.add(replace(first, manifest_sha256=write_manifest(folder)), folder)

    with pytest.raises(ManifestError, match="is not the one that was promoted"):
        roll_back(loop.bench, MODEL, actor="ada")


@pytest.fixture
def keeper(loop: Loop) -> AliasKeeper:
    return AliasKeeper(loop.registry, loop.database, loop.clock)


def test_the_alias_follows_a_promotion_and_that_is_noted_once(
    loop: Loop, keeper: AliasKeeper
) -> None:
    loop.crown(loop.shop.add(2.0))
    for _ in range(3):
        keeper.keep(MODEL)
    AliasKeeper(loop.registry, loop.database, loop.clock).keep(MODEL)  # a restarted worker

    assert loop.registry.aliased(MODEL, Alias.CHAMPION) == "1"
    assert loop.events() == ["alias moved"]


def test_an_alias_moved_by_hand_is_noticed_put_back_and_recorded(
    loop: Loop, keeper: AliasKeeper
) -> None:
    for skill in (1.0, 2.0):
        loop.crown(loop.shop.add(skill))
    keeper.keep(MODEL)
    loop.registry.point(MODEL, Alias.CHAMPION, "1")  # also the champion before
    keeper.keep(MODEL)
    loop.registry.point(MODEL, Alias.CHAMPION, None)
    AliasKeeper(loop.registry, loop.database, loop.clock).keep(MODEL)

    assert loop.registry.aliased(MODEL, Alias.CHAMPION) == "2"
    assert loop.events() == ["alias moved", "alias moved by hand", "alias moved by hand"]
    with loop.database.transaction() as stores:
        latest, before = stores.ledger.entries(MODEL, limit=2)
    assert "from version 2 to version 1" in before.reasons[0]
    assert "from version 2 to no version" in latest.reasons[0]


def test_an_alias_that_lags_behind_is_not_blamed_on_anybody(
    loop: Loop, keeper: AliasKeeper
) -> None:
    loop.crown(loop.shop.add(1.0))
    keeper.keep(MODEL)
    loop.crown(loop.shop.add(2.0))
    AliasKeeper(loop.registry, loop.database, loop.clock).keep(MODEL)

    assert loop.registry.aliased(MODEL, Alias.CHAMPION) == "2"
    assert loop.events() == ["alias moved", "alias moved"]


def test_an_alias_without_any_promotion_is_taken_away(loop: Loop, keeper: AliasKeeper) -> None:
    loop.shop.add(1.0)
    loop.registry.point(MODEL, Alias.CHAMPION, "1")
    keeper.keep(MODEL)

    assert loop.registry.aliased(MODEL, Alias.CHAMPION) is None
    assert loop.events() == ["alias moved by hand"]


def test_a_deleted_champion_is_complained_about(loop: Loop, keeper: AliasKeeper) -> None:
    loop.crown(loop.shop.add(1.0))
    keeper.keep(MODEL)
    loop.registry.delete(MODEL, "1")

    with pytest.raises(UnknownVersionError):
        keeper.keep(MODEL)
