"""An alias that somebody moves in MLflow: put back, or adopted after the checks of a promotion."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from trimtab.records.promotions import Move
from trimtab.records.versions import Alias, ModelVersion
from trimtab.testing.memory_registry import MemoryReports
from trimtab_pipelines.adopting import adopt
from trimtab_pipelines.adoption_jobs import AdoptionJobs
from trimtab_pipelines.aliases import AliasKeeper
from trimtab_pipelines.hand_moves import HAND
from trimtab_pipelines.jobs import LATER

Loop = Any  # the conftest's; it is no module that could be imported
MODEL = "late"


@pytest.fixture
def keeper(loop: Loop) -> AliasKeeper:
    """One that adopts; version 1 knows nothing and is champion, and its alias has followed."""
    keeper = AliasKeeper(loop.registry, loop.database, loop.clock, adopts=lambda model: True)
    loop.crown(loop.shop.add(0.0))
    keeper.keep(MODEL)
    return keeper


def alerts(loop: Loop) -> list[str]:
    with loop.database.transaction() as stores:
        return [alert.body for alert in stores.outbox.due()]


def test_a_better_version_is_adopted_after_the_gate_has_let_it_through(
    loop: Loop, keeper: AliasKeeper
) -> None:
    better = loop.shop.add(2.0).version
    loop.registry.point(MODEL, Alias.CHAMPION, better)
    noticed = [keeper.keep(MODEL), keeper.keep(MODEL)]
    promotion = adopt(loop.bench, MODEL, better)
    settled = keeper.keep(MODEL)

    assert noticed == [better, better]
    assert settled is None
    assert promotion is not None
    assert (promotion.how, promotion.actor) == (Move.ADOPTION, HAND)
    assert any("Better" in reason for reason in promotion.reasons)
    assert loop.champion() == loop.registry.aliased(MODEL, Alias.CHAMPION) == better
    assert loop.events() == [
        "alias moved",
        "alias moved by hand",
        "version promoted",
        "bake begun",
        "alias moved",
    ]
    assert alerts(loop) == []


def test_a_worse_version_is_put_back_and_people_hear_the_gates_reasons(
    loop: Loop, keeper: AliasKeeper
) -> None:
    worse = loop.shop.add(-2.0).version
    loop.registry.point(MODEL, Alias.CHAMPION, worse)
    keeper.keep(MODEL)

    assert adopt(loop.bench, MODEL, worse) is None
    assert keeper.keep(MODEL) is None
    assert loop.champion() == loop.registry.aliased(MODEL, Alias.CHAMPION) == "1"
    assert loop.events()[-1] == "alias put back"
    (body,) = alerts(loop)
    assert "Not proven better" in body


def test_a_version_whose_bytes_do_not_fit_is_put_back(loop: Loop, keeper: AliasKeeper) -> None:
    better = loop.shop.add(2.0).version
    path: Path = loop.shop.root / better / "model.skops"
    path.write_bytes(path.read_bytes() + b"x")
    loop.registry.point(MODEL, Alias.CHAMPION, better)
    adopt(loop.bench, MODEL, better)

    assert loop.registry.aliased(MODEL, Alias.CHAMPION) == "1"
    assert "model.skops" in alerts(loop)[0]


class Foreign:
    """A registry with a version that nobody trained with Trimtab."""

    def __init__(self, real: Any) -> None:
        self.real = real
        self.alias: str | None = "99"

    def versions(self, model: str) -> Any:
        return self.real.versions(model)

    def aliased(self, model: str, alias: Alias) -> str | None:
        return self.alias

    def point(self, model: str, alias: Alias, version: str | None) -> None:
        self.alias = version

    def download(self, model: str, version: str, to: Path) -> Path:
        folder: Path = self.real.download(model, version, to)
        return folder


def test_a_version_that_is_none_of_ours_is_put_back_at_once_with_the_reason(
    loop: Loop, keeper: AliasKeeper
) -> None:
    keeper.registry = Foreign(loop.registry)
    found = keeper.keep(MODEL)

    assert found is None
    assert keeper.registry.alias == "1"
    assert "Version 99 of 'late' cannot be used: it carries no manifest" in alerts(loop)[0]


class Overtaking(MemoryReports):
    """Reports of a contest during which another version becomes champion."""

    def __init__(self, loop: Loop, rival: Any) -> None:
        super().__init__()
        self.overtake: Callable[[], object] = lambda: loop.crown(rival)

    def publish(self, version: ModelVersion, name: str, file: Path) -> str:
        overtake, self.overtake = self.overtake, lambda: None
        overtake()
        return super().publish(version, name, file)


def test_a_champion_that_moves_while_a_version_is_checked_stays(
    loop: Loop, keeper: AliasKeeper
) -> None:
    better, rival = loop.shop.add(1.5).version, loop.shop.add(2.0)
    loop.registry.point(MODEL, Alias.CHAMPION, better)
    keeper.keep(MODEL)
    overtaken = replace(loop.bench, reports=Overtaking(loop, rival))
    adopt(overtaken, MODEL, better)

    assert loop.champion() == rival.version
    keeper.keep(MODEL)
    assert loop.registry.aliased(MODEL, Alias.CHAMPION) == rival.version
    assert "moved while it was checked" in alerts(loop)[0]


@dataclass
class Ended:
    """A process that has ended, and how."""

    exitcode: int

    def is_alive(self) -> bool:
        return False


@dataclass
class Ending:
    """Starts processes that end at once."""

    codes: list[int]
    started: list[tuple[str, str]] = field(default_factory=list)
    is_ready: bool = True

    def start_adoption(self, folder: Path, model: str, version: str) -> Ended:
        self.started.append((model, version))
        return Ended(self.codes.pop(0))


@pytest.mark.parametrize(
    ("codes", "is_put_back"), [([LATER] * 4, False), ([-9, -9, -9], True), ([-9, 0, -9, -9], False)]
)
def test_checks_that_die_three_times_put_the_alias_back_and_a_registry_away_does_not(
    loop: Loop, keeper: AliasKeeper, codes: list[int], is_put_back: bool
) -> None:
    version = loop.shop.add(2.0).version
    loop.registry.point(MODEL, Alias.CHAMPION, version)
    ending = Ending(list(codes))
    jobs = AdoptionJobs(
        loop.bench.settings.folder,
        loop.database,
        loop.registry,
        loop.clock,
        ending,  # type: ignore[arg-type]  # stands for processes
        pause=0.0,
    )
    for _ in codes:
        jobs.want(MODEL, keeper.keep(MODEL))
        jobs.step()  # starts the checks
        jobs.step()  # sees how they ended

    assert ending.started == [(MODEL, version)] * len(codes)
    assert (loop.registry.aliased(MODEL, Alias.CHAMPION) == "1") == is_put_back
    assert ("alias put back" in loop.events()) == is_put_back
    assert loop.events().count("alias moved by hand") == 1, "noticed once"
