"""One policy on the past: the loop's own decisions, moment by moment, in simulated time."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trimtab.policy.asking import Known, facts_of, needs_count, next_request
from trimtab.policy.retrain import Decision, RetrainFacts, decide
from trimtab.records.gate import GateResult
from trimtab.records.looks import Look
from trimtab.records.promotions import Promotion
from trimtab.records.requests import RequestState, RetrainRequest
from trimtab.records.triggers import Cause
from trimtab.records.windows import Window
from trimtab.settings import ModelSettings, rules_of
from trimtab_pipelines.counting import Counted, count_rows
from trimtab_pipelines.errors import DataRefusedError
from trimtab_pipelines.judging import meet
from trimtab_pipelines.previewing import preview

from .answering import Answering
from .history import History
from .making import Made
from .policies import Policy
from .watching import Watching
from .workshop import Version, Workshop

_LOOK = timedelta(days=1)
"""So often the loop looks whether to ask, beside the moments at which something happens."""
_ASKED_BY = "replay"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pursued:
    """A request that has ended, and what was made for it."""

    request: RetrainRequest
    made: Made | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reign:
    """A version that answered, from a moment on."""

    since: datetime
    version: Version


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Course:
    """What became of one policy."""

    policy: Policy
    reigns: tuple[Reign, ...]
    pursued: tuple[Pursued, ...]
    """In the order of time."""
    losses: NDArray[np.float64]
    """Of each row of the past, by the version that answered it; NaN for what was not asked, not
    answered or never labelled."""
    watching: Watching

    @property
    def trained(self) -> int:
        """How many trainings there were."""
        return sum(one.made is not None for one in self.pursued)


@dataclass(kw_only=True, eq=False)
class Simulation:
    """A policy at work. It sees the past up to `now` and nothing else."""

    history: History
    policy: Policy
    workshop: Workshop
    answering: Answering
    first: Version
    tick: Callable[[datetime], None] = lambda now: None
    """Called with each moment that is reached; what it raises ends the simulation."""
    say: Callable[[str], None] = lambda words: None
    """Told what each training came to."""
    _requests: list[RetrainRequest] = field(default_factory=list)
    _pursued: list[Pursued] = field(default_factory=list)
    _reigns: list[Reign] = field(default_factory=list)
    _promotions: list[Promotion] = field(default_factory=list)
    _looks: list[Look] = field(default_factory=list)
    _given_up: set[int] = field(default_factory=set)
    """Epochs in which a person was asked to look."""
    _alerts: int = 0

    def run(self) -> Course:
        """Go through the past. Raises what a decision, a training or `tick` raises."""
        self._watching = Watching(history=self.history, answering=self.answering)
        self._promote(self.first, self.history.since, ("the first version",))
        windows = self.history.windows()
        for now in self._moments(windows):
            self.tick(now)
            while windows and self._closes(windows[0]) <= now:
                self._close(windows.pop(0), now)
            self._ask(now)
        self._watching.alerts += self._alerts
        return Course(
            policy=self.policy,
            reigns=tuple(self._reigns),
            pursued=tuple(self._pursued),
            losses=self._losses(),
            watching=self._watching,
        )

    def _moments(self, windows: list[Window]) -> Iterator[datetime]:
        """Give the moments at which something may happen: windows close, a schedule is due."""
        now = self.history.since
        for day in count(1):
            look = self.history.since + day * _LOOK
            while now < look:
                closing = [self._closes(window) for window in windows[:1]]
                now = min(m for m in [look, *closing, *self._due()] if m > now)
                if now >= self.history.until:
                    return
                yield now

    def _closes(self, window: Window) -> datetime:
        return window.end + self.history.settings.monitor.lateness

    def _due(self) -> Iterator[datetime]:
        last = self._known(self._champion.at).last_training
        for entry in self.policy.settings.on:
            for condition in entry.conditions:
                if condition.cause is Cause.SCHEDULE and condition.every and last:
                    yield last + condition.every

    @property
    def _champion(self) -> Promotion:
        return self._promotions[-1]

    @property
    def _version(self) -> Version:
        return self._reigns[-1].version

    def _close(self, window: Window, now: datetime) -> None:
        start = max(window.start, self._champion.at)
        end = max(start, min(window.end, self.history.until))
        rows = self.history.numbers(start, end)
        self._watching.close(window, self._version, self._champion, rows, now)

    def _known(self, now: datetime) -> Known:
        active = self._watching.active
        return Known(
            model=self.history.model,
            now=now,
            champion=self._champion,
            requests=self._requests,
            incidents=active,
            verdicts=self._watching.recent if active else (),
        )

    def _ask(self, now: datetime) -> None:
        rules = rules_of(self.policy.settings)
        known = self._known(now)
        if needs_count(known, rules):
            known = replace(known, count=self._count(now, self._dated(now)).count)
        request = next_request(known, rules, id=f"{now:%Y%m%dT%H%M%S}", asked_by=_ASKED_BY)
        if request is not None:
            self._pursue(request, now)

    def _dated(self, now: datetime) -> pd.DataFrame:
        """Give the known rows without their inputs, which a count does not need."""
        numbers = self.history.known_numbers(now)
        names = [self.history.time, self.history.settings.label_time]
        return self.history.rows[[name for name in names if name]].iloc[numbers]

    def _count(self, now: datetime, rows: pd.DataFrame) -> Counted:
        """Count the rows that the champion has not seen and whose labels are complete."""
        return count_rows(
            self._settings,
            self.history.model,
            rows,
            champion=self._version.record,
            epoch=self._champion.epoch,
            lag=None,
            now=now,
        )

    @property
    def _settings(self) -> ModelSettings:
        return self.history.settings.model_copy(update={"retrain": self.policy.settings})

    def _pursue(self, request: RetrainRequest, now: datetime) -> None:
        """Take a request to its end; a training takes no time here."""
        rules = rules_of(self.policy.settings)
        facts = facts_of(self._known(now), request.trigger, request)
        decision = decide(facts, rules)
        if not decision.go:
            self._decline(request, decision, now)
            return
        counted = self._count(now, self.history.known(now))
        request, facts = self._looked_ahead(request, facts, counted, now)
        decision = decide(facts, rules)
        if not decision.go:
            self._decline(request, decision, now)
            return
        made = self.workshop.make(now)
        if not made.is_made:
            self._alerts += made.state is RequestState.FAILED
            is_training = made.state is not RequestState.DECLINED
            self._end(request, made.state, (made.why,), now, made if is_training else None)
            return
        challenger = self.workshop.load(made)
        try:
            result = self._judged(challenger, counted.rows, now)
        except DataRefusedError as error:  # no labelled row is new to both
            self._end(request, RequestState.DECLINED, (str(error),), now, made)
            return
        state = RequestState.PROMOTED if result.passed else RequestState.REJECTED
        self._alerts += result.passed and self.policy.settings.approval == "manual"
        self._end(request, state, result.reasons, now, made)
        if result.passed:
            self._promote(challenger, now, result.reasons)

    def _judged(self, challenger: Version, rows: pd.DataFrame, now: datetime) -> GateResult:
        """Let the gate judge as it would have, knowing the looks that there were."""
        sides = (challenger.contender, self._version.contender)
        match = meet(self.history.settings, rows, *sides)
        result = match.judge(self._looks)
        beside, number = self._version.record.version, len(self._looks) + 1
        if all(look.digest != match.digest for look in self._looks):
            look = match.look(result, challenger.record, beside, number=number, at=now)
            self._looks.append(look)
        return result

    def _looked_ahead(
        self, request: RetrainRequest, facts: RetrainFacts, counted: Counted, now: datetime
    ) -> tuple[RetrainRequest, RetrainFacts]:
        """Put what the rows say among the facts and, where that is enough to go on, a preview."""
        count = counted.count
        request = replace(request, new_rows=count.new_rows)
        facts = replace(facts, new_rows=count.new_rows, arrival=count.arrival)
        if not decide(facts, rules_of(self.policy.settings)).go:
            return request, facts
        if not self.policy.settings.preview:
            return request, facts
        foretold = preview(self._settings, counted.rows, self._version.contender, now).preview
        return replace(request, preview=foretold), replace(facts, preview=foretold)

    def _decline(self, request: RetrainRequest, decision: Decision, now: datetime) -> None:
        if decision.is_given_up and self._champion.epoch not in self._given_up:
            self._given_up.add(self._champion.epoch)
            self._alerts += 1
        declined = replace(request, obstacles=decision.obstacles, not_before=decision.not_before)
        self._end(declined, RequestState.DECLINED, decision.reasons, now)

    def _end(
        self,
        request: RetrainRequest,
        state: RequestState,
        reasons: tuple[str, ...],
        now: datetime,
        made: Made | None = None,
    ) -> None:
        ended = replace(
            request,
            state=state,
            reasons=(*request.reasons, *reasons),
            version=made.name if made and made.is_made else None,
            finished_at=now,
        )
        self._requests.insert(0, ended)
        self._pursued.append(Pursued(request=ended, made=made))
        if made:
            self.say(f"{self.policy.name}, {now:%Y-%m-%d}: {request.trigger}, {state}")

    def _promote(self, version: Version, now: datetime, reasons: tuple[str, ...]) -> None:
        before = self._promotions[-1] if self._promotions else None
        promotion = Promotion(
            model=self.history.model,
            epoch=(before.epoch if before else 0) + 1,
            version=version.record.version,
            previous=before.version if before else None,
            manifest_sha256=version.record.manifest_sha256,
            actor="gate",
            reasons=reasons,
            at=now,
        )
        self._promotions.append(promotion)
        self._reigns.append(Reign(since=now, version=version))
        self._watching.promoted(promotion, now)

    def _losses(self) -> NDArray[np.float64]:
        found = np.full(len(self.history.rows), np.nan)
        ends = [reign.since for reign in self._reigns[1:]] + [self.history.until]
        for reign, end in zip(self._reigns, ends, strict=True):
            rows = self.history.numbers(reign.since, end)
            found[rows] = self.answering.losses(reign.version, rows)
        return found
