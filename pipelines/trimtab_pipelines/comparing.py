"""A trial's captured requests, compared: in bounded batches, as far as they are in the log."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from trimtab.errors import StaleTrialError
from trimtab.policy.agreement import conclude
from trimtab.policy.said import make_plan
from trimtab.policy.tallying import begin, with_pairs, with_served, with_timings
from trimtab.ports import InferenceLog, Stores
from trimtab.records.agreement import TrialResult
from trimtab.records.gate import GateResult
from trimtab.records.logged import LoggedRows
from trimtab.records.tallies import Evidence, Plan, Tally
from trimtab.records.trials import Trial, TrialKind, tells_of_failure

from .bench import Bench
from .contenders import Contender, load_contender
from .contest import find_version
from .live_losses import judge_live
from .logged_answers import (
    asked,
    callers_of,
    is_first_row,
    masks_of,
    recorded,
    seconds_of,
    spell,
)
from .pace import Pace
from .trial_ends import end_trial

_MOST_VALUES = 25
"""Values of one slice column that are looked at, the most frequent ones in training."""
_TIMED = 40
"""Rows that are timed one by one, each time a trial is taken up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """The two versions of a trial, loaded."""

    champion: Contender
    challenger: Contender

    def other(self, version: str) -> Contender:
        """Give the version that did not answer."""
        return self.champion if version == self.challenger.version.version else self.challenger

    def named(self, version: str) -> Contender:
        """Give the version of a number."""
        return self.challenger if version == self.challenger.version.version else self.champion


