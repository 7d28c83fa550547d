"""A new champion proves itself, or the one before is champion again; whatever dies in between."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from trimtab.cli.status import look
from trimtab.errors import ManifestError
from trimtab.policy.baking import LOOKS
from trimtab.ports import Database, Stores
from trimtab.records.bakes import BakeLook
from trimtab.records.incidents import Alert
from trimtab.records.labels import Label
from trimtab.records.ledger import LedgerEntry
from trimtab.records.promotions import Move
from trimtab.records.requests import RequestState, Trigger
from trimtab.records.trials import Trial, TrialKind
from trimtab_pipelines.aliases import AliasKeeper
from trimtab_pipelines.by_hand import promote_by_hand, roll_back
from trimtab_pipelines.comparing import Comparing
from trimtab_pipelines.facts import gather
from trimtab_pipelines.trial_cli import trial as trial_verb
from trimtab_pipelines.trial_errors import TrialRunningError
from trimtab_pipelines.trials import end_by_hand, give_up

Loop = Any  # the conftest's; it is no module that could be imported
Traffic = Any  # that too
MODEL = "late"
DAY = timedelta(days=1)
ROWS = 1440  # one a minute
GOOD, BAD = 2.0, -2.0


class Baking:
    """A new champion, and the one before that has answered for a day."""

    def __init__(self, loop: Loop, traffic: Traffic, before: str) -> None:
        self.loop, self.traffic = loop, traffic
        self.begun: datetime = loop.clock.now()
        self.new: str = loop.champion()
        traffic.send(before, self.values(7), self.begun - DAY, every=DAY / ROWS)

    @staticmethod
    def values(seed: int) -> np.ndarray:
        return np.random.default_rng(seed).normal(size=ROWS)

    def play(
        self, share: float = 1.0, *, label: bool = True, failing: float = 0.0, seed: int = 3
    ) -> None:
        """Let the new champion answer for a share of the day, and tell what came true."""
        random = np.random.default_rng(seed)
        x = self.values(seed)[: int(share * ROWS)]
        first = self.traffic.sent + 1
        lost = random.random(len(x)) < failing
        self.traffic.send(self.new, x, self.begun, every=DAY / ROWS, failing=lost)
        truth = random.random(len(x)) < 1 / (1 + np.exp(-GOOD * x))
        labels = [
            Label(key=f"k{first + n}", value=str(late), known_at=self.begun)
            for n, late in enumerate(truth)
        ]
        if label:
            with self.loop.database.transaction() as stores:
                stores.labels.put(MODEL, labels)
        self.pass_to(share)

    def pass_to(self, share: float) -> None:
        """Let so much of the day be over, and what was captured in it be shipped."""
        self.loop.clock.moment = self.begun + share * DAY + timedelta(minutes=6)
        self.traffic.ship(self.loop.clock.moment)

    @property
    def trial(self) -> Trial:
        with self.loop.database.transaction() as stores:
            found: Trial = stores.trials.recent(MODEL, limit=1)[0]
        return found

    @property
    def looks(self) -> tuple[BakeLook, ...]:
        with self.loop.database.transaction() as stores:
            evidence = stores.trials.evidence(self.trial.id)
        return evidence.looks if evidence else ()

    def look(self) -> Trial:
        compared: Trial = self.traffic.compare(self.trial)
        return compared

    def last(self, event: str) -> LedgerEntry:
        with self.loop.database.transaction() as stores:
            found: LedgerEntry = next(e for e in stores.ledger.entries(MODEL) if e.event == event)
        return found

    @property
    def alerts(self) -> list[Alert]:
        with self.loop.database.transaction() as stores:
            return list(stores.outbox.due())


@pytest.fixture
def bake(loop: Loop, traffic: Traffic) -> Callable[[float], Baking]:
    """Force version 4, of some skill, upon version 3, which knows the truth."""

    def begin(skill: float) -> Baking:
        loop.crown(loop.shop.add(GOOD))
        new = loop.shop.add(skill).version
        promote_by_hand(loop.bench, MODEL, new, actor="ada", override="to see")
        return Baking(loop, traffic, "3")

    return begin


class KilledError(BaseException):
    """A process dies."""


@dataclass
class Dying:
    """A database whose process dies at the end of a transaction, before it is committed."""

    real: Database
    left: int

    @contextmanager
    def transaction(self) -> Iterator[Stores]:
        with self.real.transaction() as stores:
            yield stores
            self.left -= 1
            if self.left == 0:
                raise KilledError


def test_a_bake_begins_with_the_promotion_and_ends_with_its_time(bake: Any, loop: Loop) -> None:
    one = bake(GOOD)
    begun = one.trial
    one.play()
    ended = one.look()

    assert (begun.kind, begun.champion, begun.challenger) == (TrialKind.BAKE, "4", "3")
    assert not ended.is_running
    assert loop.champion() == "4"
    passed = one.last("bake passed")
    assert (passed.subject, passed.actor) == ("4", "bake")
    assert "version 4 stays" in passed.reasons
    assert any("log_loss, measured" in reason for reason in passed.reasons)
    assert one.alerts == []
    assert loop.reports.tags[MODEL, "4"]["trimtab.trial"] == "bake ended"


def test_a_champion_that_labels_prove_worse_is_rolled_back_and_people_hear_why(
    bake: Any, loop: Loop
) -> None:
    one = bake(BAD)
    one.play(LOOKS[2])
    ended = one.look()

    assert not ended.is_running
    assert loop.champion() == "3"
    with loop.database.transaction() as stores:
        move = stores.promotions.current(MODEL)
        rows = stores.ledger.verify()
    assert (move.how, move.actor, move.previous) == (Move.BAKE, "bake", "4")
    assert "worse than version 3: log_loss, measured" in " ".join(move.reasons)
    assert rows == len(loop.events())
    assert loop.events()[-2:] == ["bake failed", "version rolled back"]
    (alert,) = one.alerts
    assert "did not prove itself" in alert.title
    assert "log_loss, measured" in alert.body
    AliasKeeper(loop.registry, loop.database, loop.clock).keep(MODEL)
    assert loop.registry.aliased(MODEL, "champion") == "3"


def test_without_labels_the_estimates_decide(bake: Any, loop: Loop) -> None:
    one = bake(0.0)  # it knows nothing, and says so: its own estimate is bad
    one.play(LOOKS[2], label=False)
    one.look()

    assert loop.champion() == "3"
    assert "log_loss, estimated" in one.last("bake failed").reasons[1]


def test_without_labels_and_estimators_errors_and_latency_decide_and_the_ledger_says_so(
    bake: Any, loop: Loop
) -> None:
    loop.shop.estimates = False
    one = bake(BAD)
    one.play(label=False)
    one.look()

    assert loop.champion() == "4", "nobody can know"
    told = one.last("bake passed").reasons
    assert "nothing estimates the quality without labels" in told
    assert any(reason.startswith("failed requests: 0 beside 0") for reason in told)
    assert any(reason.startswith("latency at p99") for reason in told)


def test_a_champion_that_fails_is_rolled_back_without_any_label(bake: Any, loop: Loop) -> None:
    one = bake(GOOD)
    one.play(LOOKS[2], label=False, failing=0.2)
    one.look()

    assert loop.champion() == "3"
    assert "failed requests" in one.last("bake failed").reasons[1]


def test_while_it_bakes_people_and_scripts_see_how_it_stands(
    bake: Any, loop: Loop, project: Path
) -> None:
    one = bake(GOOD)
    one.play(LOOKS[2])
    one.look()
    with loop.database.transaction() as stores:
        status = look(stores, MODEL, loop.bench.settings.model(MODEL), loop.clock.now())
    shown = CliRunner().invoke(trial_verb, [MODEL, "--project", str(project)])
    told = CliRunner().invoke(trial_verb, [MODEL, "--json", "--project", str(project)])

    assert status.bake.startswith("version 4 until 2013-02-21 00:00 beside version 3; so far level")
    assert "bake of champion 4 beside version 3" in shown.output
    assert "look 3, " in shown.output
    assert "not proven worse" in shown.output
    assert json.loads(told.output)["looks"][0]["number"] == 2


def test_looks_are_few_and_each_is_taken_once(bake: Any, loop: Loop) -> None:
    one = bake(GOOD)
    one.play()
    for share in (0.01, 0.02, 0.03, 0.5, 0.6, 1.0):
        one.pass_to(share)
        one.look()

    assert [look.number for look in one.looks] == [0, 2, 3], "of two that were due, the later"
    assert not one.trial.is_running


def test_a_process_that_dies_in_a_bake_leaves_one_that_goes_on(bake: Any, loop: Loop) -> None:
    one = bake(BAD)
    one.play(LOOKS[2])
    deaths = 0
    while loop.champion() == "4":
        deaths += 1
        dying = replace(loop.bench, database=Dying(loop.database, deaths))
        with suppress(KilledError):
            Comparing(bench=dying, log=one.traffic.log).catch_up(one.trial)

    assert deaths > 5, "it died in the last transaction too"
    assert loop.champion() == "3"
    assert (loop.events().count("bake failed"), len(one.looks)) == (1, 1)


def test_what_was_taken_back_counts_as_a_loss_and_does_not_come_back(bake: Any, loop: Loop) -> None:
    one = bake(GOOD)
    asked = loop.ask(Trigger.DRIFT)
    won = replace(asked, state=RequestState.PROMOTED, version=one.new, finished_at=loop.clock.now())
    with loop.database.transaction() as stores:
        stores.requests.finish(won, "worker")
    one.play(LOOKS[2], label=False, failing=0.3)
    one.look()
    settings = loop.bench.settings.model(MODEL)
    facts = gather(loop.database, settings, loop.ask(id="r2"), loop.clock.now())

    assert (one.new, loop.champion()) == ("4", "3")
    assert facts.losses_in_row == 1
    assert roll_back(loop.bench, MODEL, actor="ada").version == "1", "further back, not forth"


def test_a_trial_of_a_person_waits_for_the_end_of_a_bake(bake: Any, loop: Loop) -> None:
    one = bake(GOOD)
    with pytest.raises(TrialRunningError, match="bake of champion 4 beside version 3"):
        one.traffic.begin(TrialKind.SHADOW, "2")
    end_by_hand(loop.bench, one.traffic.log, MODEL, actor="ada", why="it is urgent")
    one.traffic.begin(TrialKind.SHADOW, "2")

    assert loop.events()[-2:] == ["bake ended", "trial begun"]
    assert "ada ended it: it is urgent" in one.last("bake ended").reasons
    assert loop.champion() == "4"


def test_another_champion_ends_the_bake_and_begins_its_own(bake: Any, loop: Loop) -> None:
    one = bake(GOOD)
    first = one.trial.id
    promote_by_hand(loop.bench, MODEL, "2", actor="ada", override="no, this")

    assert loop.events()[-3:] == ["version promoted", "bake ended", "bake begun"]
    assert one.trial.id != first
    assert (one.trial.champion, one.trial.challenger) == ("2", "4")


def test_a_rollback_by_hand_and_a_promotion_without_a_bake_begin_none(
    bake: Any, loop: Loop
) -> None:
    bake(GOOD)
    roll_back(loop.bench, MODEL, actor="ada")
    promote_by_hand(loop.bench, MODEL, "2", actor="ada", override="it stays", bakes=False)

    with loop.database.transaction() as stores:
        assert stores.trials.running(MODEL) is None


def test_a_bake_whose_other_version_was_tampered_with_ends_and_says_so(
    bake: Any, loop: Loop
) -> None:
    one = bake(BAD)
    one.play()
    path: Path = loop.shop.root / "3" / "model.skops"
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(ManifestError) as error:
        one.look()
    give_up(loop.bench, one.trial, str(error.value))

    assert loop.champion() == "4"
    assert "model.skops" in " ".join(one.last("bake ended").reasons)
