"""The temporary platform: trained once, then put back to that state before each change."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import pandas as pd

from trimtab.adapters.clock import FileClock
from trimtab.adapters.opening import open_database
from trimtab.policy.drilling import (
    DrillRules,
    course_of,
    is_over,
    judge,
    what_is_left,
)
from trimtab.ports import Database
from trimtab.records.drills import Change, Drilled
from trimtab.settings import Home, ModelSettings, Settings
from trimtab.settings import rules_of as of_settings
from trimtab.supervisor import platform_up
from trimtab_pipelines.live_traffic.own_home import fresh_home
from trimtab_pipelines.live_traffic.served import until_ready, until_served

from .course import Course, endpoint_of
from .errors import DrillError
from .injecting import Injection, inject
from .material import Material
from .own_project import ROWS, write_project
from .receiver import Receiver
from .watching import Watcher

Say = Callable[[str], None]
_ALERT_SECONDS = 30.0
_LOOK_SECONDS = 0.25
_LIVE = "live.parquet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """A platform that has just seen some usual windows, as it lies on the disk."""

    folder: Path
    version: Path
    """The files of the version that it serves."""
    material: Material
    until: datetime
    """Where the usual windows end, and a change may begin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Where the platform lives that is drilled."""

    settings: Settings
    """Of the user's project."""
    model: str
    folder: Path
    receiver: Receiver
    say: Say
    keep: bool = False
    """Keep the home of each drill, to look into it."""

    @property
    def declared(self) -> ModelSettings:
        """The user's settings of the model."""
        return self.settings.model(self.model)

    @property
    def rules(self) -> DrillRules:
        """What its reaction depends on."""
        return rules_of(self.declared)

    async def found(self, material: Material, name: str) -> Base:
        """Train a first version on the material, serve it, and let it see usual windows.

        Raises DrillError when these windows are not well.
        """
        home, base = self.folder / "home", self.folder / f"base-{name}"
        fresh_home(home)
        until = material.begins + self.rules.n * self.declared.monitor.window
        own = self._project(material.training, material.live)
        FileClock(home / "clock").set(material.begins)
        usual = material.live[material.live[self._time(own)] < until]
        async with self._up(own) as database:
            self.say("training the first version")
            number = await until_served(database, self.model, lambda: None)
            await until_ready(endpoint_of(own.model(self.model)))
            await self._send_usual(own, database, usual, material.begins)
        await asyncio.to_thread(_copy, home, base)
        version = Home(base).bento(self.model, number) / "src" / "version"
        return Base(folder=base, version=version, material=material, until=until)

    async def drill(self, base: Base, injection: Injection) -> Drilled:
        """Make one change to the traffic of a platform as it was founded, and watch it."""
        change, window = injection.change, self.declared.monitor.window
        home = self.folder / "home"
        await asyncio.to_thread(_copy, base.folder, home)
        course = course_of(change, self.rules, cycle=round(injection.period / window))
        rows = self._changed(base, injection, course.changed, course.most)
        own = self._project(base.material.training, rows)
        sent = rows[rows[self._time(own)] >= base.until]
        async with self._up(own) as database:
            self.receiver.forget()
            await until_ready(endpoint_of(own.model(self.model)))
            watcher = self._watcher(database, base.until)
            traffic = Course(own, self.model, database)
            left = ""
            async with aclosing(traffic.windows(self._file(sent))) as windows:
                async for done in windows:
                    standing = await asyncio.to_thread(watcher.look, done.rows)
                    left = what_is_left(standing, course)
                    self.say(f"{change}: window {standing.windows}; {left or 'at rest'}")
                    if is_over(standing, course):
                        break
            await self._alerted(watcher)
            observed = watcher.observed(
                injection,
                traffic.tally,
                received=self.receiver.count,
                unsettled=left,
            )
        if self.keep:
            await asyncio.to_thread(_copy, home, self.folder / str(change))
        return judge(observed, self.rules)

    async def _send_usual(
        self, own: Settings, database: Database, usual: pd.DataFrame, begins: datetime
    ) -> None:
        watcher = self._watcher(database, begins)
        course = Course(own, self.model, database)
        async with aclosing(course.windows(self._file(usual))) as windows:
            async for done in windows:
                standing = await asyncio.to_thread(watcher.look, done.rows)
                self.say(f"usual traffic: window {standing.windows}")
        usually = Injection(change=Change.NOTHING)
        observed = watcher.observed(usually, course.tally, received=0, unsettled="")
        if observed.failed_requests:
            raise DrillError(
                f"{observed.failed_requests} usual requests failed: {observed.failure}"
            )
        if observed.reactions:
            shown = "; ".join(observed.reactions[0].evidence)
            raise DrillError(
                "There was an incident before anything was changed, in traffic that was drawn "
                f"from the same history as the training: {shown}"
            )

    def _changed(
        self, base: Base, injection: Injection, changed: int | None, most: int
    ) -> pd.DataFrame:
        """Give the live rows with the change in them, as far as they may be sent."""
        window, live = self.declared.monitor.window, base.material.live
        time = self.declared.time
        assert time is not None
        times = live[time]
        end = base.until + most * window
        until = end if changed is None else base.until + changed * window
        if injection.change is Change.CYCLE:  # it was there all the time
            return live[times < end]
        has = (times >= base.until) & (times < until)
        parts = [live[~has & (times < end)], inject(live[has], injection, time, seed=1)]
        return pd.concat(parts).sort_values(time, kind="stable")

    def _project(self, training: pd.DataFrame, live: pd.DataFrame) -> Settings:
        folder = self.folder / "project"
        own = write_project(
            self.settings, self.model, folder, self.folder / "home", self.receiver.url
        )
        pd.concat([training, live]).to_parquet(folder / ROWS, index=False)
        return own

    def _watcher(self, database: Database, begins: datetime) -> Watcher:
        return Watcher(
            database=database,
            model=self.model,
            begins=begins,
            window=self.declared.monitor.window,
            rules=self.rules,
        )

    def _time(self, own: Settings) -> str:
        time = own.model(self.model).time
        assert time is not None
        return time

    def _file(self, rows: pd.DataFrame) -> Path:
        file = self.folder / _LIVE
        rows.to_parquet(file, index=False)
        return file

    async def _alerted(self, watcher: Watcher) -> None:
        """Give alerts that are on their way the time to arrive."""
        deadline = asyncio.get_running_loop().time() + _ALERT_SECONDS
        while asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(_LOOK_SECONDS)
            alerts = await asyncio.to_thread(watcher.alerts)
            if self.receiver.count >= alerts:
                return

    @asynccontextmanager
    async def _up(self, own: Settings) -> AsyncIterator[Database]:
        database = open_database(own)
        async with platform_up(own, lambda name, what: self.say(f"{name} {what}")):
            yield database


