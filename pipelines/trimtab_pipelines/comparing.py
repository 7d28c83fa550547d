"""A trial's captured requests, compared: in bounded batches, as far as they are in the log."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from trimtab.adapters.lowering import CannotLowerError
from trimtab.adapters.predictor import Predictor
from trimtab.errors import StaleEpochError, StaleTrialError
from trimtab.policy.agreement import conclude
from trimtab.policy.said import make_plan
from trimtab.policy.tallying import begin, with_pairs, with_served, with_timings
from trimtab.ports import InferenceLog, Stores
from trimtab.records.agreement import TrialResult
from trimtab.records.gate import GateResult
from trimtab.records.logged import LoggedRows
from trimtab.records.tallies import Evidence, Plan, Tally
from trimtab.records.trials import Trial, TrialKind, tells_of_failure

from .bake_facts import unaskable
from .baking import conclude_bake, with_look
from .bench import Bench
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
from .pairs import Pair, load_pair
from .trial_ends import end_trial

_MOST_VALUES = 25
"""Values of one slice column that are looked at, the most frequent ones in training."""
_TIMED = 40
"""Rows that are timed one by one, each time a trial is taken up."""


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
        pair = load_pair(self.bench, trial)
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
            self._advance(trial, end, tally, evidence)
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
        """Tell whether the versions can be asked what they would have answered."""
        return not unaskable(self.bench, trial, pair)

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
        self, trial: Trial, through: datetime, tally: Tally, earlier: Evidence | None
    ) -> None:
        """Write how far it is; where another process was faster, its work counts and not ours."""
        further = replace(trial, compared_through=through, revision=trial.revision + 1)
        quality, looks = (earlier.result.quality, earlier.looks) if earlier else (None, ())
        evidence = Evidence(tally=tally, result=self.result(further, tally, quality), looks=looks)
        try:
            with self.bench.database.transaction() as stores:
                stores.trials.save(further, evidence)
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
            evidence = replace(evidence, result=result)
            if trial.kind is TrialKind.BAKE:
                evidence = with_look(self.bench, self.log, trial, pair, evidence)
        try:
            with self.bench.database.transaction() as stores:
                ended = self._end(stores, trial, pair, evidence)
                if ended is not None:
                    return ended
                further = replace(trial, revision=trial.revision + 1)
                stores.trials.save(further, evidence)
                return further
        except (StaleTrialError, StaleEpochError):
            return self._read(trial)[0]

    def _end(
        self, stores: Stores, trial: Trial, pair: Pair, evidence: Evidence | None
    ) -> Trial | None:
        """End it where it is over; None while it goes on."""
        now = self.bench.clock.now()
        if trial.kind is TrialKind.BAKE and evidence is not None:
            before = pair.challenger.version
            return conclude_bake(stores, trial, evidence, before, at=now)
        if trial.until is None or trial.compared_through < trial.until:
            return None
        return end_trial(stores, trial, [_time(trial)], at=now, evidence=evidence)


def _fresh(stores: Stores, trial: Trial) -> Trial:
    return next(known for known in stores.trials.recent(trial.model) if known.id == trial.id)


def _timed(tally: Tally, pair: Pair, sample: pd.DataFrame) -> Tally:
    """Time both versions on single rows, in turns, so that a busy machine slows both."""
    taken: dict[str, list[float]] = {}
    contenders = (pair.champion, pair.challenger)
    engines = {c.version.version: _engine(c.predictor) for c in contenders}
    for row in range(len(sample)):
        for contender in contenders:
            one = sample.iloc[row : row + 1]
            began = time.perf_counter()
            asked(engines[contender.version.version], one)
            micros = (time.perf_counter() - began) * 1e6
            taken.setdefault(contender.version.version, []).append(micros)
    for version, micros_each in taken.items():
        tally = with_timings(tally, version, micros_each[len(micros_each) // 10 :])  # warm by then
    return tally


def _engine(predictor: Predictor) -> Predictor:
    """Give the fast path, which serves where there is one."""
    try:
        return predictor.lowered()
    except CannotLowerError:
        return predictor


def _time(trial: Trial) -> str:
    length = (trial.until or trial.since) - trial.since
    hours = length / timedelta(hours=1)
    return f"its time is over ({hours:g} h)"