@dataclass(slots=True, kw_only=True)
class Comparing:
    """One trial in the hands of a process. All it knows lies in the stores: it may die anywhere."""

    bench: Bench
    log: InferenceLog
    say: Callable[[str], None] = lambda what: None
    pace: Pace = field(default_factory=Pace)

    def catch_up(self, trial: Trial, *, is_last: bool = False) -> Trial:
        """Compare what came since, and end the trial where its time is over.

        `is_last` also takes the rows of the last minutes, of which more may come. Raises
        UnknownVersionError and ManifestError when a version cannot be loaded.
        """
        pair = self._load(trial)
        horizon = self._horizon(trial, is_last)
        is_timed = False
        while trial.is_running:
            trial, evidence = self._read(trial)
            start = trial.compared_through
            if not trial.is_running or start >= horizon:
                break
            end = self.pace.end(start, horizon)
            tally = evidence.tally if evidence else begin(self._plan(trial, pair))
            read = self._rows(trial, start, end)
            for version, logged in read.items():
                tally = self._count(tally, trial, pair, version, logged)
            sample = self._sample(read) if self._can_ask(trial, pair) else None
            if not is_timed and sample is not None:
                tally, is_timed = _timed(tally, pair, sample), True
            self.pace.saw(sum(len(logged.rows) for logged in read.values()))
            quality = evidence.result.quality if evidence else None
            self._advance(trial, end, tally, quality)
            self.say(f"compared through {end:%Y-%m-%d %H:%M}")
        return self._settle(trial, pair)

    def result(self, trial: Trial, tally: Tally, quality: GateResult | None) -> TrialResult:
        """Work out what a tally shows."""
        gate = self.bench.settings.model(trial.model).gate
        return conclude(
            tally,
            champion=trial.champion,
            challenger=trial.challenger,
            through=trial.compared_through,
            confidence=gate.confidence,
            min_rows=gate.min_rows,
            quality=quality,
        )

    def _load(self, trial: Trial) -> Pair:
        bench, model = self.bench, trial.model
        with bench.database.transaction() as stores:
            moves = stores.promotions.history(model)
        judged = next((m.manifest_sha256 for m in moves if m.epoch == trial.epoch), None)
        champion, challenger = (
            load_contender(
                bench.registry,
                bench.settings.home,
                find_version(bench.registry, model, version),
                sha256,
            )
            for version, sha256 in (
                (trial.champion, judged),
                (trial.challenger, trial.manifest_sha256),
            )
        )
        return Pair(champion=champion, challenger=challenger)

    def _horizon(self, trial: Trial, is_last: bool) -> datetime:
        """Find up to where no row can still come."""
        now = self.bench.clock.now()
        with self.bench.database.transaction() as stores:
            status = stores.endpoints.get(trial.model)
        lateness = self.bench.settings.model(trial.model).monitor.lateness
        bounds = [now if is_last else now - lateness]
        if status is not None:
            bounds.append(status.shipped_through or trial.since)
        return min(*bounds, trial.until) if trial.until else min(bounds)

    def _read(self, trial: Trial) -> tuple[Trial, Evidence | None]:
        with self.bench.database.transaction() as stores:
            return _fresh(stores, trial), stores.trials.evidence(trial.id)

    def _rows(self, trial: Trial, start: datetime, end: datetime) -> dict[str, LoggedRows]:
        versions = [trial.champion]
        if trial.kind is TrialKind.CANARY:
            versions.append(trial.challenger)
        read = {version: self.log.read(trial.model, version, start, end) for version in versions}
        return {version: logged for version, logged in read.items() if logged is not None}

    def _can_ask(self, trial: Trial, pair: Pair) -> bool:
        """Tell whether the log keeps what a version has to be asked."""
        names = pair.challenger.predictor.contract.schema.names
        return not self.bench.settings.model(trial.model).capture.redacts(names)

    def _count(
        self, tally: Tally, trial: Trial, pair: Pair, version: str, logged: LoggedRows
    ) -> Tally:
        """Add the rows that one version answered, with what the other says of them."""
        rows = logged.rows
        contract = pair.named(version).predictor.contract
        said, callers = recorded(contract, rows), callers_of(rows, tally.plan.caller_groups)
        if self._can_ask(trial, pair):
            other = asked(pair.other(version).predictor, logged.inputs)
            answers = (said, other) if version == trial.champion else (other, said)
            masks = masks_of(tally.plan, logged.inputs)
            tally = with_pairs(tally, seconds_of(rows), *answers, masks)
        first = is_first_row(rows)
        stood_in = np.array([tells_of_failure(d, trial.challenger) for d in rows["detail"]], bool)
        tally = with_served(
            tally,
            version,
            callers=callers,
            said=said,
            latencies=rows["latency_us"].to_numpy(dtype=float)[first & ~stood_in],
            requests=int(first.sum()),
            failed=logged.failed,
        )
        if failures := int((first & stood_in).sum()):
            tally = with_served(
                tally,
                trial.challenger,
                callers=callers[:0],
                said=said.only(np.zeros(len(rows), dtype=bool)),
                latencies=(),
                requests=0,
                failed=failures,
            )
        return tally

    def _sample(self, read: dict[str, LoggedRows]) -> pd.DataFrame | None:
        inputs = [logged.inputs for logged in read.values() if len(logged.inputs)]
        return inputs[0].head(_TIMED) if inputs else None

    def _plan(self, trial: Trial, pair: Pair) -> Plan:
        """Fix what is counted, by what the champion says of a sample of its training rows."""
        predictor = pair.champion.predictor
        folder = self.bench.settings.home.version(trial.model, trial.champion)
        sample = pd.read_parquet(folder / "reference.parquet")
        settings, slices, remarks = self.bench.settings.model(trial.model), {}, []
        if not self._can_ask(trial, pair):
            remarks.append("inputs are redacted, so callers are compared, and not row by row")
        for column in settings.gate.slices:
            if settings.capture.redacts([column]):
                remarks.append(f"{column} is redacted, so the traffic cannot be sliced by it")
            elif column in predictor.contract.schema.names:
                values = spell(sample[column]).value_counts().index[:_MOST_VALUES]
                slices[column] = [str(value) for value in values]
            else:
                remarks.append(f"{column} is no input, so the traffic cannot be sliced by it")
        return make_plan(predictor.contract, asked(predictor, sample), slices, remarks)

    def _advance(
        self, trial: Trial, through: datetime, tally: Tally, quality: GateResult | None
    ) -> None:
        """Write how far it is; where another process was faster, its work counts and not ours."""
        further = replace(trial, compared_through=through, revision=trial.revision + 1)
        result = self.result(further, tally, quality)
        try:
            with self.bench.database.transaction() as stores:
                stores.trials.save(further, Evidence(tally=tally, result=result))
        except StaleTrialError:
            self.say("another process goes on with it too")

    def _settle(self, trial: Trial, pair: Pair) -> Trial:
        """Measure the losses as far as labels have come, and end what is over."""
        trial, evidence = self._read(trial)
        if not trial.is_running:
            return trial
        if evidence is not None:
            quality = None
            if self._can_ask(trial, pair):
                quality = judge_live(self.bench, self.log, trial, pair.champion, pair.challenger)
            result = self.result(trial, evidence.tally, quality)
            evidence = Evidence(tally=evidence.tally, result=result)
        is_over = trial.until is not None and trial.compared_through >= trial.until
        try:
            with self.bench.database.transaction() as stores:
                if is_over:
                    now = self.bench.clock.now()
                    return end_trial(stores, trial, [_time(trial)], at=now, evidence=evidence)
                further = replace(trial, revision=trial.revision + 1)
                stores.trials.save(further, evidence)
                return further
        except StaleTrialError:
            return self._read(trial)[0]


def _fresh(stores: Stores, trial: Trial) -> Trial:
    return next(known for known in stores.trials.recent(trial.model) if known.id == trial.id)


def _timed(tally: Tally, pair: Pair, sample: pd.DataFrame) -> Tally:
    """Time both versions on single rows, in turns, so that a busy machine slows both."""
    taken: dict[str, list[float]] = {}
    contenders = (pair.champion, pair.challenger)
    for row in range(len(sample)):
        for contender in contenders:
            one = sample.iloc[row : row + 1]
            began = time.perf_counter()
            asked(contender.predictor, one)
            micros = (time.perf_counter() - began) * 1e6
            taken.setdefault(contender.version.version, []).append(micros)
    for version, micros_each in taken.items():
        tally = with_timings(tally, version, micros_each[len(micros_each) // 10 :])  # warm by then
    return tally


def _time(trial: Trial) -> str:
    length = (trial.until or trial.since) - trial.since
    hours = length / timedelta(hours=1)
    return f"its time is over ({hours:g} h)"