def rules_of(settings: ModelSettings) -> DrillRules:
    """Put the user's settings as what a reaction is judged by."""
    return DrillRules(
        n=settings.monitor.n,
        triggers=of_settings(settings.retrain).triggers,
        cooldown=settings.retrain.cooldown,
        budget=settings.retrain.budget,
        give_up_after=settings.retrain.give_up_after,
    )


def with_cycle(material: Material, injection: Injection, time: str) -> Material:
    """Let a season run through all rows, those of the training included."""
    return replace(
        material,
        training=inject(material.training, injection, time, seed=1),
        live=inject(material.live, injection, time, seed=1),
    )


def windows_needed(settings: ModelSettings) -> tuple[int, int]:
    """Tell how many windows must, and at most can, be sent in a drill: usual ones and changed."""
    rules = rules_of(settings)
    courses = [course_of(change, rules) for change in Change]
    least = max(course.least for course in courses) + rules.n
    return rules.n + least, rules.n + max(course.most for course in courses)


def _copy(source: Path, target: Path) -> None:
    """Make the target what the source is; a lock and a table of processes mean nothing there."""
    for old in target.iterdir() if target.is_dir() else ():
        if old.name != "run":
            shutil.rmtree(old) if old.is_dir() else old.unlink()
    shutil.copytree(
        source, target, ignore=shutil.ignore_patterns("run", "logs"), dirs_exist_ok=True
    )
