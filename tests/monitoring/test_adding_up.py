"""Windows judged by what was added up as it came: the same verdicts, and each row once."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from trimtab.adapters.log_upkeep import ParquetLogUpkeep
from trimtab.adapters.parquet_log import ParquetLog
from trimtab.adapters.sql import SqlDatabase
from trimtab.policy.drift.adding import add
from trimtab.policy.evaluate import Beside, judge_window
from trimtab.policy.watched import WatchedVersion
from trimtab.ports import Stores
from trimtab.records.documents import to_json
from trimtab.records.erasures import Subject
from trimtab.records.logged import LoggedRows
from trimtab.records.sums import Stretch, WindowSums
from trimtab.records.verdicts import Finding, Verdict, VerdictKind
from trimtab.records.windows import Window
from trimtab.testing.memory_log import MemoryLog
from trimtab_monitoring.watching import Watch

if TYPE_CHECKING:
    from tests.monitoring.conftest import Lab, World

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


def week(lab: Lab, number: int = 0) -> Window:
    return Window(lab.monday + number * lab.week, lab.monday + (number + 1) * lab.week)


def stored(world: World, window: Window, version: str = "1") -> list[Stretch]:
    with world.database.transaction() as stores:
        return list(stores.sums.within("late", version, window))


def figures(finding: Finding) -> list[float]:
    values = [getattr(finding, name) for name in Finding.__dataclass_fields__]
    return [v for v in values if isinstance(v, float)]


def assert_same(one: Verdict, other: Verdict) -> None:
    """Figures may differ in the last digits: sums of the same numbers in another order."""
    assert (one.kind, one.rows, one.refused) == (other.kind, other.rows, other.refused)
    for left, right in zip(one.findings, other.findings, strict=True):
        assert (left.column, left.kind, left.check, left.rows) == (
            right.column,
            right.kind,
            right.check,
            right.rows,
        )
        assert figures(left) == pytest.approx(figures(right), rel=1e-6, abs=1e-9)
    assert one.evidence.windows == other.evidence.windows
    assert one.quality == other.quality


@dataclass
class Arriving:
    """A week of rows in the order in which they come, some much later than their event time."""

    lab: Lab
    seed: int
    rows: int = 1500
    frame: pd.DataFrame = field(init=False)

    def __post_init__(self) -> None:
        self.frame = self.lab.traffic(self.rows, seed=self.seed)
        if self.seed % 2:
            self.frame["wind"] *= 3.3
            self.frame.loc[self.frame.index % 50 == 0, "wind"] = None
            self.frame.loc[self.frame.index % 97 == 0, "carrier"] = "a new one"

    def parts(self) -> Iterator[tuple[datetime, str, Any]]:
        """Yield parts of the log, with when they come."""
        rng = np.random.default_rng(self.seed)
        times = np.sort(rng.uniform(0, self.lab.week.total_seconds(), self.rows))
        delays = rng.exponential(60, self.rows) + 2 * 86_400 * (rng.random(self.rows) < 0.03)
        arrivals = np.minimum(times + delays, self.lab.week.total_seconds() + 299)
        for number, group in enumerate(np.array_split(np.argsort(arrivals), 60)):
            chosen = [self.lab.monday + timedelta(seconds=float(times[i])) for i in group]
            part = self.frame.iloc[group].reset_index(drop=True)
            table = self.lab.log_table(part, "1", chosen, f"{self.seed}-{number}")
            yield self.lab.monday + timedelta(seconds=arrivals[group[-1]]), f"p{number}", table


@pytest.mark.parametrize("seed", range(4))
def test_rows_added_up_as_they_come_give_the_verdict_of_the_whole_window(
    seed: int, world: World, lab: Lab, watched: WatchedVersion, tmp_path: Path
) -> None:
    log, upkeep = ParquetLog(tmp_path / "log"), ParquetLogUpkeep(tmp_path / "log")
    watch, window = replace(world.watch, inference_log=log), week(lab)
    for came, name, table in Arriving(lab, seed).parts():
        log.append("late", "1", name, table)
        world.clock.set(came)
        assert watch.step() == []
        if name.endswith("7"):
            upkeep.compact("late")
    known = stored(world, window)
    world.clock.set(window.end + 5 * MINUTE)
    (verdict,) = watch.step()

    logged = log.read("late", "1", window.start, window.end)
    withheld = watch.adding_up.withheld
    whole = judge_window("late", watched, window, logged, Beside(withheld=withheld), now=lab.monday)
    assert 10 < len(known) < 24  # the rest, and what came late, only when it was judged
    assert sum(stretch.logged for stretch in known) < verdict.rows == 1500
    assert_same(verdict, whole.verdict)
    (sums,) = stored(world, window)
    assert (sums.window, sums.sums.columns) == (window, whole.sums.columns)
    assert sums.sums.hashes == whole.sums.hashes
    assert (verdict.kind is VerdictKind.STABLE) == (seed % 2 == 0)


class PowerCutError(Exception):
    """The process ends here."""


@dataclass
class Failing:
    """A real database whose process dies now and then, before a commit or after it."""

    inner: SqlDatabase
    chance: random.Random
    deaths: int = 0

    @contextmanager
    def transaction(self) -> Iterator[Stores]:
        fate = self.chance.random()
        with self.inner.transaction() as stores:
            yield stores
            self._die(fate < 0.1)
        self._die(fate > 0.9)

    def _die(self, is_time: bool) -> None:
        if is_time:
            self.deaths += 1
            raise PowerCutError


@pytest.mark.parametrize("seed", range(3))
def test_whoever_dies_wherever_each_row_counts_once(seed: int, world: World, lab: Lab) -> None:
    failing = Failing(world.database, random.Random(seed))
    watch, log, window = replace(world.watch, database=failing), world.inference_log, week(lab)

    def step(watch: Watch) -> list[Verdict]:
        try:
            return watch.step()
        except PowerCutError:
            return []

    for came, name, table in Arriving(lab, 2 * seed).parts():
        log.append("late", "1", name, table)
        world.clock.set(came)
        step(watch)
    world.clock.set(window.end + 5 * MINUTE)
    for _ in range(500):
        with world.database.transaction() as stores:
            if verdicts := stores.verdicts.recent("late"):
                break
        step(watch)

    assert failing.deaths > 5
    assert [v.rows for v in verdicts] == [1500]
    (whole,) = stored(world, window)
    assert whole.sums.rows == 1500
    assert all(column.rows == 1500 for column in whole.sums.columns.values())
    with world.database.transaction() as stores:
        assert [e.event for e in stores.ledger.entries()].count("window judged") == 1


def test_rows_that_come_after_the_verdict_are_counted_as_late(world: World, lab: Lab) -> None:
    world.serve(0)
    (first,) = world.watch.step()
    late = lab.log_table(lab.traffic(7, seed=1), "1", [lab.monday + DAY] * 7, "late")
    world.inference_log.append("late", "1", "late", late)
    world.serve(1)
    world.watch.step()

    with world.database.transaction() as stores:
        second, again = stores.verdicts.recent("late")
    assert (again.rows, again.late) == (first.rows, 7)
    assert (second.rows, second.late) == (lab.rows_a_week, 0)
    assert replace(again, late=0) == first


def test_a_window_is_compared_with_the_one_before(world: World, lab: Lab) -> None:
    frame = lab.traffic(lab.rows_a_week, seed=3)
    world.serve(0, frame)
    world.serve(1, frame)
    world.serve(2, lab.traffic(lab.rows_a_week, seed=4))
    first, second, third = (world.watch.step()[0].findings[0] for _ in range(3))

    assert first.column == "wind"
    assert first.since_previous is None
    assert second.since_previous == pytest.approx(0, abs=1e-9)
    assert third.since_previous is not None
    assert third.since_previous > 0.01


class Watched(MemoryLog):
    """A log that remembers what was asked of it."""

    def __init__(self) -> None:
        super().__init__()
        self.samples: list[int] = []
        self.whole = 0

    def sample(
        self,
        model: str,
        version: str,
        start: datetime,
        end: datetime,
        rows: int,
        *,
        columns: Sequence[str] | None = None,
    ) -> LoggedRows | None:
        found = super().sample(model, version, start, end, rows, columns=columns)
        if columns is None or "inputs" in columns:
            self.samples.append(len(found.rows) if found else 0)
        return found

    def read(
        self, model: str, version: str, start: datetime | None = None, end: datetime | None = None
    ) -> LoggedRows | None:
        self.whole += 1
        return super().read(model, version, start, end)


def test_only_a_window_that_has_moved_is_looked_into_and_by_few_rows(
    world: World, lab: Lab
) -> None:
    log = Watched()
    world.inference_log, watch = log, replace(world.watch, inference_log=log)
    world.serve(0, lab.traffic(4000, seed=1))
    assert watch.step()[0].kind is VerdictKind.STABLE
    assert log.samples == []

    frame = lab.traffic(4000, seed=2)
    world.serve(1, frame.assign(wind=frame["wind"] * 1000))
    (verdict,) = watch.step()

    assert verdict.kind is VerdictKind.BROKEN_DATA
    assert "1,000" in verdict.broken[0].note
    assert verdict.report is not None
    assert log.samples == [1000]
    assert log.whole == 0


def test_what_is_kept_of_a_window_does_not_grow_with_its_rows(world: World, lab: Lab) -> None:
    world.serve(0, lab.traffic(500, seed=1))
    world.serve(1, lab.traffic(10_000, seed=2))
    while world.watch.step():
        pass
    small, large = (stored(world, week(lab, number)) for number in (0, 1))

    assert (len(small), len(large)) == (1, 1)
    assert len(to_json(large)) < 1.3 * len(to_json(small))


def test_sums_that_were_forgotten_are_added_up_again_without_whoever_was_erased(
    world: World, lab: Lab
) -> None:
    world.serve(0)
    world.clock.set(lab.monday + 5 * DAY)
    while world.watch.adding_up.go_on(week(lab), ["1"], world.clock.now()):
        pass
    world.inference_log.erase("late", Subject(keys=frozenset({"key-1-0-3"})))
    with world.database.transaction() as stores:
        assert stores.sums.forget("late") == 17
    world.clock.set(lab.monday + lab.week + 5 * MINUTE)

    assert [v.rows for v in world.watch.step()] == [lab.rows_a_week - 1]


def test_a_column_that_is_withheld_from_now_on_is_not_judged_by_older_sums(
    world: World, lab: Lab
) -> None:
    frame = lab.traffic(lab.rows_a_week, seed=100)
    world.serve(0, frame.assign(wind=1e9))
    world.clock.set(lab.monday + 5 * DAY)
    world.watch.step()
    assert stored(world, week(lab))
    capture = world.watch.settings.capture.model_copy(update={"drop": ("wind",)})
    rules = world.watch.settings.model_copy(update={"capture": capture})
    world.clock.set(lab.monday + lab.week + 5 * MINUTE)
    (verdict,) = replace(world.watch, settings=rules).step()
    found = {finding.column: finding for finding in verdict.findings}

    assert verdict.kind is VerdictKind.STABLE
    assert "capture.drop" in found["wind"].note


def test_values_without_end_are_kept(watched: WatchedVersion, world: World, lab: Lab) -> None:
    frame = lab.traffic(lab.rows_a_week, seed=1).assign(wind=np.inf)
    world.serve(0, frame)
    (verdict,) = world.watch.step()

    assert verdict.findings[0].note == "it is frozen: all values are one value"
    (whole,) = stored(world, week(lab))
    assert add([whole.sums, WindowSums()]) == whole.sums
