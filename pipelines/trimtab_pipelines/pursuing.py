"""The course of a request: decide, train, try out, and end it with its reasons."""

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

import pandas as pd

from trimtab.errors import (
    LeaseLostError,
    RegistryUnreachableError,
    StaleEpochError,
    TrimtabError,
)
from trimtab.policy.retrain import Decision, RetrainFacts, RetrainRules, decide
from trimtab.ports import Stores
from trimtab.records.requests import Obstacle, RequestState, RetrainRequest
from trimtab.records.urls import without_userinfo
from trimtab.records.versions import Alias, ModelVersion
from trimtab.settings import rules_of

from .bench import Bench
from .contest import Contest, try_out
from .ending import MOST_ATTEMPTS, end_request
from .errors import DataRefusedError, NoCandidateError
from .events import Event, entry
from .facts import gather
from .promotion import promote
from .prospects import Prospect

log = logging.getLogger(__name__)

Say = Callable[[str], None]

_MOST_CONTESTS = 3
"""How often a challenger is judged again because the champion moved meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a request ended."""

    request: RetrainRequest
    contest: Contest | None = None


@dataclass(slots=True, kw_only=True)
class Pursuit:
    """One request in the hands of one holder, who has its lease."""

    bench: Bench
    request: RetrainRequest
    """With what becomes known on the way: how many rows are new, what a preview says."""
    holder: str
    say: Say = log.info
    until: datetime | None = None
    """Rows of this time and later are not known; by default the present moment."""

    def run(self) -> Outcome:
        """Take the request to its end.

        Raises LeaseLostError when somebody else took it over, and RegistryUnreachableError, which
        leaves it as it is so that it can be taken up again. What else goes wrong ends it.
        """
        try:
            return self._run()
        except (RegistryUnreachableError, LeaseLostError):
            raise
        except NoCandidateError as error:
            return self._end(RequestState.REJECTED, [str(error)])
        except DataRefusedError as error:
            return self._decline(
                Decision(go=False, reasons=(str(error),), obstacles=(Obstacle.DATA,))
            )
        except TrimtabError as error:
            return self.fail(str(error))
        except Exception as error:
            log.exception("request %s", self.request.id)
            return self.fail(f"unexpected {type(error).__name__}: {error}")

    def fail(self, why: str) -> Outcome:
        """End the request because something went wrong."""
        why = without_userinfo(why)
        self.say(f"failed: {why}")
        return self._end(RequestState.FAILED, [why])

    def _run(self) -> Outcome:
        self.say("deciding")
        decision = decide(self._facts(), self._rules)
        if not decision.go:
            return self._decline(decision)
        now = self.until or self.bench.clock.now()
        known = self.bench.collect(self.bench.settings, self.request.model, now)
        decision, rows = self._weigh(known, now)
        if not decision.go:
            return self._decline(decision)
        self._begin(decision)
        version = self.bench.train(
            self.bench.settings,
            self.request.model,
            until=now,
            request_id=self.request.id,
            rows=rows,
            progress=self.say,
        )
        # The version's run has ended; what still runs was left by processes that died. The lease
        # makes sure that none is anybody else's.
        self.bench.end_stale_runs(self.bench.settings, self.request.model, None)
        self._registered(version)
        return self._try_out(version, rows)

    @property
    def _rules(self) -> RetrainRules:
        return rules_of(self.bench.settings.model(self.request.model).retrain)

    def _facts(self) -> RetrainFacts:
        settings = self.bench.settings.model(self.request.model)
        return gather(self.bench.database, settings, self.request, self.bench.clock.now())

    def _weigh(self, known: pd.DataFrame, now: datetime) -> tuple[Decision, pd.DataFrame]:
        """Decide by the rows, and then by what a cheap fit foretells; give the rows to use."""
        prospect = Prospect(bench=self.bench, model=self.request.model, now=now)
        counted = prospect.count(known, is_present=self.until is None)
        count, facts = counted.count, self._facts()
        self.request = replace(self.request, new_rows=count.new_rows)
        facts = replace(facts, new_rows=count.new_rows, arrival=count.arrival)
        decision = decide(facts, self._rules)
        if not decision.go:
            return decision, counted.rows
        self.say("looking ahead")
        ahead = prospect.look_ahead(counted.rows)
        self.request = replace(self.request, preview=ahead.preview)
        facts = replace(facts, preview=ahead.preview)
        decision = decide(facts, self._rules)
        notes = (ahead.note,) if decision.go and ahead.note else ()
        return replace(decision, reasons=(*decision.reasons, *notes)), counted.rows

    def _begin(self, decision: Decision) -> None:
        """Note the start. Raises TrimtabError when too many of them led nowhere."""
        with self.bench.database.transaction() as stores:
            begun = sum(
                known.event == Event.STARTED and known.subject == self.request.id
                for known in stores.ledger.entries(self.request.model, limit=500)
            )
            if begun < MOST_ATTEMPTS:
                self._note(stores, Event.STARTED, self.request.id, decision.reasons)
                return
        raise TrimtabError(f"{begun} trainings for this request died without an end")

    def _registered(self, version: ModelVersion) -> None:
        with self.bench.database.transaction() as stores:
            recent = stores.ledger.entries(self.request.model, limit=100)
            if not any((e.event, e.subject) == (Event.REGISTERED, version.version) for e in recent):
                trained = f"trained on what was known before {version.trained_until:%Y-%m-%d %H:%M}"
                self._note(stores, Event.REGISTERED, version.version, [trained])
        self.bench.registry.point(version.model, Alias.CHALLENGER, version.version)

    def _try_out(self, version: ModelVersion, rows: pd.DataFrame) -> Outcome:
        for _ in range(_MOST_CONTESTS):
            self.say(f"version {version.version} meets the champion")
            contest = try_out(self.bench, version, rows)
            try:
                return self._settle(contest)
            except StaleEpochError:
                self.say("the champion moved meanwhile; trying again")
        raise TrimtabError("the champion moved at every contest")

    def _settle(self, contest: Contest) -> Outcome:
        """Write the end; the move of the champion and the end of the request are one."""
        settings = self.bench.settings.model(self.request.model)
        if not contest.result.passed:
            state = RequestState.REJECTED
        elif settings.retrain.approval == "manual" or self.request.override:
            state = RequestState.WAITING
        else:
            state = RequestState.PROMOTED
        outcome = self._end(state, [*contest.result.reasons, *self._hindsight(contest)], contest)
        number = contest.challenger.version
        self.say(f"version {number}: {state}")
        with suppress(RegistryUnreachableError):  # the worker's reconciliation follows later
            if state is RequestState.PROMOTED:
                self.bench.registry.point(self.request.model, Alias.CHAMPION, number)
            if state is not RequestState.WAITING:
                self.bench.registry.point(self.request.model, Alias.CHALLENGER, None)
        return outcome

    def _hindsight(self, contest: Contest) -> list[str]:
        """Put what the preview said beside what came of it."""
        if self.request.preview is None or contest.against is None:
            return []
        overall, predicted = contest.result.overall, self.request.preview.gain
        gain = overall.champion - overall.challenger
        return [f"the preview had predicted a gain of {predicted:.4f}; {gain:.4f} was measured"]

    def _decline(self, decision: Decision) -> Outcome:
        self.say(f"declined: {'; '.join(decision.reasons)}")
        self.request = replace(
            self.request, obstacles=decision.obstacles, not_before=decision.not_before
        )
        return self._end(RequestState.DECLINED, decision.reasons, is_given_up=decision.is_given_up)

    def _end(
        self,
        state: RequestState,
        reasons: Sequence[str],
        contest: Contest | None = None,
        *,
        is_given_up: bool = False,
    ) -> Outcome:
        """Write how it ended, in one transaction. Raises LeaseLostError, StaleEpochError."""
        now = self.bench.clock.now()
        with self.bench.database.transaction() as stores:
            ended = end_request(
                stores,
                self.request,
                self.holder,
                state=state,
                reasons=reasons,
                at=now,
                version=contest.challenger.version if contest else None,
                manifest_sha256=contest.challenger.manifest_sha256 if contest else None,
                is_given_up=is_given_up,
                give_up_after=self._rules.give_up_after,
            )
            if contest and state is RequestState.PROMOTED:
                promote(
                    stores,
                    contest.challenger,
                    against=contest.against,
                    actor="gate",
                    reasons=[f"asked for: {self.request.trigger}", *reasons],
                    at=now,
                    bake=self.bench.settings.model(self.request.model).promotion.bakes_for,
                )
        return Outcome(request=ended, contest=contest)

    def _note(self, stores: Stores, event: Event, subject: str, reasons: Sequence[str]) -> None:
        now = self.bench.clock.now()
        stores.ledger.append(entry(event, self.request.model, subject, at=now, reasons=reasons))
